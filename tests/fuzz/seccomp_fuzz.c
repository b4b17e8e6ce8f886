// SPDX-License-Identifier: Apache-2.0
/* Fuzz what runs filters of system calls: it ends, and looks at nothing that is not its own, whatever the filter. */
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "fuzz.h"
#include "target/target_impl.h"

const struct fuzz_hints fuzz_hints = {.max = 2048};

static const u16 codes[] = {
    BPF_LD | BPF_W | BPF_ABS,
    BPF_LD | BPF_IMM,
    BPF_LD | BPF_MEM,
    BPF_LDX | BPF_IMM,
    BPF_LDX | BPF_MEM,
    BPF_ST,
    BPF_STX,
    BPF_ALU | BPF_DIV | BPF_X,
    BPF_ALU | BPF_LSH | BPF_X,
    BPF_ALU | BPF_NEG,
    BPF_JMP | BPF_JA,
    BPF_JMP | BPF_JEQ | BPF_K,
    BPF_JMP | BPF_JGT | BPF_X,
    BPF_JMP | BPF_JSET | BPF_K,
    BPF_RET | BPF_A,
    BPF_MISC | BPF_TAX,
    BPF_MISC | BPF_TXA,
    BPF_LD | BPF_W | BPF_LEN,
    BPF_ALU | BPF_ADD | BPF_X,
    BPF_RET | BPF_K,
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct seccomp_data d = {.nr = 39, .args = {1, 2, 3, ~0ull, 5, 6}};
	struct fuzz_in in = {data, size};
	struct sock_filter filter[256];
	size_t n = 0;
	u32 answer;

	while (in.n && n < ARRAY_SIZE(filter)) {
		u8 how = (u8)fuzz_take(&in, 1);

		filter[n++] = (struct sock_filter){
		    .code = how & 0x80 ? (u16)fuzz_take(&in, 2) : codes[how % ARRAY_SIZE(codes)],
		    .jt = (u8)fuzz_take(&in, 1) & 15,
		    .jf = (u8)fuzz_take(&in, 1) & 15,
		    .k = (u32)fuzz_take(&in, how & 0x40 ? 4 : 1),
		};
	}
	seccomp_run(filter, n, &d, &answer);
	return 0;
}
