// SPDX-License-Identifier: Apache-2.0
/* Who runs the programs, and what is said of it, whatever this machine permits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "world.h"

/* --- the choice ------------------------------------------------------------------------------------- */

static struct bpf_lack lack; /* what this machine is said to lack */
static int lack_err;
static u32 asked; /* enum bpf_need */

static int told_lack(u32 need, struct bpf_lack *out)
{
	asked = need;
	*out = lack;
	return lack_err;
}

static const struct bpf_lack no_cap = {"no CAP_BPF", "CAP_BPF and CAP_PERFMON"};
static const struct bpf_lack denied = {"the kernel denies bpf(2) here (seccomp or lockdown)", ""};

static struct world *undecided(const char *text, const struct bpf_lack *l, int err)
{
	struct world *w = world_new(text);

	lack = *l;
	lack_err = err;
	asked = UINT32_MAX;
	w->s.exec_ops = NULL;
	w->s.exec_lack = told_lack;
	return w;
}

static void the_kernel_where_it_may(void **state)
{
	struct world *w = undecided("BEGIN", &(struct bpf_lack){0}, 0);

	assert_int_equal(world_expand(w), 0);
	assert_int_equal(session_exec_choose(&w->s), 0);
	assert_ptr_equal(w->s.exec_ops, &exec_kernel);
	assert_null(w->s.exec_why);
	assert_int_equal(asked, 0);
	world_free(w);
}

static void the_vm_where_it_may_not(void **state)
{
	struct world *w = undecided("BEGIN, profile-97", &no_cap, -EPERM);

	assert_int_equal(world_expand(w), 0);
	assert_int_equal(session_exec_choose(&w->s), 0);
	assert_ptr_equal(w->s.exec_ops, &exec_vm);
	assert_string_equal(w->s.exec_why, "no CAP_BPF");
	assert_string_equal(w->s.exec_caps, "CAP_BPF and CAP_PERFMON");
	assert_int_equal(asked, BPF_NEED_CLOCKS);
	assert_string_equal(w->said, "");
	world_free(w);
}

static void by_name(void **state)
{
	struct world *w = undecided("BEGIN", &no_cap, -EPERM);

	w->cfg.opt.text[SESSION_EXEC] = "vm";
	assert_int_equal(session_exec_force(&w->s), 0);
	assert_int_equal(world_expand(w), 0);
	assert_int_equal(session_exec_choose(&w->s), 0);
	assert_ptr_equal(w->s.exec_ops, &exec_vm);
	assert_string_equal(w->s.exec_why, "-x exec=vm");
	assert_null(w->s.exec_caps);
	assert_int_equal(asked, UINT32_MAX);
	world_free(w);
}

/* What does not trace compiles for the kernel, without a look at it. */
static void no_tracing(void **state)
{
	for (int dump = 0; dump < 2; dump++) {
		struct world *w = undecided("BEGIN", &no_cap, -EPERM);

		w->cfg.mode = dump ? SESSION_TRACE : SESSION_COMPILE;
		w->cfg.opt.text[SESSION_DUMP] = dump ? "ir" : NULL;
		assert_int_equal(world_expand(w), 0);
		assert_int_equal(session_exec_choose(&w->s), 0);
		assert_ptr_equal(w->s.exec_ops, &exec_kernel);
		assert_int_equal(asked, UINT32_MAX);
		world_free(w);
	}
}

/* --- what is said ----------------------------------------------------------------------------------- */

/* A script compiled where `l` is lacking. Its BEGIN and END stand for the entry and the return of a Python function, if it has them. */
static struct world *compiled(const char *text, const struct bpf_lack *l)
{
	struct world *w = undecided(text, l, -EPERM);
	struct session *s = &w->s;

	if (world_expand(w) || session_exec_choose(s) || session_plan_resolve(s) || session_enable(s) ||
	    cg_generate(&s->in, &s->cg, &w->diag))
		fail_msg("%s", w->said);
	return w;
}

static void pretend_python(struct world *w, const char *func)
{
	for (size_t i = 0; i < w->s.used.n; i++) {
		struct provider_group *g = w->s.used.v[i];

		if (g->provider != &provider_dtrace)
			continue;
		g->provider = &provider_python;
		g->probes.v[0]->name = !strcmp(g->name, "END") ? "function-return" : "function-entry";
	}
	for (size_t i = 0; i < w->s.prog.clauses.n; i++) {
		struct d_desc *d = &w->s.prog.clauses.v[i]->descs[0];

		if (!strcmp(d->name, "BEGIN") || !strcmp(d->name, "END"))
			d->func = func;
	}
}

static void nothing_to_see(void **state)
{
	static const struct {
		const struct bpf_lack *lack;
		const char *message;
	} cases[] = {
	    {&no_cap,
	     "pydtrace: system calls of the whole system need CAP_BPF and CAP_PERFMON: run as root (sudo), or "
	     "name a process with -p or -c\n"},
	    {&denied,
	     "pydtrace: system calls of the whole system need eBPF (the kernel denies bpf(2) here (seccomp or "
	     "lockdown)): name a process with -p or -c\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = compiled("syscall:::entry { @ = count(); }", cases[i].lack);

		assert_int_equal(session_scope_check(&w->s), -EPERM);
		assert_string_equal(w->said, cases[i].message);
		world_free(w);
	}
}

static void something_to_see(void **state)
{
	struct world *w = compiled("BEGIN { @ = count(); } tick-1s { @ = count(); }", &no_cap);

	assert_int_equal(session_scope_check(&w->s), 0);
	session_scope_note(&w->s);
	assert_string_equal(w->said, "");
	world_free(w);

	w = compiled("BEGIN { @ = count(); } syscall:::entry { @ = count(); }", &no_cap);
	pretend_python(w, "");
	assert_int_equal(session_scope_check(&w->s), 0);
	assert_string_equal(w->said, "");
	world_free(w);
}

#define TAIL  ". With root or setcap cap_bpf,cap_perfmon,cap_sys_ptrace=ep: by eBPF\n"
#define EXACT " (exact; about 10 us each there)"
#define BEGUN "BEGIN /copyinstr(arg1) == \"get_link_actions\"/ "
#define ENDED " END /copyinstr(arg1) == \"get_link_actions\" && self->t/ "
#define VAGUE "no CAP_BPF: system calls by ptrace, only in threads whose self->t is set" EXACT TAIL
#define CALLS " syscall:::entry /self->t/ { @[probefunc] = count(); } "

static void where_calls_are_seen(void **state)
{
	static const struct {
		const char *text, *func;
		const struct bpf_lack *lack;
		const char *message;
	} cases[] = {
	    {BEGUN "{ self->t = 1; }" ENDED "{ self->t = 0; }" CALLS, "", &no_cap,
	     "no CAP_BPF: system calls by ptrace, only inside get_link_actions" EXACT TAIL},
	    {BEGUN "{ self->t++; }" ENDED "{ trace(1); self->t = 0; }" CALLS, "", &denied,
	     "the kernel denies bpf(2) here (seccomp or lockdown): system calls by ptrace, only inside "
	     "get_link_actions" EXACT "\n"},
	    {"BEGIN /probefunc == \"C.m\"/ { self->t = timestamp; } END { self->t = 0; }" CALLS, "C.m", &no_cap,
	     "no CAP_BPF: system calls by ptrace, only inside C.m" EXACT TAIL},
	    {"BEGIN { self->t = 1; } END { self->t = 0; }" CALLS, "C.m", &no_cap,
	     "no CAP_BPF: system calls by ptrace, only inside C.m" EXACT TAIL},
	    {BEGUN "{ self->t = 1; self->u = 1; }" ENDED "{ self->t = 0; self->u = 0; }" CALLS
		   "syscall:::return /self->u/ { @r = count(); }",
	     "", &no_cap, "no CAP_BPF: system calls by ptrace, only inside get_link_actions" EXACT TAIL},
	    /* Which function it is cannot be told, or there are several, or it is none. */
	    {"BEGIN { self->t = 1; } END { self->t = 0; }" CALLS, "C.*", &no_cap, VAGUE},
	    {"BEGIN { self->t = 1; } END { self->t = 0; }" CALLS, "", &no_cap, VAGUE},
	    {BEGUN "{ self->t = 1; } BEGIN /copyinstr(arg1) == \"other\"/ { self->t = 1; }" ENDED
		   "{ self->t = 0; }" CALLS,
	     "", &no_cap, VAGUE},
	    {BEGUN "{ self->t = 1; } END { self->t = 1; }" ENDED "{ self->t = 0; }" CALLS, "", &no_cap, VAGUE},
	    /* Nothing makes it 0 again, or not the same function, or not for sure, or not both. */
	    {BEGUN "{ self->t = 1; }" CALLS, "", &no_cap, VAGUE},
	    {BEGUN "{ self->t = 1; }" ENDED "{ self->u = 0; }" CALLS, "", &no_cap, VAGUE},
	    {BEGUN "{ self->t++; }" ENDED "{ self->t--; }" CALLS, "", &no_cap, VAGUE},
	    {BEGUN "{ self->t = 1; } END /copyinstr(arg1) == \"other\"/ { self->t = 0; }" CALLS, "", &no_cap,
	     VAGUE},
	    {BEGUN "{ self->t = 1; } tick-1s { self->t = 0; }" CALLS, "", &no_cap, VAGUE},
	    {BEGUN "{ self->t = 1; self->u = 1; }" ENDED "{ self->t = 0; }" CALLS
		   "syscall:::return /self->u/ { @r = count(); }",
	     "", &no_cap,
	     "no CAP_BPF: system calls by ptrace, only in threads whose self->t or self->u is set" EXACT TAIL},
	    {BEGUN "{ self->t = 1; } syscall:::return /self->u/ { self->u = 1; }" CALLS, "", &no_cap,
	     "no CAP_BPF: system calls by ptrace, only in threads whose self->t or self->u is set" EXACT TAIL},
	    {BEGUN "{ self->t = 1; } syscall:::return { @[probefunc] = count(); }" CALLS, "", &no_cap,
	     "no CAP_BPF: system calls by ptrace, of the traced processes alone, which stop twice at each (as with "
	     "strace)" TAIL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = compiled(cases[i].text, cases[i].lack);

		pretend_python(w, cases[i].func);
		session_scope_note(&w->s);
		assert_string_equal(w->said + strlen("pydtrace: "), cases[i].message);
		*w->said = '\0';
		w->cfg.opt.n[SESSION_QUIET] = 1;
		session_scope_note(&w->s);
		assert_string_equal(w->said, "");
		world_free(w);
	}
}

static void one_process(void **state)
{
	struct world *w = compiled("syscall:::entry { @ = count(); }", &no_cap);
	struct target *t;
	char want[256];

	assert_int_equal(target_open(&t, getpid(), &w->diag), 0);
	*vec_push(w->s.arena, &w->s.grabbed) = t;
	assert_int_equal(session_scope_check(&w->s), 0);
	session_scope_note(&w->s);
	snprintf(want, sizeof(want),
		 "pydtrace: no CAP_BPF: system calls by ptrace, of process %d alone, which stops twice at each (as "
		 "with strace)%s",
		 getpid(), TAIL);
	assert_string_equal(w->said, want);
	target_close(t);
	world_free(w);
}

static void who_runs_each(void **state)
{
	struct world *w =
	    compiled("syscall:::entry /self->t/ { @ = count(); } profile-97 { self->t = 1; }", &no_cap);

	session_explain(&w->s);
	assert_string_equal(
	    w->said, "pydtrace: clause 0 at syscall:::entry: vm: no CAP_BPF; a set of its probes; 1 conjunct left; "
		     "self->t in thread slot\n"
		     "pydtrace: clause 1 at profile-97: vm: no CAP_BPF; self->t in thread slot\n"
		     "pydtrace: without eBPF system calls of processes that are not being traced are not seen\n");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_kernel_where_it_may),
	    cmocka_unit_test(the_vm_where_it_may_not),
	    cmocka_unit_test(by_name),
	    cmocka_unit_test(no_tracing),
	    cmocka_unit_test(nothing_to_see),
	    cmocka_unit_test(something_to_see),
	    cmocka_unit_test(where_calls_are_seen),
	    cmocka_unit_test(one_process),
	    cmocka_unit_test(who_runs_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
