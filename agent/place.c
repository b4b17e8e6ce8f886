// SPDX-License-Identifier: Apache-2.0
/*
 * The rest of the loading where no dlopen() does it: the stub has mapped the agent's code and calls this, from an image with no data and no
 * relocations made. So it uses neither, nor a function that does.
 */
#include <elf.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "agent_impl.h"

EXPORT wire_place pydtrace_agent_place;

int pydtrace_agent_place(uint64_t base, const struct wire_image *m, int fd)
{
	const Elf64_Rela *rela = (const Elf64_Rela *)(base + m->rela);
	long ret = agent_syscall(SYS_mmap, base + m->data_at, m->size - m->data_at, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_FIXED, fd, m->data_at);

	if (ret < 0 && ret > -4096)
		return ret;
	for (uint32_t i = 0; i < m->nrela; i++)
		*(uint64_t *)(base + rela[i].r_offset) = base + rela[i].r_addend;
	return 0;
}
