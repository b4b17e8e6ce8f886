#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the table of this architecture's system calls as C: SYSCALL(number, name, arguments), by number.

usage: syscalls.py OUT.h COUNTS CC [ARG ...]

Names and numbers are those of <asm/unistd.h> as the compiler CC sees it; numbers of newer calls and the counts of
arguments come from COUNTS (src/provider/syscalls.txt). Six arguments are assumed for a call that COUNTS lacks.
"""
import re
import subprocess
import sys

out, counts, *cc = sys.argv[1:]
nargs, numbers = {}, {}
with open(counts, encoding="ascii") as f:
    for line in f:
        if line.startswith("#"):
            continue
        name, n, *number = line.split()
        nargs[name] = int(n)
        if number:
            numbers[name] = int(number[0])

macros = subprocess.run([*cc, "-E", "-dM", "-x", "c", "-"], input="#include <asm/unistd.h>\n", text=True,
                        capture_output=True, check=True).stdout
for name, value in re.findall(r"^#define __NR_(\w+) (\d+)$", macros, re.M):
    numbers[name] = int(value)
# Not calls but bounds, and a second name for one number.
for name in ("syscalls", "arch_specific_syscall"):
    numbers.pop(name, None)
if len(numbers) < 250:
    sys.exit(f"syscalls.py: only {len(numbers)} system calls in <asm/unistd.h>")

with open(out, "w", encoding="ascii") as f:
    f.write("/* Made by tools/syscalls.py. */\n")
    for name, number in sorted(numbers.items(), key=lambda item: item[1]):
        f.write(f"SYSCALL({number}, {name}, {nargs.get(name, 6)})\n")
