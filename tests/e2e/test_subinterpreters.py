# SPDX-License-Identifier: Apache-2.0
"""Interpreters beside the main one, in odd states: those that run nothing while tracers come, end and are killed, those that a thread
never leaves, and those that end while they are traced."""
import pathlib

import pytest

from outside import same_as, seen_from_outside

pytestmark = pytest.mark.usefixtures("executor")

COUNT = """
python$1::target:function-entry { calls++; }
python$1::target:function-return { returns++; }
END { printf("calls: %d\\nreturns: %d\\n", calls, returns); }
"""


class Idle:
    """The target, and who comes to it."""

    def __init__(self, target, interpreter, pydtrace):
        self.target, self.pydtrace = target, pydtrace
        comm = pathlib.Path(f"/proc/{target.pid}/comm").read_text(encoding="utf-8").strip()
        # Up to 3.11 one GIL is enough to leave all of them.
        self.stays = interpreter.minor >= (3, 12)
        self.note = (f"pydtrace: process {target.pid} ({comm}): an interpreter in it that was traced runs nothing now; the agent stays in it, "
                     "inert, until the next pydtrace takes it out\n")

    def attach(self):
        return self.pydtrace("-n", COUNT, self.target.pid).wait_matched()

    def traced(self, runs):
        """A tracer that counts; the target runs so many times meanwhile."""
        tracer = self.attach()
        calls = sum(self.target.work("run")["calls"] for _ in range(runs))
        tracer.stop()
        assert tracer.status == 0, tracer.err
        assert (tracer.number("calls"), tracer.number("returns")) == (calls, calls), tracer.out + tracer.err
        assert (self.note in tracer.err) == (self.stays and runs > 0), tracer.err

    def killed(self, runs):
        tracer = self.attach()
        for _ in range(runs):
            self.target.work("run")
        tracer.kill()


def test_idle(interpreter, start, pydtrace):
    target = start(interpreter.argv("idle_interpreters.py"))
    idle = Idle(target, interpreter, pydtrace)
    before = seen_from_outside(target.pid)
    idle.traced(runs=0)
    same_as(before, target.pid)
    idle.traced(runs=1)
    idle.traced(runs=2)  # with what the last one has left before it
    idle.killed(runs=1)
    idle.killed(runs=0)
    idle.traced(runs=0)
    target.work("run")  # it leaves them now
    idle.traced(runs=0)
    same_as(before, target.pid)
    assert target.work("run")["calls"] > 0
    target.end()


def test_two_tracers(interpreter, start, pydtrace):
    """Each may end first, while what it has put into an idle interpreter is before, or behind, the other's."""
    if interpreter.minor < (3, 12):
        pytest.skip("before 3.12 only the last tracer that has come can leave first: there is one evaluator of frames")
    target = start(interpreter.argv("idle_interpreters.py"))
    idle = Idle(target, interpreter, pydtrace)
    before = seen_from_outside(target.pid)
    for first_leaves_first in (True, False):
        tracers = [idle.attach(), idle.attach()]
        if not first_leaves_first:
            tracers.reverse()
        tracers[0].stop()
        calls = target.work("run")["calls"]
        tracers[1].stop()
        assert [tracer.number("calls") for tracer in tracers] == [0, calls], [tracer.err for tracer in tracers]
        target.work("run")
    idle.traced(runs=0)
    same_as(before, target.pid)
    target.end()


def test_ends_while_traced(interpreter, start, pydtrace):
    """The interpreters, and then the process, end with the tracer's events in them."""
    target = start(interpreter.argv("idle_interpreters.py"))
    tracer = Idle(target, interpreter, pydtrace).attach()
    calls = target.work("run")["calls"]
    target.end()
    tracer.wait()
    assert tracer.status == 0, tracer.err
    assert tracer.number("calls") == calls


@pytest.mark.parametrize("gil", ["shared", "own"])
def test_busy(interpreter, gil, start, pydtrace):
    """The main thread is in another interpreter for good: the call that is queued for it there brings a tracer in, and out."""
    target = start(interpreter.argv("busy_interpreter.py", gil))
    before = seen_from_outside(target.pid)
    for _ in range(3):
        tracer = pydtrace("-n", "python$1::target:function-entry { calls++; } tick-10ms /calls > 100/ { exit(0); } "
                          'END { printf("calls: %d\\n", calls); }', target.pid).wait()
        assert (tracer.status, tracer.number("calls") > 100) == (0, True), tracer.out + tracer.err
        same_as(before, target.pid)
