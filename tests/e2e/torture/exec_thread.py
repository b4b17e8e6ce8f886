# SPDX-License-Identifier: Apache-2.0
"""A thread that is not the main one replaces the whole process, when told to, by this program again; its argument counts."""
import os
import sys
import threading

from torture import check, hear, inside, say, wrong

N = 30


def toil():
    while True:
        check("sum", sum(range(100)), 4950)


def counted(n):
    inside()
    if n == N:
        os.execv(sys.executable, [sys.executable, "-B", __file__, str(len(wrong))])


def calls():
    for n in range(N + 1):
        counted(n)


wrong += ["before exec"] * int(sys.argv[1]) if len(sys.argv) > 1 else []
for _ in range(2):
    threading.Thread(target=toil, daemon=True).start()
say(function="counted", calls=N + 1)
while hear() == "exec":
    threading.Thread(target=calls).start()
    threading.Event().wait()
say(wrong=wrong)
