# SPDX-License-Identifier: Apache-2.0
"""Programs that make functions without end: what is traced is not kept alive, and what is lost is counted."""
import re

import pytest

import harness

pytestmark = pytest.mark.usefixtures("executor")

COUNT = """python$1:::function-entry /copyinstr(arg1) == "target"/ { calls++; }
python$1:::function-return /copyinstr(arg1) == "target"/ { returns++; }
END { printf("calls: %d\\nreturns: %d\\n", calls, returns); }
"""


def resident(pid):
    """Memory of a process in kB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def test_nothing_is_kept(interpreter, start, pydtrace):
    """Functions come and go under the tracer's eyes: the process has the memory that it has without."""
    alone, target = (start(interpreter.argv("made_anew.py")) for _ in range(2))
    alone.work()
    tracer = pydtrace("-n", COUNT, target.pid).wait_matched()
    truth = target.work()
    grown = resident(target.pid) - resident(alone.pid)
    tracer.stop()
    assert tracer.status == 0, tracer.err
    assert (tracer.number("calls"), tracer.number("returns")) == (truth["calls"], truth["returns"]), tracer.err
    assert "drop" not in tracer.err
    assert grown < 6000  # it would be 80,000
    alone.end()
    target.end()


@pytest.mark.parametrize("which", [min, max], ids=["oldest", "newest"])
def test_drops(which, start, pydtrace):
    """More functions than there is room for: each call and return is counted, or said to be lost."""
    interpreter = which(harness.interpreters(), key=lambda i: i.minor)
    target = start(interpreter.argv("many_made.py"))
    tracer = pydtrace("-n", COUNT, target.pid).wait_matched()
    truth = target.work()
    tracer.stop()
    assert tracer.status == 0, tracer.err
    lines = [line for line in tracer.err.splitlines() if " matched " not in line]
    said = [re.fullmatch(rf"pydtrace: (\d+) python drops? in process {target.pid} "
                         r"\(more functions match than the agent has room for\)", line) for line in lines]
    assert said and all(said), tracer.err
    calls, returns = tracer.number("calls"), tracer.number("returns")
    assert calls == returns > 0
    assert calls + returns + sum(int(m[1]) for m in said) == 2 * truth["calls"]
    target.end()
