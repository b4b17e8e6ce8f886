// SPDX-License-Identifier: Apache-2.0
/* Messages of the front end. They quote the script, and a script can hold anything: a message stays one short line. */
#include "d/d_impl.h"

#define MAX_MESSAGE 300 /* bytes */

void d_report(struct diag *diag, struct srcpos pos, const char *fmt, va_list ap)
{
	struct strbuf b = {0};

	strbuf_vprintf(&b, fmt, ap);
	for (size_t i = 0; i < b.len; i++)
		if ((unsigned char)b.s[i] < ' ' || b.s[i] == 0x7f)
			b.s[i] = '?';
	if (b.len > MAX_MESSAGE)
		diag_report(diag, DIAG_ERROR, pos, "%.*s...", MAX_MESSAGE, b.s);
	else
		diag_report(diag, DIAG_ERROR, pos, "%s", b.s ? b.s : "out of memory");
	strbuf_free(&b);
}
