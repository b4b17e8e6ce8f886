// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's helper functions, as the vm offers them. What each does and returns is that of bpf-helpers(7); a wrong
 * pointer ends the run, for the verifier would not have let the program in.
 */
#ifndef PYDTRACE_EXEC_VM_HELPERS_IMPL_H
#define PYDTRACE_EXEC_VM_HELPERS_IMPL_H

#include <errno.h>

#include "exec/vm_impl.h"

typedef u64 vm_helper(struct vm_run *r, const u64 *a);

#define HELPER_FAIL(err) ((u64)(s64)(-(err)))

/* vm_helpers_map.c */
vm_helper helper_map_lookup_elem, helper_map_update_elem, helper_map_delete_elem, helper_map_push_elem,
    helper_map_pop_elem, helper_map_peek_elem, helper_task_storage_get, helper_task_storage_delete,
    helper_ringbuf_reserve, helper_ringbuf_submit, helper_ringbuf_discard, helper_ringbuf_output,
    helper_ringbuf_query;

/* vm_helpers_memory.c */
vm_helper helper_probe_read_user, helper_probe_read_user_str, helper_probe_read_kernel;

#endif
