# SPDX-License-Identifier: Apache-2.0
"""Blocks inside of the function, in a read that has begun there, until told to go on; says what it read."""
import os

from workload import inside, say


def target():
    inside()
    text = os.read(0, 100)  # from standard input: whoever traces may come and go meanwhile
    inside()
    return text.decode()


say(function="target")
while True:
    line = os.read(0, 1)
    if not line:
        break
    say(begins=True)
    say(read=target())
