# SPDX-License-Identifier: Apache-2.0
"""Tracers enter a process one after the other; whoever may not trace it cannot keep them from it (src/python/lock.c)."""
import fcntl
import os
import pathlib
import re
import subprocess
import time

import pytest

import harness
from conftest import only

executor = only("vm")  # an attach is an attach
PYTHON = "/usr/bin/python3"
NOBODY = 761237
SCRIPT = ["-q", "-n", 'BEGIN { printf("on\\n"); } python$1:::function-entry /copyinstr(arg1) == "target"/ { n++; } END { printf("calls: %d\\n", n); }']
LOCK_WAIT = 5  # seconds, src/python/lock.c

# Works when it is told to; "hold" makes it hold the GIL in C for so many seconds, in which nobody can get in.
TARGET = """
import ctypes, json, sys
def target(n):
    return n + 1
print(json.dumps({"function": "target"}), flush=True)
for line in sys.stdin:
    if line.startswith("hold"):
        print(json.dumps({"holds": True}), flush=True)
        ctypes.PyDLL(None).sleep(int(line.split()[1]))
    print(json.dumps({"calls": target(0)}), flush=True)
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root: cannot make other users' processes and namespaces")


@pytest.fixture
def target(start):
    return lambda prefix=(), **popen: start([*prefix, PYTHON, "-I", "-c", TARGET], cwd="/", **popen)


def ends(tracer, pid):
    """The tracer was on, counts, and leaves nothing."""
    tracer.wait_said("on\n")
    tracer.stop()
    notes = [line for line in tracer.err.splitlines() if ": waiting for its Python to come to a safe point " not in line]
    assert (tracer.status, notes) == (0, [])
    assert "pydtrace-" not in pathlib.Path(f"/proc/{pid}/maps").read_text()


# What somebody who may not trace process PID can get hold of, which is said, and held until the end of the input.
HOLDER = """
import fcntl, os, socket, sys
pid = int(sys.argv[1])
name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name.bind("\\0pydtrace-attach-%d" % pid)
held = [os.pidfd_open(pid)] if hasattr(os, "pidfd_open") else []
for folder in ("", "task/%d" % pid, "ns", "net", "attr"):
    place = os.path.join("/proc/%d" % pid, folder)
    try:
        names = [""] + os.listdir(place)
    except OSError:
        continue
    for entry in names:
        try:
            held.append(os.open(os.path.join(place, entry), os.O_RDONLY | os.O_NONBLOCK))
        except OSError:
            pass
held.append(os.open(sys.argv[2], os.O_RDONLY))
count = 0
for fd in held:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        count += 1
    except OSError:
        pass
    try:
        fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        pass
print(count, any(os.readlink("/proc/self/fd/%d" % fd).endswith("/mem") for fd in held), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("theirs", [0, NOBODY], ids=["root's target", "a user's target"])
def test_who_may_not_trace_it(target, pydtrace, theirs):
    as_user = lambda uid: ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    it = target(as_user(theirs) if theirs else [])
    holder = subprocess.Popen([*as_user(NOBODY + 1), PYTHON, "-I", "-c", HOLDER, str(it.pid), os.path.realpath(PYTHON)], cwd="/",
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        count, memory = holder.stdout.readline().split()
        assert int(count) > 10 and memory == "False"
        begin = time.monotonic()
        tracer = pydtrace(*SCRIPT, it.pid)
        ends(tracer, it.pid)
        assert time.monotonic() - begin < LOCK_WAIT
    finally:
        holder.communicate()
    it.kill()


def test_who_may_trace_it(target, pydtrace):
    """At an attach it is refused; at a detach it is said, the status is 1, and the next attach takes out what is left."""
    it = target()
    lock = os.open(f"/proc/{it.pid}/mem", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    says = f"pydtrace: process {it.pid} (python3): process {os.getpid()} ({pathlib.Path('/proc/self/comm').read_text().strip()}) " \
           f"holds its lock (flock of /proc/{it.pid}/mem); "
    tracer = pydtrace(*SCRIPT, it.pid).wait()
    assert (tracer.status, tracer.err) == (1, says + "try again\n")
    fcntl.flock(lock, fcntl.LOCK_UN)
    tracer = pydtrace(*SCRIPT, it.pid).wait_said("on\n")
    assert it.work() == {"calls": 1}
    fcntl.flock(lock, fcntl.LOCK_EX)
    tracer.stop()
    assert (tracer.status, tracer.err) == (1, says + "the agent stays in it, inert, until the next attach takes it out\n")
    assert tracer.number("calls") == 1
    assert it.work() == {"calls": 1}
    assert "pydtrace-" in pathlib.Path(f"/proc/{it.pid}/maps").read_text()
    fcntl.flock(lock, fcntl.LOCK_UN)
    ends(pydtrace(*SCRIPT, it.pid), it.pid)
    os.close(lock)
    it.kill()


def enters(pid):
    """A tracer is in the middle of an attach: it has a lock on the memory of `pid`."""
    ino = os.stat(f"/proc/{pid}/mem").st_ino
    return re.search(rf" FLOCK .*:{ino} ", pathlib.Path("/proc/locks").read_text())


def test_from_anywhere(target, pydtrace):
    """While one tracer waits for its turn in the interpreter, those of other namespaces wait for theirs."""
    it = target(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
    inner = int(pathlib.Path(f"/proc/{it.pid}/task/{it.pid}/children").read_text())
    with open(f"/proc/{inner}/mem", "rb"):  # so that its inode stays what it is
        assert it.work("hold 9") == {"holds": True}
        first = pydtrace(*SCRIPT, inner)
        harness.wait_for(lambda: enters(inner), "the first tracer to be in it")
    own_proc = [*harness.own_mounts("/"), "sh", "-c", 'mount -t proc proc /proc && exec "$@"', "sh"]
    places = {
        "here": ([], inner),
        "another network": (["unshare", "-n"], inner),
        "another /proc": (own_proc, inner),
        "its own": (["nsenter", "-t", str(inner), "-m", "-p"], 1),
        "its pids, another /proc": (["nsenter", "-t", str(inner), "-p", *own_proc], 1),
    }
    others = {name: subprocess.Popen([*prefix, harness.PYDTRACE, "-x", "exec=vm", *SCRIPT, str(pid)], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
              for name, (prefix, pid) in places.items()}
    for name, process in others.items():
        out, err = process.communicate(timeout=harness.PATIENCE)
        assert (process.returncode, out) == (1, ""), (name, err)
        assert re.fullmatch(r"pydtrace: process \d+ \(python3\): (process \d+ \(pydtrace\)|another tracer) holds its lock "
                            r"\(flock of /proc/\d+/mem\); try again\n", err), (name, err)
    assert it.hear() == {"calls": 1}
    ends(first, inner)
    it.kill()


def test_killed_holder(target, pydtrace):
    it = target()
    assert it.work("hold 3") == {"holds": True}
    first = pydtrace(*SCRIPT, it.pid)
    harness.wait_for(lambda: enters(it.pid), "the first tracer to be in it")
    first.kill()
    begin = time.monotonic()
    second = pydtrace(*SCRIPT, it.pid)
    harness.wait_for(lambda: enters(it.pid), "the second tracer to be in it")
    assert time.monotonic() - begin < 2
    assert it.hear() == {"calls": 1}
    second.wait_said("on\n").stop()
    assert second.status == 0, second.err
    it.kill()
