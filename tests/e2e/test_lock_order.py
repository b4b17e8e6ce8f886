# SPDX-License-Identifier: Apache-2.0
"""An attach must not make a thread wait for the GIL that holds what somebody wants who has the GIL (docs/attach.md)."""
import os
import pathlib
import subprocess

import pytest

import harness
from outside import same_as, seen_from_outside

TOOL = harness.TOP / "build/tests/attach/attach_tool"
WAYS = ("poll", "select", "epoll", "nanosleep", "read", "condition", "semaphore", "futex")
# PYDTRACE_CYCLES=2000 for the long run.
CYCLES = int(os.environ.get("PYDTRACE_CYCLES", "6"))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("lock_order") / "lock_order.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", path, harness.WORKLOADS / "lock_order.c", "-lpthread"],
                   check=True)
    return path


def within(interpreter, library):
    """The library as the interpreter's root has it."""
    if interpreter.root == "/":
        return str(library)
    inside = f"{interpreter.root}/tmp/pydtrace-{os.getpid()}-{library.name}"
    if not os.path.exists(inside):
        harness.copy_until_exit(library, inside)
    return inside[len(interpreter.root):]


def call_of(pid):
    """The number of the system call that the main thread sleeps in."""
    word = pathlib.Path(f"/proc/{pid}/syscall").read_text(encoding="utf-8").split()[0]
    return int(word) if word.isdigit() else None


def attach(pid, cycles):
    said = subprocess.run([TOOL, "-f", "target", "cycle", str(pid), str(cycles), "1"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=harness.PATIENCE + cycles, check=False)
    assert said.returncode == 0, said.stdout
    assert said.stdout.count("attach ") == cycles, said.stdout


@pytest.mark.parametrize("who", ["main", "thread", "native"])
def test_library_lock(interpreter, start, library, who):
    """The library's mutex is held over each kind of wait, by each kind of thread."""
    for way, name in enumerate(WAYS):
        target = start(interpreter.argv("lock_order.py", within(interpreter, library), who, str(way)))
        attach(target.pid, CYCLES)
        rounds = target.work()
        assert rounds["waits"] > 0 and rounds["wants"] > 0, (name, rounds)


def test_sqlite(interpreter, start, library):
    if not has_sqlite(interpreter):
        pytest.skip(f"{interpreter} has no sqlite3")
    target = start(interpreter.argv("lock_order.py", within(interpreter, library), "sqlite", "0"))
    attach(target.pid, 4 * CYCLES)
    rounds = target.work()
    assert rounds["waits"] > 0 and rounds["wants"] > 0, rounds


@pytest.mark.parametrize("who", ["alone", "parked"])
def test_parked(interpreter, start, library, who):
    """The only thread of Python's waits in a library for ever, as in the event loop of uvloop or of a GUI. One that is the
    only thread of the process does the work itself; else one of ours does, which holds no lock, and nothing is left of it
    but what glibc does at the first thread: it catches a signal of its own."""
    for way, number in {"poll": 7, "epoll": 232, "read": 0}.items():
        target = start(interpreter.argv("lock_order.py", within(interpreter, library), who, str(WAYS.index(way))))
        harness.wait_for(lambda: call_of(target.pid) == number, "the target to wait")
        before = seen_from_outside(target.pid)
        attach(target.pid, 3)
        same_as(before, target.pid)


def test_native_thread_is_not_kept(interpreter, start, library):
    """A thread that Python knows nothing of goes on while another holds the GIL for a second, at attach and detach."""
    target = start(interpreter.argv("lock_order.py", within(interpreter, library), "hog", "0"))
    attach(target.pid, 2)
    rounds = target.work()
    assert rounds["waits"] > 0 and rounds["worst_ms"] < 400, rounds


def has_sqlite(interpreter):
    chroot = [] if interpreter.root == "/" else ["chroot", interpreter.root]
    return subprocess.run([*chroot, interpreter.path, "-c", "import sqlite3"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0
