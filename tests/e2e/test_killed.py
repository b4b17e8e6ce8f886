# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a tracer without eBPF, at 300 random instants over all interpreters: no target is lost, stopped, or wrong."""
import json
import os
import pathlib
import random
import re
import shlex
import signal
import subprocess
import time

import pytest

import harness
from conftest import only

pytestmark = pytest.mark.usefixtures("executor")
executor = only("vm")

KILLS = 300
INTERPRETERS = harness.interpreters()
ONE_OF_EACH = {i.minor: i for i in INTERPRETERS if i.root == "/"}
# How many fall to each, exactly KILLS in the sum.
SHARE = [KILLS // len(INTERPRETERS) + (i < KILLS % len(INTERPRETERS)) for i in range(len(INTERPRETERS))]
assert sum(SHARE) == KILLS

UNGATED = """
python$1:::function-entry /copyinstr(arg1) == $$2/ { calls++; }
syscall:::entry, syscall:::return { @[probefunc] = count(); }
"""
SCRIPTS = [["-s", harness.S4PYFUNC], ["-n", UNGATED]]


def state_of(pid):
    """Of each thread (state, who traces it)."""
    said = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        status = (task / "status").read_text(encoding="utf-8")
        said.append((re.search(r"^State:\t(.)", status, re.M)[1], re.search(r"^TracerPid:\t(\d+)", status, re.M)[1]))
    return said


def ended(pid):
    """Whoever has inherited it may take its time to reap it."""
    try:
        return "\nState:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return True


def goes_on(target):
    """All its threads work, as before; none is stopped or traced."""
    before = target.work()
    now = {}

    def all_have_worked():
        now.update(target.work())
        return all(n > b for n, b in zip(now["turns"], before["turns"]))

    harness.wait_for(all_have_worked, "the target to go on")
    assert now["wrong"] == []
    states = state_of(target.pid)
    assert not [s for s in states if s[0] in "tTZX" or s[1] != "0"], states


@pytest.mark.parametrize("which", range(len(INTERPRETERS)), ids=lambda n: str(INTERPRETERS[n]))
def test_killed(which, start, pydtrace):
    interpreter, kills = INTERPRETERS[which], SHARE[which]
    target = start(interpreter.argv("toil.py"))
    dice = random.Random(interpreter.version + interpreter.kind)
    for n in range(kills):
        tracer = pydtrace(*SCRIPTS[n % 2], target.pid, "target")
        if n % 3:  # in the middle of events; else anywhere from the start on
            tracer.wait_matched()
            time.sleep(dice.uniform(0, 0.05))
        else:
            time.sleep(dice.uniform(0, 0.2))
        assert tracer.process.poll() is None, tracer.err
        tracer.kill()
        assert tracer.status == -signal.SIGKILL
        goes_on(target)
    # The agents that are left do nothing, and are no hindrance.
    target.work("rest")
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target").wait_matched()
    truth = target.work("round")
    tracer.stop()
    assert tracer.status == 0, tracer.err
    assert tracer.number("calls") == truth["calls"], tracer.out + tracer.err
    assert {name: tracer.table().get(name, 0) for name in truth["flat"]} == truth["flat"], tracer.out + tracer.err
    target.work("go")
    goes_on(target)
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0


@pytest.mark.parametrize("script", [
    pytest.param(["-s", harness.SCRIPTS / "s4pyfunc_target.d"], id="gated"),
    pytest.param(["-n", UNGATED.replace("$1", "$target").replace("$$2", "$$1")], id="ungated"),
])
def test_command_killed(pydtrace, script):
    """What -c has started goes on without its tracer."""
    for interpreter in ONE_OF_EACH.values():
        tracer = pydtrace(*script, "-c", shlex.join(interpreter.argv("toil.py")), "target", stdin=subprocess.PIPE)
        tracer.wait_said('{"function": "target"}\n')
        child = int(pathlib.Path(f"/proc/{tracer.process.pid}/task/{tracer.process.pid}/children").read_text(encoding="utf-8"))
        tracer.process.kill()
        tracer.process.wait()

        def progress():
            asked = tracer.out.count("\n")
            os.write(tracer.process.stdin.fileno(), b"\n")
            harness.wait_for(lambda: tracer.out.count("\n") > asked, "an answer")
            return json.loads(tracer.out.splitlines()[-1])

        before = progress()
        harness.wait_for(lambda: all(n > b for n, b in zip(progress()["turns"], before["turns"])), "the child to go on")
        assert progress()["wrong"] == []
        assert {s for s in state_of(child) if s[0] in "tTZX" or s[1] != "0"} == set()
        tracer.process.stdin.close()
        harness.wait_for(lambda: ended(child), "it to end with its input")
