// SPDX-License-Identifier: Apache-2.0
/* What instructions on constants compute, known when they are made. */
#include "ir_impl.h"

bool ir_fold_alu(int op, s64 a, s64 b, s64 *out)
{
	u64 x = (u64)a, y = (u64)b;

	switch (op) {
	case BPF_ADD: *out = (s64)(x + y); return true;
	case BPF_SUB: *out = (s64)(x - y); return true;
	case BPF_MUL: *out = (s64)(x * y); return true;
	case BPF_AND: *out = a & b; return true;
	case BPF_OR: *out = a | b; return true;
	case BPF_XOR: *out = a ^ b; return true;
	case BPF_LSH: *out = (s64)(x << (y & 63)); return true;
	case BPF_RSH: *out = (s64)(x >> (y & 63)); return true;
	default: return false;
	}
}

bool ir_is_neutral(int op, s64 b)
{
	return b == 0 ? op == BPF_ADD || op == BPF_SUB || op == BPF_OR || op == BPF_XOR || op == BPF_LSH ||
			    op == BPF_RSH || op == BPF_ARSH
		      : b == 1 && (op == BPF_MUL || op == BPF_DIV);
}

bool ir_fold_branch(int op, s64 a, s64 b)
{
	u64 x = (u64)a, y = (u64)b;

	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JNE: return a != b;
	case BPF_JGT: return x > y;
	case BPF_JGE: return x >= y;
	case BPF_JLT: return x < y;
	case BPF_JLE: return x <= y;
	case BPF_JSGT: return a > b;
	case BPF_JSGE: return a >= b;
	case BPF_JSLT: return a < b;
	case BPF_JSLE: return a <= b;
	default: return a & b; /* BPF_JSET */
	}
}
