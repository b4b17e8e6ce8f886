# SPDX-License-Identifier: Apache-2.0
"""What all programs of the stress count by, and how those talk that are asked through a pipe."""
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CALLS = 20  # of target() for one question by pipe
fds = {}


def count():
    """Record one call of target() in this process: its number, at the end of a file that all processes share.

    One write(2); with O_APPEND no record is lost between processes."""
    pid = os.getpid()
    if pid not in fds:
        fds[pid] = os.open(os.path.join(HERE, "count"), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    os.write(fds[pid], struct.pack("I", pid))


def square(text):
    """The number at the end of a path, squared: what every web application answers."""
    return str(int(text.rsplit("/", 1)[-1]) ** 2)


def say(what):
    print(json.dumps(what), flush=True)


def serve(answer, pids):
    """Say who may be traced, then answer each line, a number, until the input ends."""
    say({"pids": pids})
    for line in sys.stdin:
        say(answer(int(line)))
