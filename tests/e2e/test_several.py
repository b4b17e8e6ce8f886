# SPDX-License-Identifier: Apache-2.0
"""Several processes at once: one that ends, refuses, or does not come to a safe point does not matter to the others."""
import os
import pathlib
import signal
import subprocess
import sys

from harness import WORKLOADS, wait_for

COUNT = "python$target:::function-entry /copyinstr(arg1) == \"target\"/ { @[pid] = count(); }"


def rounds(start, n):
    return [start([sys.executable, "-B", str(WORKLOADS / "rounds.py")]) for _ in range(n)]


def counts(tracer):
    return {int(pid): n for pid, n in tracer.table().items()}


def test_target_is_all(start, pydtrace, executor):
    targets = rounds(start, 3)
    tracer = pydtrace("-p", targets[0].pid, "-p", targets[1].pid, "-p", targets[2].pid, "-n", COUNT).wait_matched()
    assert "matched 3 probes" in tracer.err
    for target in targets:
        target.work("x")
    tracer.stop()
    assert (counts(tracer), tracer.status) == ({target.pid: 100 for target in targets}, 0), tracer.err


def test_by_number_is_one(start, pydtrace, executor):
    targets = rounds(start, 2)
    tracer = pydtrace("-p", targets[0].pid, "-p", targets[1].pid, "-n", COUNT.replace("$target", str(targets[0].pid)))
    tracer.wait_matched()
    assert " matched 1 probe" in tracer.err and " probes" not in tracer.err
    for target in targets:
        target.work("x")
    assert counts(tracer.stop()) == {targets[0].pid: 100}


def test_others_go_on(start, pydtrace, executor):
    """One is no Python, one has ended, one is stopped: each is told, and the rest is traced."""
    (target,) = rounds(start, 1)
    sleeper, gone = subprocess.Popen(["sleep", "100"]), subprocess.Popen(["true"])
    stopped = start([sys.executable, "-B", str(WORKLOADS / "rounds.py")])
    gone.wait()
    comm = pathlib.Path(f"/proc/{stopped.pid}/comm").read_text(encoding="utf-8").strip()
    os.kill(stopped.pid, signal.SIGSTOP)
    try:
        tracer = pydtrace("-p", gone.pid, "-p", sleeper.pid, "-p", stopped.pid, "-p", target.pid, "-n", COUNT).wait_matched()
        target.work("x")
        tracer.stop()
    finally:
        sleeper.kill()
        sleeper.wait()
    assert (counts(tracer), tracer.status) == ({target.pid: 100}, 0), tracer.err
    said = [line for line in tracer.err.splitlines() if "left out" in line]
    assert said == [
        f"pydtrace: warning: left out: no process with pid {gone.pid}",
        f"pydtrace: warning: left out: process {sleeper.pid} (sleep) is not a Python process",
        f"pydtrace: warning: left out: process {stopped.pid} ({comm}) is stopped; continue it first (kill -CONT {stopped.pid})",
    ]


def test_none(pydtrace, executor):
    sleepers = [subprocess.Popen(["sleep", "100"]) for _ in range(2)]
    try:
        tracer = pydtrace("-p", sleepers[0].pid, "-p", sleepers[1].pid, "-n", COUNT).wait()
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()
    assert tracer.status == 1
    assert tracer.err.splitlines() == [
        *(f"pydtrace: warning: left out: process {sleeper.pid} (sleep) is not a Python process" for sleeper in sleepers),
        "pydtrace: none of the 2 processes can be traced"]


def test_one_ends_meanwhile(start, pydtrace, executor):
    """The rest goes on until the last one has ended."""
    targets = rounds(start, 2)
    tracer = pydtrace("-p", targets[0].pid, "-p", targets[1].pid, "-n", COUNT).wait_matched()
    targets[0].work("x")
    targets[0].kill()
    targets[1].work("x")
    targets[1].kill()
    tracer.wait()
    assert (counts(tracer), tracer.status) == ({target.pid: 100 for target in targets}, 0), tracer.err


def tell(holder, letter, answer):
    """Without a newline, which would be the next letter."""
    holder.process.stdin.write(letter)
    holder.process.stdin.flush()
    assert holder.hear() == {answer: True}


def test_gil_holder_delays_nobody(start, pydtrace, executor):
    """A process in a long call of C is traced when it comes out of that; the others at once."""
    (target,) = rounds(start, 1)
    holder = start([sys.executable, "-B", str(WORKLOADS / "holds_gil.py")])
    tell(holder, "h", "holds")
    tracer = pydtrace("-v", "-p", holder.pid, "-p", target.pid, "-n", COUNT).wait_matched()
    target.work("x")
    wait_for(lambda: f"process {holder.pid} (python3): waiting for its Python" in tracer.err, "the note")
    tell(holder, "x", "done")
    wait_for(lambda: f"process {holder.pid} (python3): traced from now on" in tracer.err, "the holder")
    tell(holder, "w", "done")
    tracer.stop()
    assert (counts(tracer), tracer.status) == ({target.pid: 100, holder.pid: 1}, 0), tracer.err
