// SPDX-License-Identifier: Apache-2.0
/* Where the output goes, and what is said when it cannot. */
#include <errno.h>
#include <string.h>

#include "session/session_impl.h"

int session_output_open(struct session *s)
{
	if (!s->cfg->output)
		return 0;

	FILE *f = fopen(s->cfg->output, "ae");

	if (!f)
		return diag_fail(s->diag, errno, "failed to open output file '%s': %s", s->cfg->output,
				 strerror(errno));
	s->out = f;
	return 0;
}

int session_flush(struct session *s, int err)
{
	if (!err && (fflush(s->out) || ferror(s->out)))
		err = errno ? -errno : -EIO;
	/* A reader that has gone away (head) wants no more, and no message either. */
	if (!err || err == -EPIPE)
		return err;
	if (__atomic_load_n(&s->interrupts, __ATOMIC_SEQ_CST) > 1)
		return -EPIPE; /* a second signal has cut it off */
	if (!ferror(s->out))
		return diag_fail(s->diag, -err, "cannot take the records: %s", strerror(-err));
	return diag_fail(s->diag, -err, "failed to write to %s: %s",
			 s->cfg->output ? s->cfg->output : "standard output", strerror(-err));
}

int session_output_close(struct session *s, int err)
{
	if (s->out != stdout && fclose(s->out) && !err)
		err = diag_fail(s->diag, errno, "failed to write to %s: %s", s->cfg->output, strerror(errno));
	return err;
}
