// SPDX-License-Identifier: Apache-2.0
/* Leave out what computes a value that nobody reads. */
#include <string.h>

#include "ir_impl.h"

static bool is_pure(const struct ir_insn *i)
{
	return i->op == IR_MOV || i->op == IR_ALU || i->op == IR_EXT || i->op == IR_LOAD;
}

static void count_uses(u32 *uses, const struct ir_insn *i, int by)
{
	if (i->a.kind == IR_REG)
		uses[i->a.n] += (u32)by;
	if (i->b.kind == IR_REG)
		uses[i->b.n] += (u32)by;
	for (u32 n = 0; n < i->narg; n++) {
		if (i->arg[n].kind == IR_REG)
			uses[i->arg[n].n] += (u32)by;
	}
}

void ir_drop_unused(struct ir *ir)
{
	u32 *uses = arena_new_array(ir->arena, u32, ir->nregs + 1);
	size_t kept = ir->insns.n;

	for (size_t i = 0; i < ir->insns.n; i++)
		count_uses(uses, &ir->insns.v[i], 1);
	/* From the end: a use stands after what it uses. */
	for (size_t i = ir->insns.n; i-- > 0;) {
		struct ir_insn *in = &ir->insns.v[i];

		if (is_pure(in) && !uses[in->dst])
			count_uses(uses, in, -1);
		else
			ir->insns.v[--kept] = *in;
		/* Not even taken: some helpers give nothing, and the verifier does not let r0 be read after them. */
		if ((in->op == IR_ATOMIC || in->op == IR_HELPER || in->op == IR_RT) && in->dst != IR_NO_REG &&
		    !uses[in->dst])
			ir->insns.v[kept].dst = IR_NO_REG;
	}
	ir->insns.n -= kept;
	memmove(ir->insns.v, ir->insns.v + kept, ir->insns.n * sizeof(*ir->insns.v));
}
