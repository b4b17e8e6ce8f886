// SPDX-License-Identifier: Apache-2.0
/* Maps are made here; what is in them is the business of others. */
#include <errno.h>
#include <unistd.h>

#include "bpf/bpf_impl.h"
#include "bpf/libbpf_impl.h"

/* Storage maps must describe key and value in BTF: the key is int, the value any type of its size (a char array). */
static int storage_btf(struct bpf_map_create_opts *opts, u32 value_size)
{
	struct btf *btf = btf__new_empty();
	int fd = -ENOMEM, integer, character, array;

	if (!btf)
		return -ENOMEM;
	integer = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	character = btf__add_int(btf, "char", 1, BTF_INT_CHAR);
	array = btf__add_array(btf, integer, character, (int)value_size);
	if (integer < 0 || character < 0 || array < 0)
		goto out;
	if (btf__load_into_kernel(btf)) {
		fd = -errno;
		goto out;
	}
	/* The descriptor dies with the struct; the map keeps the type information by itself once it is made. */
	fd = dup(btf__fd(btf));
	if (fd < 0)
		fd = -errno;
	opts->btf_fd = (u32)fd;
	opts->btf_key_type_id = (u32)integer;
	opts->btf_value_type_id = (u32)array;
out:
	btf__free(btf);
	return fd;
}

static int create(const struct asm_map *m)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = m->flags);
	int btf = -1, fd;

	if (m->type == BPF_MAP_TYPE_TASK_STORAGE) {
		btf = storage_btf(&opts, m->value_size);
		if (btf < 0)
			return btf;
	}
	fd = bpf_map_create(m->type, m->name, m->key_size, m->value_size, m->max_entries, &opts);
	if (fd < 0)
		fd = -errno;
	if (btf >= 0)
		close(btf);
	return fd;
}

int bpf_map_make(const struct asm_map *m, struct diag *diag)
{
	char what[64];
	u32 zero = 0;
	int fd = create(m);

	/* Before Linux 5.11 maps count against RLIMIT_MEMLOCK, and too low a limit reads as EPERM. */
	if (fd == -EPERM && bpf_raise_memlock())
		fd = create(m);
	snprintf(what, sizeof(what), "cannot make the BPF map '%s'", m->name);
	if (fd < 0)
		return bpf_fail(diag, -fd, what);
	if (m->init && bpf_map_update_elem(fd, &zero, m->init, BPF_ANY)) {
		int err = errno;

		close(fd);
		return bpf_fail(diag, err, what);
	}
	return fd;
}
