// SPDX-License-Identifier: Apache-2.0
/* One clear line for each reason not to enter a process, with what to do about it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "python/python_impl.h"

enum { RETRY_TRACED_MS = 300 }; /* another pydtrace holds a thread for microseconds only */

int python_refuse_state(struct target *t, struct diag *diag)
{
	struct target_status st;
	int ret = target_status(t, &st);
	pid_t pid = target_pid(t);

	for (int i = 0; !ret && st.tracer && !strcmp(st.tracer_comm, "pydtrace") && i < RETRY_TRACED_MS; i++) {
		usleep(1000);
		ret = target_status(t, &st);
	}
	if (ret || st.state == 'Z' || st.state == 'X')
		return diag_fail(diag, ESRCH, "process %d (%s) has ended", pid, target_comm(t));
	if (st.tracer && (ret = target_refuse_traced(t, diag)))
		return ret;
	if (st.state == 'T')
		return diag_fail(diag, EAGAIN, "process %d (%s) is stopped; continue it first (kill -CONT %d)", pid,
				 target_comm(t), pid);
	if (st.shadow_stack)
		return diag_fail(diag, ENOTSUP, "process %d (%s) runs with a shadow stack, which is not supported",
				 pid, target_comm(t));
	return 0;
}

int python_refuse_lost(struct python *p, struct diag *diag)
{
	if (!p->told_lost)
		diag_report(
		    diag, DIAG_ERROR, NOWHERE,
		    "process %d (%s) has cut short the memory that it shares with pydtrace: its agent cannot be "
		    "taken out",
		    target_pid(p->t), target_comm(p->t));
	p->told_lost = true;
	return -EIO;
}

int python_page_check(struct python *p, struct diag *diag)
{
	return python_page_lost(p) ? python_refuse_lost(p, diag) : 0;
}

int python_refuse_stop(struct python *p, int err, struct diag *diag)
{
	pid_t pid = target_pid(p->t);
	const char *comm = target_comm(p->t);

	if (python_page_lost(p))
		return python_refuse_lost(p, diag);
	switch (-err) {
	case ESRCH: return diag_fail(diag, ESRCH, "process %d (%s) has ended", pid, comm);
	case EBUSY:
	case EAGAIN: {
		int ret = python_refuse_state(p->t, diag);

		ret = ret ? ret : target_refuse_traced(p->t, diag);
		return ret ? ret
			   : diag_fail(diag, EBUSY, "process %d (%s) was stopped or traced by another; try again",
				       pid, comm);
	}
	case EPERM:
	case EACCES:
	case ENOSYS: return target_refuse(pid, comm, -err, diag);
	case E2BIG:
	case EFBIG:
	case ENAMETOOLONG: return python_refuse_maps(p->t, -err, diag);
	case EKEYREJECTED:
		return diag_fail(
		    diag, EPERM,
		    "process %d (%s): its seccomp filter would not let it live through %s, which the agent needs",
		    pid, comm, p->fatal_call);
	case ETIMEDOUT:
		return diag_fail(diag, EBUSY,
				 "process %d (%s) sleeps uninterruptibly (a slow device or a vfork); try again",
				 pid, comm);
	default: return diag_fail(diag, -err, "process %d (%s): cannot enter it: %s", pid, comm, strerror(-err));
	}
}

int python_refuse_busy(struct python *p, struct diag *diag)
{
	if (python_page_lost(p))
		return python_refuse_lost(p, diag);
	if (p->ctl && p->ctl->stage == STUB_FINALIZING)
		return diag_fail(diag, ESRCH, "process %d (%s): its Python is being finalized", target_pid(p->t),
				 target_comm(p->t));
	if (p->ctl && p->ctl->not_ready)
		return diag_fail(diag, EAGAIN, "process %d (%s): its Python is not initialized; try again",
				 target_pid(p->t), target_comm(p->t));
	return diag_fail(diag, ETIMEDOUT,
			 "process %d (%s): its Python did not come to a safe point in time (a long call "
			 "that holds the GIL?); try again",
			 target_pid(p->t), target_comm(p->t));
}
