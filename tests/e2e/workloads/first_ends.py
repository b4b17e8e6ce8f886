# SPDX-License-Identifier: Apache-2.0
"""The first thread ends, and others work on."""
import ctypes
import os
import threading

from workload import hear, inside, ready, say

main = threading.main_thread()


def target():
    inside()


def work():
    status = "/proc/self/task/%d/status" % main.native_id
    while "zombie" not in open(status).read():
        pass
    for _ in range(50):
        target()
    say(calls=51, flat={"getppid": 51})
    hear()
    os._exit(0)


ready()
target()
threading.Thread(target=work).start()
ctypes.CDLL(None).syscall(60, 0)  # exit(2): of this thread alone
