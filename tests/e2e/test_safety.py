# SPDX-License-Identifier: Apache-2.0
"""What must never happen to the target: it goes on as if nobody had looked."""
import random
import signal
import time

import pytest

import harness
from outside import same_as, seen_from_outside

pytestmark = pytest.mark.usefixtures("executor")


# The script of 2007, and a word when it has seen something.
SEEING = ["-Fs", harness.S4PYFUNC, "-n",
          'python$1:::function-entry /copyinstr(arg1) == $$2 && !seen/ { seen = 1; printf("seen\\n"); }']


def end(target):
    assert target.work() == {"wrong": []}
    target.end()


def test_undisturbed(interpreter, start, pydtrace):
    """Attach and detach, ten times, to a process that works, sleeps and receives all the while."""
    target = start(interpreter.argv("busy.py"))
    before = seen_from_outside(target.pid)
    for _ in range(10):
        tracer = pydtrace(*SEEING, target.pid, "target").wait_said("seen\n")
        tracer.stop()
        assert tracer.status == 0, tracer.err
        assert tracer.number("calls") > 0
    same_as(before, target.pid)
    end(target)


@pytest.mark.parametrize("executor", ["kernel"], indirect=True)  # test_killed.py is for the other
def test_tracer_killed(interpreter, start, pydtrace):
    """kill -9 of the tracer at any moment: the target goes on, can be attached to again, and is soon left alone."""
    target = start(interpreter.argv("busy.py"))
    before = seen_from_outside(target.pid)
    dice = random.Random(7)
    for _ in range(15):
        tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target")
        time.sleep(dice.uniform(0, 0.4))
        tracer.kill()
    time.sleep(6)  # a tracer that has not been heard of for 5 s is taken for dead, and the next one cleans up after it
    tracer = pydtrace(*SEEING, target.pid, "target").wait_said("seen\n")
    tracer.stop()
    assert tracer.status == 0 and tracer.number("calls") > 0, tracer.err
    assert seen_from_outside(target.pid)["fds"] == before["fds"]
    end(target)


def test_target_killed(interpreter, start, pydtrace):
    """The target dies in the middle: what was seen so far is printed."""
    target = start(interpreter.argv("busy.py"))
    tracer = pydtrace(*SEEING, target.pid, "target").wait_said("seen\n")
    target.kill()
    tracer.wait()
    assert tracer.status == 0, tracer.err
    assert tracer.number("calls") > 0


def test_second_tracer(interpreter, start, pydtrace):
    """A second tracer on the process works, or is refused in one line; the first goes on."""
    target = start(interpreter.argv("one_thread.py"))
    first = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target").wait_matched()
    second = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target")
    harness.wait_for(lambda: " matched " in second.err or second.process.poll() is not None, "the second tracer")
    truth = target.work()
    first.stop()
    if second.process.poll() is None:
        second.stop()
        assert second.number("calls") == truth["calls"]
    else:
        assert second.status == 1 and second.err.count("\n") == 1, second.err
    assert first.status == 0 and first.number("calls") == truth["calls"], first.err
    target.end()


def test_threads_that_stay(interpreter, start, pydtrace):
    """Names joined by ||: no other function is traced, so that nothing of ours is on the stack of a thread that lives on."""
    target = start(interpreter.argv("threads_stay.py"))
    names = " || ".join(f'copyinstr(arg1) == "{name}"' for name in ("a", "b", "c", "target", "d", "e", "f"))
    tracer = pydtrace("-n", "python$1:::function-entry, python$1:::function-return /" + names + "/ { n++; } "
                      'END { printf("n: %d\\n", n); }', target.pid).wait_matched()
    truth = target.work()
    tracer.stop()
    assert (tracer.status, tracer.number("n")) == (0, 2 * truth["calls"]), tracer.err
    with open(f"/proc/{target.pid}/maps", encoding="utf-8") as maps:
        assert "pydtrace-" not in maps.read()
    target.end()


def test_two_signals_at_once(start, pydtrace):
    """timeout(1) signals the command and then its group: that is one Ctrl-C, and the results are printed."""
    target = start(harness.interpreters()[0].argv("busy.py"))
    tracer = pydtrace(*SEEING, target.pid, "target").wait_said("seen\n")
    tracer.process.send_signal(signal.SIGINT)
    tracer.process.send_signal(signal.SIGINT)
    tracer.wait()
    assert tracer.status == 0, tracer.err
    assert tracer.number("calls") > 0
    end(target)
