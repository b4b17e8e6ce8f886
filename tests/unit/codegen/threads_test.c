// SPDX-License-Identifier: Apache-2.0
/* Many threads at once, and threads that come and go: in the kernel, where programs really interrupt each other. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

#define NTHREADS 4
#define NFIRES   5000
#define NSHORT   300

static void start(struct run *r, const char *text)
{
	struct diag quiet = {0};

	if (exec_kernel.probe(&quiet))
		skip();
	run_open(r, NULL, &exec_kernel);
	run_text(r, text);
	if (run_compile(r, "threads") || exec_load(r->exec, &r->out.image, &r->diag))
		fail_msg("%s", r->messages.s);
	((struct cg_state *)exec_map_memory(r->exec, r->out.map_state))->activity = CG_ACTIVE;
}

static void *fire_many(void *arg)
{
	struct run *r = arg;

	for (u64 i = 0; i < NFIRES; i++)
		exec_fire(r->exec, ONE, &i, 1);
	return NULL;
}

static int add_count(void *arg, const void *key, const void *values, u32 nvalues, u32 stride)
{
	for (u32 c = 0; c < nvalues; c++)
		*(u64 *)arg += *(const u64 *)((const char *)values + (size_t)c * stride);
	return 0;
}

static void test_exact(void **state)
{
	struct run r = {0};
	pthread_t t[NTHREADS];
	const u64 *global;
	u64 n = 0, elem = 0;

	start(&r,
	      "/*! opt dynvarsize 65536 */ int g, a[int]; one:::hit { g++; a[1] += 2; self->n++; @ = count(); }");
	for (int i = 0; i < NTHREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, fire_many, &r), 0);
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(t[i], NULL);
	global = (const u64 *)((const char *)exec_map_memory(r.exec, r.out.map_state) + r.out.globals_off);
	assert_int_equal(*global, NTHREADS * NFIRES);
	exec_map_each(r.exec, r.out.aggs[0].map, add_count, &n);
	assert_int_equal(n, NTHREADS * NFIRES);
	for (u32 m = 0; m < r.out.image.nmaps; m++) {
		if (!strcmp(r.out.image.maps[m].name, "a"))
			exec_map_each(r.exec, m, add_count, &elem);
	}
	assert_int_equal(elem, 2 * NTHREADS * NFIRES);
	run_close(&r);
}

static void *fire_once(void *arg)
{
	u64 v = 7;

	exec_fire(((struct run *)arg)->exec, ONE, &v, 1);
	return NULL;
}

/* A slot goes back when its thread ends, and comes to the next one as if new. */
static void test_slots_return(void **state)
{
	struct run r = {0};
	const struct cg_state *s;
	const u64 *seen;

	start(&r, "/*! opt dynvarsize 64 */ int seen; one:::hit / self->t / { seen++; } "
		  "one:::hit { self->t = arg0; self->a[1] = 5; self->s = \"text\"; }");
	assert_true(r.out.prog_thread_exit >= 0);
	assert_int_equal(
	    exec_attach_raw_tracepoint(r.exec, (u32)r.out.prog_thread_exit, "sched_process_exit", &r.diag), 0);
	for (int i = 0; i < NSHORT; i++) {
		pthread_t t;

		assert_int_equal(pthread_create(&t, NULL, fire_once, &r), 0);
		pthread_join(t, NULL);
	}
	s = exec_map_memory(r.exec, r.out.map_state);
	seen = (const u64 *)((const char *)s + r.out.globals_off);
	assert_int_equal(*seen, 0);
	assert_int_equal(s->drops[CG_DROP_SLOT], 0);
	assert_int_equal(s->next_serial, NSHORT);
	assert_true(s->next_slot < 10); /* the thread is joined a little before it has ended for the kernel */
	run_close(&r);
}

/* More threads at a time than there are slots: what finds no room is counted. */
static void test_no_slot(void **state)
{
	struct run r = {0};
	const struct cg_state *s;

	start(&r, "/*! opt dynvarsize 64 */ one:::hit { self->t = arg0; }");
	for (int i = 0; i < 80; i++) { /* without the program that gives slots back */
		pthread_t t;

		assert_int_equal(pthread_create(&t, NULL, fire_once, &r), 0);
		pthread_join(t, NULL);
	}
	s = exec_map_memory(r.exec, r.out.map_state);
	assert_int_equal(s->drops[CG_DROP_SLOT], 80 - (r.out.nslots - 1));
	run_close(&r);
}

static volatile sig_atomic_t signals;

static void on_signal(int n)
{
	signals++;
}

static void test_raise(void **state)
{
	struct run r = {0};
	u64 v = 0;

	signal(SIGUSR1, on_signal);
	start(&r, "one:::hit { raise(10); }");
	assert_int_equal(exec_fire(r.exec, ONE, &v, 1), 0);
	assert_int_equal(exec_fire(r.exec, ONE, &v, 1), 0);
	assert_int_equal(signals, 2);
	run_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exact),
	    cmocka_unit_test(test_slots_return),
	    cmocka_unit_test(test_no_slot),
	    cmocka_unit_test(test_raise),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
