# SPDX-License-Identifier: Apache-2.0
"""Ends inside of the function, in the way that the argument says."""
import os
import signal
import sys
import threading

from workload import inside, ready


def raises():
    raise ValueError("on purpose")


def from_thread(end):
    thread = threading.Thread(target=end)
    thread.start()
    thread.join()


def closes_stderr():
    os.dup2(os.open("/dev/null", os.O_WRONLY), 2)


WAYS = {
    "sys.exit": lambda: sys.exit(3),
    "os._exit": lambda: os._exit(4),
    "exception": raises,
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "abort": os.abort,
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "thread": lambda: from_thread(lambda: os._exit(5)),
    "thread killed": lambda: from_thread(lambda: os.kill(os.getpid(), signal.SIGKILL)),
    "thread left": lambda: threading.Thread(target=lambda: os.read(0, 1)).start(),
}


def target():
    inside()
    inside()
    inside()
    WAYS[sys.argv[1]]()


closes_stderr()
ready()
target()
