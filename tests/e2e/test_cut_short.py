# SPDX-License-Identifier: Apache-2.0
"""A target cuts short the file that it shares with its tracer: that harms nobody but itself.

Where memory files are denied the shared page is a file of the target's user, which cannot be sealed. It is removed at once, but
whoever has opened it, or may open what the process has mapped, can truncate it at any time. The test does what the target's user could.
"""
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import pytest

import harness
import seccomp

PYTHON = "/usr/bin/python3"
MAGIC = 0x7079647472616365  # WIRE_MAGIC
SCRIPT = """BEGIN { printf("on\\n"); } python$1:::function-entry /copyinstr(arg1) == "target"/ { n++; } tick-20ms { t++; }
END { printf("calls: %d\\n", n); }"""
SAID = "pydtrace: process {} (python3) has cut short the memory that it shares with pydtrace: its agent cannot be taken out\n"
TARGET = """
import json, sys
def target(n):
    return n + 1
print(json.dumps({"function": "target"}), flush=True)
while sys.stdin.readline():
    print(json.dumps({"calls": target(0)}), flush=True)
"""

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="not root: cannot open what another process has mapped"),
              pytest.mark.usefixtures("executor")]


def no_memory_files():
    return seccomp.deny(["memfd_create"])


@pytest.fixture
def target(start):
    """target() -> Target, whose page is a file. It leaves no core file when it dies of what it has done."""
    return lambda: start(["prlimit", "--core=0", PYTHON, "-I", "-c", TARGET], cwd="/", preexec_fn=no_memory_files())


def page(pid):
    """The shared page of `pid`, open for writing."""
    proc = pathlib.Path(f"/proc/{pid}")
    with open(proc / "mem", "rb", buffering=0) as memory:
        for line in (proc / "maps").read_text().splitlines():
            where, prot = line.split()[:2]
            if prot == "rw-s":
                memory.seek(int(where.split("-")[0], 16))
                if memory.read(8) == MAGIC.to_bytes(8, "little"):
                    return os.open(proc / "map_files" / where, os.O_RDWR)
    raise AssertionError(f"process {pid} has no page")


def cut(pid, keep=0):
    fd = page(pid)
    assert os.fstat(fd).st_size > keep
    os.ftruncate(fd, keep)
    os.close(fd)


@pytest.fixture
def traced(target, pydtrace):
    """traced() -> (Target, Tracer), with probes that are on."""
    def traced():
        it = target()
        return it, pydtrace("-q", "-n", SCRIPT, it.pid).wait_said("on\n")

    return traced


@pytest.mark.parametrize("keep", [0, 4096])
def test_before_the_end(traced, keep):
    """What was counted is printed, what has happened is said, and the status tells that something is left."""
    it, tracer = traced()
    assert it.work() == {"calls": 1}
    cut(it.pid, keep)
    tracer.stop()
    assert (tracer.status, tracer.err) == (1, SAID.format(it.pid))
    assert tracer.number("calls") == 1


def test_while_it_traces(traced):
    """It is said at once, not at the end; the target's events are lost, and it dies of what it has done."""
    it, tracer = traced()
    assert it.work() == {"calls": 1}
    cut(it.pid)
    harness.wait_for(lambda: tracer.err, "the tracer to see it")
    assert tracer.process.poll() is None
    it.tell()
    it.process.wait(harness.PATIENCE)
    tracer.wait()  # it ends with its target
    assert (tracer.status, tracer.err) == (1, SAID.format(it.pid))
    assert tracer.number("calls") == 1


def test_at_any_moment(traced):
    """While the agent is taken out and the results are printed."""
    dice = random.Random(11)
    for _ in range(10):
        it, tracer = traced()
        fd = page(it.pid)
        tracer.process.send_signal(signal.SIGINT)
        time.sleep(dice.uniform(0, 0.006))
        os.ftruncate(fd, 0)
        os.close(fd)
        tracer.wait()
        assert tracer.status in (0, 1), (tracer.status, tracer.err)
        assert tracer.err in ("", SAID.format(it.pid))
        assert tracer.status == (1 if tracer.err else 0)
        assert tracer.number("calls") == 0


def test_while_it_attaches(target, pydtrace):
    """The file has a name for some milliseconds: as the target's user would, look for it and cut it short at once."""
    watch = subprocess.Popen([PYTHON, "-I", "-c", """
import os
print("ready", flush=True)
while True:
    for entry in os.scandir("/tmp"):
        if entry.name.startswith(".pydtrace-page-"):
            try:
                os.truncate(entry.path, 0)
            except OSError:
                pass
"""], stdout=subprocess.PIPE, text=True)
    try:
        assert watch.stdout.readline() == "ready\n"
        for _ in range(5):
            it = target()
            tracer = pydtrace("-q", "-n", SCRIPT, it.pid)
            harness.wait_for(lambda: tracer.process.poll() is not None or "on\n" in tracer.out, "the attach")
            tracer.stop()
            assert tracer.status in (0, 1), (tracer.status, tracer.err)
            assert tracer.err.count("\n") == tracer.status, tracer.err
    finally:
        watch.kill()
        watch.communicate()


def test_other_targets_still_learn_of_a_killed_tracer(target, start, pydtrace):
    """The kernel marks the pages of a tracer that dies one after the other, and stops at one that is not there."""
    innocent = start([PYTHON, "-I", "-c", TARGET], cwd="/")
    others = [target(), target()]
    pids = [innocent.pid, others[0].pid, others[1].pid]
    tracer = pydtrace("-q", "-n", 'BEGIN { printf("on\\n"); } python$1:::function-entry, python$2:::function-entry, '
                      "python$3:::function-entry { n++; }", *pids).wait_said("on\n")
    fd = page(innocent.pid)
    cut(others[1].pid)
    tracer.kill()
    owner = owner_of(fd)
    os.close(fd)
    assert owner & 0x40000000, hex(owner)  # WIRE_OWNER_DIED
    with_file = page(others[0].pid)
    assert owner_of(with_file) & 0x40000000
    os.close(with_file)


def owner_of(fd):
    """wire_page.owner, found by its neighbours in agent/wire.h."""
    wire = (harness.TOP / "agent/wire.h").read_text()
    body = re.search(r"struct wire_page \{(.*?)\bowner;", wire, re.S).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    offset = 0
    for kind, names in re.findall(r"\b(uint64_t|uint32_t|int32_t)\s+([^;]*?)(?:;|$)", body.strip()):
        size = 8 if kind == "uint64_t" else 4
        count = len([name for name in names.split(",") if name.strip()])
        offset = (offset + size - 1) // size * size + size * count
    return int.from_bytes(os.pread(fd, 4, offset), "little")
