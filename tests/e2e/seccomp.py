# SPDX-License-Identifier: Apache-2.0
"""A filter of system calls, as containers have one: `preexec_fn=deny(["bpf", "ptrace"])`."""
import ctypes
import errno
import pathlib
import re
import struct

# seccomp(2), <linux/filter.h>, <linux/seccomp.h>, <linux/audit.h>
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
ALLOW, ERRNO, KILL = 0x7fff0000, 0x00050000, 0x80000000
NR, ARCH = 0, 4  # in struct seccomp_data
X86_64 = 0xc000003e
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
HEADER = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


def numbers():
    """Number by name of each system call."""
    return {name: int(nr) for name, nr in re.findall(r"^#define __NR_(\w+) (\d+)$", HEADER.read_text(), re.M)}


def deny(names, error=errno.EPERM, answer=None):
    """A preexec_fn: the system calls `names` fail with `error` from then on, in whatever is started, too; or they get another
    answer, such as KILL."""
    answer = ERRNO | error if answer is None else answer
    known = numbers()
    code = [(LOAD_WORD, 0, 0, ARCH), (JUMP_EQUAL, 1, 0, X86_64), (RETURN, 0, 0, ALLOW), (LOAD_WORD, 0, 0, NR)]
    for name in names:
        code += [(JUMP_EQUAL, 0, 1, known[name]), (RETURN, 0, 0, answer)]
    code.append((RETURN, 0, 0, ALLOW))
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *insn) for insn in code))
    # struct sock_fprog: a length, and at the next pointer's place where the instructions are.
    program = ctypes.create_string_buffer(struct.pack("HP", len(code), ctypes.addressof(filters)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install(_kept=(filters, program)):
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, MODE_FILTER, program, 0, 0):
            raise OSError(ctypes.get_errno(), "cannot install the filter")

    return install
