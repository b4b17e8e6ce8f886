// SPDX-License-Identifier: Apache-2.0
/* The names of D: built-in variables, functions, actions, operators. */
#include <string.h>

#include "d/d_impl.h"

static const struct {
	const char *name, *type;
} builtins[] = {
#define X(id, dname, dtype) [D_BUILTIN_##id] = {dname, dtype},
    D_BUILTINS(X)
#undef X
};

const struct d_subr_info d_subrs[] = {
    [D_SUBR_COPYINSTR] = {"copyinstr", "p|i", &d_type_string}, [D_SUBR_COPYIN] = {"copyin", "pi", &d_type_bytes},
    [D_SUBR_STRLEN] = {"strlen", "s", &d_type_size},           [D_SUBR_STRJOIN] = {"strjoin", "ss", &d_type_string},
    [D_SUBR_BASENAME] = {"basename", "s", &d_type_string},     [D_SUBR_DIRNAME] = {"dirname", "s", &d_type_string},
    [D_SUBR_SUBSTR] = {"substr", "si|i", &d_type_string},      [D_SUBR_STRSTR] = {"strstr", "ss", &d_type_string},
    [D_SUBR_INDEX] = {"index", "ss|i", &d_type_int},
};

/* The prototypes of the actions: an action of d.h that has none here does not compile. */
#define PROTO_TRACE       "v"
#define PROTO_PRINTF      "f*"
#define PROTO_PRINTA      "*"
#define PROTO_EXIT        "i"
#define PROTO_CLEAR       "a"
#define PROTO_TRUNC       "a|i"
#define PROTO_NORMALIZE   "ai"
#define PROTO_DENORMALIZE "a"
#define PROTO_STOP        ""
#define PROTO_RAISE       "i"
#define PROTO_SYSTEM      "f*"
#define PROTO_COPYOUT     "ppi"
#define PROTO_COPYOUTSTR  "spi"
#define PROTO_PANIC       ""
#define PROTO_CHILL       "i"

const struct d_action_info d_actions[] = {
#define X(id, dname, harm) [D_ACTION_##id] = {dname, PROTO_##id, harm},
    D_ACTIONS(X)
#undef X
};

const struct d_aggfunc_info d_aggfuncs[] = {
    [D_AGGFUNC_COUNT] = {"count", 0, 0},
    [D_AGGFUNC_SUM] = {"sum", 1, 1},
    [D_AGGFUNC_MIN] = {"min", 1, 1},
    [D_AGGFUNC_MAX] = {"max", 1, 1},
    [D_AGGFUNC_AVG] = {"avg", 1, 1},
    [D_AGGFUNC_STDDEV] = {"stddev", 1, 1},
    [D_AGGFUNC_QUANTIZE] = {"quantize", 1, 1},
    [D_AGGFUNC_LQUANTIZE] = {"lquantize", 3, 4},
    [D_AGGFUNC_LLQUANTIZE] = {"llquantize", 5, 5},
};

/* What DTrace has and we do not (yet): named as such, so that nobody looks for a spelling mistake. */
static const char *const absent[] = {
    "alloca",
    "bcopy",
    "breakpoint",
    "caller",
    "cleanpath",
    "commit",
    "copyinto",
    "curcpu",
    "curlwpsinfo",
    "curpsinfo",
    "curthread",
    "cwd",
    "discard",
    "freopen",
    "ftruncate",
    "func",
    "getmajor",
    "getminor",
    "htonl",
    "htonll",
    "htons",
    "inet_ntoa",
    "inet_ntoa6",
    "inet_ntop",
    "ipl",
    "jstack",
    "link_ntop",
    "lltostr",
    "mod",
    "msgdsize",
    "msgsize",
    "mutex_owned",
    "mutex_owner",
    "mutex_type_adaptive",
    "mutex_type_spin",
    "ntohl",
    "ntohll",
    "ntohs",
    "pcap",
    "print",
    "probeprio",
    "progenyof",
    "rand",
    "rindex",
    "root",
    "rw_iswriter",
    "rw_read_held",
    "rw_write_held",
    "setopt",
    "speculate",
    "speculation",
    "stack",
    "stackdepth",
    "strchr",
    "strrchr",
    "strtok",
    "sym",
    "tolower",
    "toupper",
    "tracemem",
    "uaddr",
    "ucaller",
    "ufunc",
    "umod",
    "uregs",
    "ustack",
    "ustackdepth",
    "usym",
    "uthreadname",
    "zonename",
};

bool d_is_known_absent(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
		if (!strcmp(absent[i], name))
			return true;
	return false;
}

static const char *const op_text[D_NOPS] = {
    [D_CONST] = "const",   [D_BUILTIN] = "builtin",
    [D_ARGS] = "args",     [D_VAR] = "var",
    [D_AGGREF] = "agg",    [D_CALL] = "call",
    [D_NEG] = "-",         [D_NOT] = "!",
    [D_BITNOT] = "~",      [D_PLUS] = "+",
    [D_DEREF] = "*",       [D_CAST] = "cast",
    [D_SIZEOF] = "sizeof", [D_ADD] = "+",
    [D_SUB] = "-",         [D_MUL] = "*",
    [D_DIV] = "/",         [D_MOD] = "%",
    [D_SHL] = "<<",        [D_SHR] = ">>",
    [D_AND] = "&",         [D_OR] = "|",
    [D_XOR] = "^",         [D_LT] = "<",
    [D_LE] = "<=",         [D_GT] = ">",
    [D_GE] = ">=",         [D_EQ] = "==",
    [D_NE] = "!=",         [D_LAND] = "&&",
    [D_LOR] = "||",        [D_LXOR] = "^^",
    [D_COND] = "?:",       [D_COMMA] = ",",
    [D_ASSIGN] = "=",      [D_PREINC] = "++",
    [D_PREDEC] = "--",     [D_POSTINC] = "++",
    [D_POSTDEC] = "--",    [D_MEMBER] = "->",
};

const char *d_op_text(enum d_op op)
{
	return op_text[op];
}

static const char *const scope_prefix[] = {[D_GLOBAL] = "", [D_THREAD] = "self->", [D_CLAUSE] = "this->"};

const char *d_scope_prefix(enum d_scope scope)
{
	return scope_prefix[scope];
}

#define NAME_OF(part, table, N)                                                                                    \
	_Static_assert(ARRAY_SIZE(table) == (N), "a row for each " #part);                                         \
	int d_##part##_find(const char *name)                                                                      \
	{                                                                                                          \
		for (size_t i = 0; i < (N); i++)                                                                   \
			if (!strcmp(table[i].name, name))                                                          \
				return (int)i;                                                                     \
		return -1;                                                                                         \
	}                                                                                                          \
	const char *d_##part##_name(enum d_##part i)                                                               \
	{                                                                                                          \
		return table[i].name;                                                                              \
	}

NAME_OF(builtin, builtins, D_NBUILTINS)
NAME_OF(subr, d_subrs, D_NSUBRS)
NAME_OF(action, d_actions, D_NACTIONS)
NAME_OF(aggfunc, d_aggfuncs, D_NAGGFUNCS)

const struct d_type *d_builtin_type(enum d_builtin b)
{
	return d_type_by_name(builtins[b].type);
}
