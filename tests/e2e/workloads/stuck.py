# SPDX-License-Identifier: Apache-2.0
"""Told "calls" it calls each of its functions once; told "hold" it stays in C, with the GIL held, until it is told anything."""
import ctypes
import os

import workload

FUNCTIONS = 3000
code = "".join("def counted_%d():\n    return %d\n" % (n, n) for n in range(FUNCTIONS))
functions = {}
exec(code, functions)
libc = ctypes.PyDLL(None)
buffer = ctypes.create_string_buffer(1)


def line():
    said = b""
    while not said.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return None
        said += byte
    return said.decode().strip()


workload.say(function="counted_*")
while True:
    told = line()
    if told is None:
        break
    if told == "hold":
        workload.say(holds=True)
        while libc.read(0, buffer, 1) == 1 and buffer.raw != b"\n":
            pass
        workload.say(holds=False)
    else:
        for n in range(FUNCTIONS):
            functions["counted_%d" % n]()
        workload.say(calls=FUNCTIONS)
