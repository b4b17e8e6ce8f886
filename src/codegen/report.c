// SPDX-License-Identifier: Apache-2.0
/* What makes the generation fail. One message is enough: what follows is often its consequence. */
#include <errno.h>

#include "cg_impl.h"

static void report(struct cg *cg, int err, struct srcpos pos, const char *fmt, va_list ap)
{
	char text[512];

	if (cg->err)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	cg->err = err;
	diag_report(cg->diag, DIAG_ERROR, pos, "%s", text);
}

void cg_error(struct cg *cg, struct srcpos pos, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(cg, -EINVAL, pos, fmt, ap);
	va_end(ap);
}

void cg_fail(struct cg *cg, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(cg, err, NOWHERE, fmt, ap);
	va_end(ap);
}
