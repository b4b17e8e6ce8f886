// SPDX-License-Identifier: Apache-2.0
/*
 * Drive src/python by hand and from stress.py:
 *
 *   attach_tool find PID
 *   attach_tool doing PID          what each thread is taken to be doing: python, gil, wait, released or elsewhere
 *   attach_tool cycle PID N [MS]   attach and detach N times, attached for MS milliseconds
 *   attach_tool hold PID           attach, print "attached", detach when standard input ends
 *   attach_tool run CMD...         -c
 *
 * With -files first, files in the place of memory files. Every attach asks for entry and return of all functions (argument -f NAME: of those of this name).
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "python/python_impl.h"

static const char *function_name;
static struct python_attach_options options;

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static struct python_plan *plan_make(void)
{
	struct python_plan *plan = python_plan_new(256);
	int filter = python_plan_filter(plan, 1 << WIRE_ENTRY | 1 << WIRE_RETURN);

	if (function_name)
		python_plan_text(plan, filter, WIRE_NAME, WIRE_EQ, function_name);
	return plan;
}

static void page_print(struct python *p)
{
	const struct wire_page *w = python_page(p);
	char path[64];
	u64 off;

	printf("state %u mechanism %u functions %u seen %llu entries %llu returns %llu", w->state, w->mechanism,
	       w->nfunctions, (unsigned long long)w->seen, (unsigned long long)w->events[0],
	       (unsigned long long)w->events[1]);
	if (!python_site(p, WIRE_ENTRY, path, sizeof(path), &off))
		printf(" site %s+%#llx", path, (unsigned long long)off);
	printf("\n");
	for (u32 i = 1; i <= w->nfunctions && i <= 3; i++)
		printf("  function %u: %s\n", i, python_text(p, python_function(p, i)->name));
	fflush(stdout);
}

static int cycle(struct target *t, const struct python_info *info, int n, double ms, struct diag *diag)
{
	struct python_plan *plan = plan_make();
	int ret = 0;

	for (int i = 0; i < n && !ret; i++) {
		double start = now_ms(), mid;
		struct python *p;

		ret = python_attach(&p, t, info, plan, &options, diag);
		if (ret)
			break;
		mid = now_ms();
		usleep((useconds_t)(ms * 1000));
		if (n == 1)
			page_print(p);
		double leave = now_ms();
		ret = python_detach(p, diag);
		printf("attach %.2f ms detach %.2f ms: %d\n", mid - start, now_ms() - leave, ret);
		fflush(stdout);
		if (ret)
			page_print(p);
		python_close(p);
	}
	python_plan_free(plan);
	return ret;
}

static int hold(struct target *t, const struct python_info *info, struct diag *diag)
{
	struct python_plan *plan = plan_make();
	struct python *p;
	int ret = python_attach(&p, t, info, plan, &options, diag);

	python_plan_free(plan);
	if (ret)
		return ret;
	printf("attached\n");
	fflush(stdout);
	for (;;) {
		fd_set set;
		struct timeval tv = {0, 100000};
		char c;

		FD_ZERO(&set);
		FD_SET(0, &set);
		if (select(1, &set, NULL, NULL, &tv) > 0 && read(0, &c, 1) <= 0)
			break;
	}
	page_print(p);
	ret = python_detach(p, diag);
	python_close(p);
	return ret;
}

/* As enum thread_doing. */
static int doing(struct target *t, const struct python_info *info, struct diag *diag)
{
	static const char *const names[] = {"python", "gil", "wait", "released", "elsewhere"};
	struct python p = {.t = t, .info = *info};
	int ret = python_symbols_find(t, info, &p.sym, diag);
	pid_t *tids = NULL;
	size_t n = 0;

	if (!ret)
		ret = target_maps_read(t, &p.maps);
	if (!ret)
		ret = target_threads(t, &tids, &n);
	for (size_t i = 0; i < n && !ret; i++) {
		struct target_stop s;

		ret = target_stop(t, tids[i], 1000, &s);
		if (ret)
			break;
		printf("%s\n", names[python_doing(&p, &s)]);
		target_stop_end(&s);
	}
	target_maps_free(&p.maps);
	free(tids);
	return ret;
}

static int run(char **argv, struct diag *diag)
{
	struct python_plan *plan = plan_make();
	struct python_child *c;
	struct python_info info;
	struct python *p = NULL;
	struct target *t;
	int ret = python_start(&c, argv, &t, diag), status;

	if (ret)
		return ret;
	ret = python_follow(c, &info, diag);
	if (ret == -ENOENT)
		printf("not Python\n");
	else if (!ret) {
		printf("held in %s\n", info.version_text);
		ret = python_child_attach(c, &p, plan, &options, diag);
	}
	fflush(stdout);
	if (ret == 0 || ret == -ENOENT)
		ret = python_release(c);
	if (!ret)
		poll(&(struct pollfd){target_pidfd(t), POLLIN}, 1, -1);
	if (p) {
		page_print(p);
		python_detach(p, diag);
		python_close(p);
	}
	ret = python_child_wait(c, ret != 0, &status);
	target_close(t);
	python_plan_free(plan);
	printf("status %#x\n", status);
	return ret;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: attach_tool [-f NAME] find PID | doing PID | cycle PID N [MS] | hold PID | run CMD...\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct diag diag = {0};
	struct python_info info;
	struct target *t = NULL;
	int ret;

	if (argc > 1 && !strcmp(argv[1], "-files")) {
		options.no_memfd = true;
		argv++;
		argc--;
	}
	if (argc > 2 && !strcmp(argv[1], "-f")) {
		function_name = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (argc < 3)
		return usage();
	if (!strcmp(argv[1], "run"))
		return run(argv + 2, &diag) ? 1 : 0;
	ret = target_open(&t, atoi(argv[2]), &diag);
	if (!ret)
		ret = python_find(t, &info, &diag);
	if (ret)
		goto out;
	if (!strcmp(argv[1], "find"))
		printf("%s %#x %s %#llx\n", info.version_text, info.version, info.image,
		       (unsigned long long)info.image_base);
	else if (!strcmp(argv[1], "doing"))
		ret = doing(t, &info, &diag);
	else if (!strcmp(argv[1], "cycle") && argc > 3)
		ret = cycle(t, &info, atoi(argv[3]), argc > 4 ? atof(argv[4]) : 0, &diag);
	else if (!strcmp(argv[1], "hold"))
		ret = hold(t, &info, &diag);
	else
		ret = usage();
out:
	target_close(t);
	return ret < 0 ? 1 : ret;
}
