// SPDX-License-Identifier: Apache-2.0
/*
 * The floor under every bench of system calls: an empty program on the raw tracepoint sys_enter, for as long as
 * standard input is open. Nothing that looks at all system calls from the kernel can cost less.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	const struct bpf_insn insns[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	char byte;
	int prog, link;

	prog = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "floor", "GPL", insns, sizeof(insns) / sizeof(insns[0]),
			     NULL);
	if (prog < 0) {
		fprintf(stderr, "floor: the program cannot be loaded: %s\n", strerror(errno));
		return 1;
	}
	link = bpf_raw_tracepoint_open("sys_enter", prog);
	if (link < 0) {
		fprintf(stderr, "floor: sys_enter cannot be attached to: %s\n", strerror(errno));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	close(link);
	close(prog);
	return 0;
}
