// SPDX-License-Identifier: Apache-2.0
/* Events that the agent hands over: the tracer's side of struct wire_mail. */
#include "python/python_impl.h"

void python_mail_open(struct python *p, bool open)
{
}

bool python_mail_take(struct python *p, struct python_mail *out)
{
	return false;
}

void python_mail_answer(struct python *p)
{
}

void python_mail_asleep(struct python *p, bool asleep)
{
}

u32 *python_mail_bell(struct python *p, u32 *seen)
{
	*seen = p->page->mail.asked;
	return &p->page->mail.asked;
}

u64 python_mail_own_ip(const struct python *p)
{
	return p->page->mail.own_ip;
}
