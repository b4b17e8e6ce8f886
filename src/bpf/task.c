// SPDX-License-Identifier: Apache-2.0
/* Where members stand in the running kernel's struct task_struct. */
#include <errno.h>
#include <string.h>

#include "bpf/bpf_impl.h"
#include "bpf/libbpf_impl.h"

/* The byte offset of `name` in struct `id`, also inside of unnamed members. *type is its type. -ENOENT. */
static int member(const struct btf *btf, u32 id, const char *name, u32 *type)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const struct btf_member *m = btf_members(t);

	if (!btf_is_composite(t))
		return -ENOENT;
	for (u32 i = 0; i < btf_vlen(t); i++, m++) {
		const char *n = btf__name_by_offset(btf, m->name_off);
		int off = (int)(btf_member_bit_offset(t, i) / 8), in;

		*type = m->type;
		if (n && !strcmp(n, name))
			return off;
		if (n && *n)
			continue;
		in = member(btf, m->type, name, type);
		if (in >= 0)
			return off + in;
	}
	return -ENOENT;
}

static u32 found(int off)
{
	return off > 0 ? (u32)off : 0;
}

int bpf_task_layout(struct bpf_task_layout *out)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int task, entity, sum;
	u32 type;

	*out = (struct bpf_task_layout){0};
	if (!btf)
		return -errno;
	task = btf__find_by_name_kind(btf, "task_struct", BTF_KIND_STRUCT);
	if (task > 0) {
		out->real_parent = found(member(btf, (u32)task, "real_parent", &type));
		out->tgid = found(member(btf, (u32)task, "tgid", &type));
		entity = member(btf, (u32)task, "se", &type);
		sum = entity > 0 ? member(btf, type, "sum_exec_runtime", &type) : -ENOENT;
		out->sum_exec_runtime = sum < 0 ? 0 : (u32)(entity + sum);
	}
	btf__free(btf);
	return task > 0 ? 0 : -ENOENT;
}
