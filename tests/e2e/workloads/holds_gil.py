# SPDX-License-Identifier: Apache-2.0
"""Reads commands of one letter: h: read the next letter in C, with the interpreter's lock held, so that no Python runs until it
comes; w: call the function; a newline: end."""
import ctypes
import os

from workload import say


def target(n):
    return n + 1


libc = ctypes.PyDLL(None)  # a call through it does not let go of the lock
letter = ctypes.create_string_buffer(1)
say(function="target")
while True:
    command = os.read(0, 1)
    if command == b"\n":
        break
    if command == b"h":
        say(holds=True)
        libc.read(0, letter, 1)
    assert target(1) == 2
    say(done=True)
