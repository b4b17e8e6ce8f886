// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "exec/exec_impl.h"

static int vm_open(struct exec **out, struct diag *diag)
{
	*out = NULL;
	return diag_fail(diag, EOPNOTSUPP, "not yet");
}

static int vm_probe(struct diag *diag)
{
	return 0;
}

const struct exec_ops exec_vm = {.name = "vm", .probe = vm_probe, .open = vm_open};
