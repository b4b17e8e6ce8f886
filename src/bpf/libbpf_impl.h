// SPDX-License-Identifier: Apache-2.0
/*
 * libbpf's <bpf/bpf.h> has the same path as our public header; include_next passes by the folder that this file was
 * found in (src/) and so finds libbpf's.
 */
#ifndef PYDTRACE_BPF_LIBBPF_IMPL_H
#define PYDTRACE_BPF_LIBBPF_IMPL_H

#include_next <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#endif
