// SPDX-License-Identifier: Apache-2.0
/* A memory map of any length: what is kept of it, and where reading stops. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "target/target_impl.h"

enum { PAGE = 4096 };

/* A file that looks like /proc/PID/maps: n lines, each with this name and some number in it. */
static int file_of(u32 n, const char *name)
{
	int fd = memfd_create("maps_test", MFD_CLOEXEC);
	FILE *f = fdopen(dup(fd), "w");

	for (u32 i = 0; i < n; i++)
		fprintf(f, "%x-%x rw-p 00000000 08:01 %u   %s%u\n", i * PAGE, (i + 1) * PAGE, i + 1, name, i);
	fclose(f);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

struct seen {
	u32 n, stop_at;
	char last[64];
};

static int see(void *arg, const struct target_map *m)
{
	struct seen *s = arg;

	assert_int_equal(m->start, s->n * PAGE);
	assert_int_equal(m->ino, s->n + 1);
	snprintf(s->last, sizeof(s->last), "%s", m->path);
	return ++s->n == s->stop_at ? 7 : 0;
}

static int walk(int fd, struct seen *s)
{
	struct maps_reader *r = calloc(1, sizeof(*r));
	int ret;

	r->fn = see;
	r->arg = s;
	ret = maps_walk(fd, r, false);
	assert_null(r->names);
	close(fd);
	free(r);
	return ret;
}

static void every_line_is_seen_once(void **state)
{
	struct seen s = {0};

	assert_int_equal(walk(file_of(10000, "/a/rather/long/name"), &s), 0);
	assert_int_equal(s.n, 10000);
	assert_string_equal(s.last, "/a/rather/long/name9999");
	s = (struct seen){.stop_at = 5000};
	assert_int_equal(walk(file_of(10000, "x"), &s), 7);
	assert_int_equal(s.n, 5000);
	assert_int_equal(walk(file_of(0, ""), &(struct seen){0}), -ESRCH);
}

static void there_is_a_limit(void **state)
{
	struct seen s = {0};
	char *name = malloc(5000);

	assert_int_equal(walk(file_of(TARGET_MAPS_MAX, ""), &s), 0);
	s = (struct seen){0};
	assert_int_equal(walk(file_of(TARGET_MAPS_MAX + 1, ""), &s), -E2BIG);
	assert_int_equal(s.n, TARGET_MAPS_MAX);
	memset(name, 'n', 4096);
	name[4096] = 0;
	s = (struct seen){0};
	assert_int_equal(walk(file_of(TARGET_MAPS_TEXT / 4096, name), &s), -EFBIG);
	assert_in_range(s.n, TARGET_MAPS_TEXT / 4096 * 9 / 10, TARGET_MAPS_TEXT / 4096);
	free(name);
}

/* A file that is no map, or has a line that the kernel cannot have written. */
static void nonsense_is_refused(void **state)
{
	char *line = malloc(1 << 20);
	int fd = memfd_create("maps_test", MFD_CLOEXEC);

	memset(line, 'x', 1 << 20);
	memcpy(line, "1000-2000 rw-p 00000000 08:01 1 ", 32);
	assert_int_equal(write(fd, line, 1 << 20), 1 << 20);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(walk(fd, &(struct seen){0}), -EINVAL);
	fd = file_of(3, "");
	assert_int_equal(pwrite(fd, "zzzz", 4, 0), 4);
	assert_int_equal(walk(fd, &(struct seen){0}), -EINVAL);
	free(line);
}

/* A child with n mappings of one file and as many of none, in turn. */
static pid_t child_start(u32 n, const char *name, struct target **t)
{
	static struct diag diag;
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		int fd = memfd_create(name, 0);
		char *v = mmap(NULL, (size_t)n * 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		alarm(60);
		for (u32 i = 0; i < n; i++)
			if (mmap(v + (size_t)i * 2 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) ==
			    MAP_FAILED)
				_exit(1);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	assert_int_equal(target_open(t, pid, &diag), 0);
	return pid;
}

static void equal_names_are_kept_once(void **state)
{
	enum { N = 2000 };
	char name[200];
	const char *kept = NULL;
	struct target_maps maps;
	struct target *t;
	pid_t pid;
	u32 files = 0;

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	pid = child_start(N, name, &t);
	assert_int_equal(target_maps_read(t, &maps), 0);
	for (size_t i = 0; i < maps.n; i++) {
		if (!strstr(maps.v[i].path, name))
			continue;
		assert_true(!kept || kept == maps.v[i].path);
		kept = maps.v[i].path;
		files++;
	}
	assert_int_equal(files, N);
	target_maps_free(&maps);
	assert_null(maps.v);
	target_close(t);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int list(void *arg, const struct target_map *m)
{
	struct strbuf *b = arg;

	if (strcmp(m->path, "[vsyscall]")) /* it is no mapping: only the text has it */
		strbuf_printf(b, "%lx-%lx %lx %s %lx %lu %s\n", m->start, m->end, m->off, m->prot,
			      (unsigned long)m->dev, (unsigned long)m->ino, m->path);
	return 0;
}

/* Asked one by one, where the kernel lets us, a process has the same mappings as in the text. */
static void both_ways_see_the_same(void **state)
{
	struct strbuf by[2] = {{0}};
	struct target *t;
	pid_t pid = child_start(50, "a name", &t);

	for (int text_only = 0; text_only < 2; text_only++) {
		struct maps_reader *r = calloc(1, sizeof(*r));
		int fd = target_proc_open(t, "maps", O_RDONLY);

		r->fn = list;
		r->arg = &by[text_only];
		assert_int_equal(maps_walk(fd, r, text_only), 0);
		maps_names_free(r->names);
		close(fd);
		free(r);
	}
	assert_string_equal(by[0].s, by[1].s);
	strbuf_free(&by[0]);
	strbuf_free(&by[1]);
	target_close(t);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_line_is_seen_once), cmocka_unit_test(there_is_a_limit),
	    cmocka_unit_test(nonsense_is_refused),     cmocka_unit_test(equal_names_are_kept_once),
	    cmocka_unit_test(both_ways_see_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
