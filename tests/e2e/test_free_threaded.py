# SPDX-License-Identifier: Apache-2.0
"""Python without a GIL (tools/built-pythons): counts are right, and it is got into and left in every state of its threads."""
import pathlib
import signal
import subprocess

import pytest

import harness
from test_exact import compare

ATTACH_TOOL = harness.TOP / "build/tests/attach/attach_tool"
WORKLOADS = ["one_thread", "four_threads", "eight_threads", "recursion", "exception_out", "coroutine", "generator_threads",
             "thread_churn", "running_threads", "forks"]
STATES = ["busy", "asleep", "poll", "read", "locks", "joins", "crowd", "hashes", "generators"]
ASLEEP = {"asleep": {"230"}, "poll": {"232"}, "read": {"0"}, "locks": {"202"}, "joins": {"202"}}  # main's system call
KILLS = 20


@pytest.fixture(scope="module")
def nogil():
    """A free-threaded interpreter."""
    found = harness.free_threaded_interpreters()
    if not found:
        pytest.skip("no free-threaded Python has been built; ./run test --all does that")
    return found[0]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_2007(nogil, executor, workload, start, pydtrace):
    target = start(nogil.argv(workload + ".py"))
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, target.ready["function"]).wait_matched()
    truth = target.work()
    tracer.stop()
    assert tracer.status == 0, tracer.err
    compare({"calls": truth["calls"], "flat": truth["flat"]}, {"calls": tracer.number("calls"), "flat": tracer.table()},
            tracer)
    target.end()


@pytest.mark.parametrize("workload", WORKLOADS)
def test_depth(nogil, executor, workload, start, pydtrace):
    target = start(nogil.argv(workload + ".py"))
    tracer = pydtrace("-s", harness.SCRIPTS / "depth.d", target.pid, target.ready["function"]).wait_matched()
    truth = target.work()
    target.end()
    tracer.wait()
    assert tracer.status == 0, tracer.err
    compare({"calls": truth["calls"], "returns": truth["returns"], "deep": truth["deep"]},
            {"calls": tracer.number("calls"), "returns": tracer.number("returns"), "deep": tracer.table()}, tracer)


def begin(nogil, state):
    """A program of tests/attach that checks itself, ready."""
    target = subprocess.Popen([nogil.path, harness.TOP / "tests/attach/workload.py", state], stdout=subprocess.PIPE, text=True)
    assert target.stdout.readline() == "ready\n"
    if state in ASLEEP:  # a call that is queued on its way there would be left: it is not run before it wakes up
        call = pathlib.Path(f"/proc/{target.pid}/syscall")
        harness.wait_for(lambda: call.read_text(encoding="utf-8").split()[0] in ASLEEP[state], "the main thread to sleep")
    return target


def end(target):
    """It is told to end, says that all was right, and has nothing of ours left."""
    # A signal that comes while the main thread is borrowed goes to another one, and Python's handler waits for the main one.
    status = pathlib.Path(f"/proc/{target.pid}/status")
    harness.wait_for(lambda: "\nSigBlk:\t0000000000000000\n" in status.read_text(encoding="utf-8"), "the main thread to be back")
    maps = pathlib.Path(f"/proc/{target.pid}/maps").read_text(encoding="utf-8")
    target.send_signal(signal.SIGTERM)
    said, _ = target.communicate(timeout=harness.PATIENCE)
    assert (target.returncode, said) == (0, "OK\n")
    return maps


@pytest.mark.parametrize("state", STATES)
def test_in_and_out(nogil, state):
    target = begin(nogil, state)
    try:
        cycles = subprocess.run([ATTACH_TOOL, "cycle", str(target.pid), "10", "1"], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=harness.PATIENCE, check=False)
        assert cycles.returncode == 0, cycles.stdout
        assert "pydtrace-" not in end(target)
    finally:
        target.kill()
        target.wait()


@pytest.mark.parametrize("state", ["busy", "locks", "generators"])
def test_killed(nogil, state):
    """kill -9 of tracers while threads are in events: the target goes on, and the next tracer gets in and out."""
    target = begin(nogil, state)
    try:
        for n in range(KILLS):
            tracer = subprocess.Popen([ATTACH_TOOL, "cycle", str(target.pid), "1", "1"], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            try:
                tracer.wait(0.001 + 0.0007 * n)  # an instant of its life, from its start on
            except subprocess.TimeoutExpired:
                tracer.kill()
            tracer.wait()
        cycle = subprocess.run([ATTACH_TOOL, "cycle", str(target.pid), "1", "1"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=harness.PATIENCE, check=False)
        assert cycle.returncode == 0, cycle.stdout
        end(target)
    finally:
        target.kill()
        target.wait()
