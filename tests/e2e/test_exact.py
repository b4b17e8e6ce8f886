# SPDX-License-Identifier: Apache-2.0
"""Counts are right: each workload knows what they must be (workloads/workload.py)."""
import json
import re
import shlex
import subprocess

import pytest

import harness

pytestmark = pytest.mark.usefixtures("executor")

# Those that state a truth; the others in the folder are modules, or for other tests.
WORKLOADS = sorted(path.stem for path in harness.WORKLOADS.glob("*.py")
                   if re.search(r"^truth\(", path.read_text(encoding="utf-8"), re.M))


def compare(truth, said, tracer):
    """Compare what is known with what was said, all at once, so that a failure shows the whole of it."""
    known = {key: value for key, value in truth.items() if value is not None}
    for key, value in known.items():
        if isinstance(value, dict):  # system calls: only those that are known
            said[key] = {name: said[key].get(name, 0) for name in value}
    assert {key: said[key] for key in known} == known, tracer.out + tracer.err


@pytest.mark.parametrize("workload", WORKLOADS)
def test_2007(interpreter, workload, start, pydtrace):
    """The script of 2007, word for word, on a live process; the tracer is stopped as by Ctrl-C."""
    target = start(interpreter.argv(workload + ".py"))
    if "skip" in target.ready:
        pytest.skip(target.ready["skip"])
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, target.ready["function"]).wait_matched()
    truth = target.work()
    tracer.stop()
    assert tracer.status == 0, tracer.err
    compare({"calls": truth["calls"], "flat": truth["flat"]}, {"calls": tracer.number("calls"), "flat": tracer.table()},
            tracer)
    target.end()


@pytest.mark.parametrize("workload", WORKLOADS)
def test_depth(interpreter, workload, start, pydtrace):
    """A script that counts returns as well, and keeps its depth; the target's end ends the run."""
    target = start(interpreter.argv(workload + ".py"))
    if "skip" in target.ready:
        pytest.skip(target.ready["skip"])
    tracer = pydtrace("-s", harness.SCRIPTS / "depth.d", target.pid, target.ready["function"]).wait_matched()
    truth = target.work()
    target.end()
    tracer.wait()
    assert tracer.status == 0, tracer.err
    compare({"calls": truth["calls"], "returns": truth["returns"], "deep": truth["deep"]},
            {"calls": tracer.number("calls"), "returns": tracer.number("returns"), "deep": tracer.table()}, tracer)


@pytest.mark.parametrize("workload", ["one_thread", "four_threads", "recursion", "exception_out", "coroutine", "forks"])
def test_started_by_us(interpreter, workload, pydtrace):
    """-c: the probes are in place from the first line, and what is the script's to count does not depend on it."""
    command = shlex.join(interpreter.argv(workload + ".py"))
    tracer = pydtrace("-s", harness.SCRIPTS / "depth_target.d", "-c", command, "target", stdin=subprocess.PIPE)
    tracer.process.communicate(b"\n\n", timeout=harness.PATIENCE)
    assert tracer.status == 0, tracer.err
    lines = [json.loads(line) for line in tracer.out.splitlines() if line.startswith("{")]
    truth = lines[1]
    compare({"calls": truth["calls"], "returns": truth["returns"], "deep": truth["deep"]},
            {"calls": tracer.number("calls"), "returns": tracer.number("returns"), "deep": tracer.table()}, tracer)


def test_by_pid_option(interpreter, start, pydtrace):
    """-p gives $target."""
    target = start(interpreter.argv("one_thread.py"))
    tracer = pydtrace("-s", harness.SCRIPTS / "depth_target.d", "-p", target.pid, "target").wait_matched()
    truth = target.work()
    tracer.stop()
    compare({"calls": truth["calls"], "deep": truth["deep"]},
            {"calls": tracer.number("calls"), "deep": tracer.table()}, tracer)
    target.end()


def test_again_and_again(interpreter, start, pydtrace):
    """Attach to one process several times, each time with the right counts from then on."""
    target = start(interpreter.argv("rounds.py"))
    for _ in range(5):
        tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target").wait_matched()
        truth = target.work()
        tracer.stop()
        assert tracer.status == 0, tracer.err
        compare({"calls": truth["calls"], "flat": truth["flat"]},
                {"calls": tracer.number("calls"), "flat": tracer.table()}, tracer)
        target.work()  # untraced
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0


@pytest.mark.parametrize("how", ["restart", "again"])
def test_restarts(start, pydtrace, catch, executor, how):
    """A call that a signal breaks off. Without eBPF it is what the program sees: one call, or one that failed with EINTR and
    another; the kernel's tracepoints see each attempt, and one that is made again has failed with EINTR there, too."""
    target = start(harness.interpreters()[0].argv("restarts.py", catch, how))
    tracer = pydtrace("-n", """
        python$1:::function-entry /copyinstr(arg1) == "target"/ { self->t = 1; calls++; }
        python$1:::function-return /copyinstr(arg1) == "target"/ { self->t = 0; }
        syscall::read:entry /self->t && arg0 == $2/ { entries++; bytes += arg2; }
        syscall::read:return /self->t && errno/ { @errors[errno] = count(); }
        syscall::read:return /self->t && !errno/ { returns++; got += arg1; }
        END
        {
            printf("calls: %d\\nentries: %d\\nbytes: %d\\nreturns: %d\\ngot: %d\\n", calls, entries, bytes, returns, got);
            printa("errno %d %@d\\n", @errors);
        }""", target.pid, target.ready["fd"]).wait_matched()
    truth = target.work()
    tracer.stop()
    assert tracer.status == 0, tracer.err
    calls, broken = truth["calls"], truth["breaks"]
    if executor == "vm" and how == "restart":
        broken = 0
    said = {name: tracer.number(name) for name in ("calls", "entries", "bytes", "returns", "got")}
    assert said == {"calls": calls, "entries": calls + broken, "bytes": 100 * (calls + broken), "returns": calls,
                    "got": 4 * calls}, tracer.out
    assert re.findall(r"errno (\d+) (\d+)$", tracer.out, re.M) == ([("4", str(broken))] if broken else []), tracer.out
    target.end()
