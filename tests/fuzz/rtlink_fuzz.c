// SPDX-License-Identifier: Apache-2.0
/* Fuzz the linker of run-time functions with a damaged object. */
#include <stdlib.h>

#include "bpf/bpf.h"
#include "fuzz.h"
#include "rt/rt.h"

enum { HEAD = 64 };

const struct fuzz_hints fuzz_hints = {.max = 256};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const char *const names[] = {"rt_str_copy", "rt_copyinstr", "rt_slot_free", "rt_agg_square",
					    "rt_execname"};
	size_t n = (size_t)(rt_bpf_o_end - rt_bpf_o), cut;
	struct bpf_insn insns[ARRAY_SIZE(names) + 1] = {0};
	struct asm_reloc relocs[ARRAY_SIZE(names)] = {0};
	struct asm_prog p = {"fuzz", ASM_RAW_TRACEPOINT, insns, ARRAY_SIZE(insns), relocs, ARRAY_SIZE(relocs)};
	struct fuzz_in in = {data, size};
	struct bpf_code code;
	struct diag quiet = {fuzz_hush};
	bool whole = !size;
	u8 *image;

	cut = fuzz_take(&in, 1) == 1 ? fuzz_take(&in, 2) : n;
	n = cut < n ? cut : n;
	image = malloc(n ? n : 1);
	memcpy(image, rt_bpf_o, n);
	while (in.n && n >= 1024 + HEAD) {
		/* What decides most is at the ends: the header, the section headers. */
		u8 where = (u8)fuzz_take(&in, 1);
		size_t from = where & 3 ? 0 : (n * (where >> 2)) >> 6, len = n - from;

		if ((where & 3) == 1)
			len = len < HEAD ? len : HEAD;
		else if ((where & 3) == 2)
			from = n - 1024, len = 1024;
		fuzz_damage(&in, image + from, len);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		relocs[i] = (struct asm_reloc){.kind = ASM_RELOC_RT, .insn = (u32)i, .symbol = names[i]};
	for (size_t i = 0; i < ARRAY_SIZE(insns); i++)
		insns[i] = (struct bpf_insn){.code = BPF_JMP | (i < ARRAY_SIZE(names) ? BPF_CALL : BPF_EXIT)};
	if (!bpf_code_link(&code, &p, image, n, &quiet))
		bpf_code_free(&code);
	else if (whole)
		abort();
	free(image);
	return 0;
}
