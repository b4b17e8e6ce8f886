# SPDX-License-Identifier: Apache-2.0
"""A read inside of the function that signals break off, again and again. Needs catch.c, compiled, as its first argument; the
second says whether the handler lets the kernel make the call again ("restart") or the interpreter does ("again")."""
import ctypes
import os
import signal
import sys
import threading

from workload import hear, inside, say

ROUNDS, SIGNALS = 10, 5
SA_RESTART = 0x10000000
READ = 0  # its number on x86-64
r, w = os.pipe()
main = threading.main_thread()
library = ctypes.CDLL(sys.argv[1])
ncaught = ctypes.c_int.in_dll(library, "ncaught")
assert library.catch_signal(int(signal.SIGUSR1), SA_RESTART if sys.argv[2] == "restart" else 0) == 0


def is_reading():
    with open("/proc/self/task/%d/syscall" % main.native_id) as f:
        return f.read().startswith("%d 0x%x " % (READ, r))


def disturb():
    for _ in range(SIGNALS):
        while not is_reading():
            pass
        before = ncaught.value
        signal.pthread_kill(main.ident, signal.SIGUSR1)
        while ncaught.value == before:
            pass
    while not is_reading():
        pass
    os.write(w, b"text")


def target():
    inside()
    return os.read(r, 100)


say(function="target", fd=r)
hear()
for _ in range(ROUNDS):
    thread = threading.Thread(target=disturb)
    thread.start()
    assert target() == b"text"
    thread.join()
say(calls=ROUNDS, breaks=ROUNDS * SIGNALS)
hear()
