#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write an assembler file that holds FILE's bytes between the symbols NAME and NAME_end.

usage: embed.py FILE NAME OUT.S
"""
import sys

path, name, out = sys.argv[1:]
with open(out, "w", encoding="ascii") as f:
    f.write(
        f'\t.section .rodata\n\t.balign 16\n'
        f'\t.global {name}\n\t.type {name}, @object\n{name}:\n\t.incbin "{path}"\n'
        f'\t.global {name}_end\n{name}_end:\n\t.byte 0\n\t.size {name}, . - {name}\n'
        f'\t.section .note.GNU-stack,"",@progbits\n'
    )
