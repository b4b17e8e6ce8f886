# SPDX-License-Identifier: Apache-2.0
"""function-entry and function-return bracket what a thread runs: arg3 says how it comes in and goes out, arg4 which call it is."""
import re

import pytest

pytestmark = pytest.mark.usefixtures("executor")

FUNCTIONS = "python$1:__main__:[!<w]*:function-"  # all of runs.py but its module and its work()


def trace(target, pydtrace, script):
    tracer = pydtrace("-n", script, target.pid).wait_matched()
    truth = target.work()
    tracer.stop()
    target.end()
    assert tracer.status == 0, tracer.err
    return truth, tracer


def test_kinds(interpreter, start, pydtrace):
    """How often each function is begun, resumed, thrown into, returns, yields, and is left by an exception."""
    truth, tracer = trace(start(interpreter.argv("runs.py")), pydtrace, f"""
        {FUNCTIONS}entry {{ @in[probefunc, arg3] = count(); }}
        {FUNCTIONS}return {{ @out[probefunc, args[3]] = count(); }}
        END {{ printf("\\n"); printa("%s %d %@d in\\n", @in); printa("%s %d %@d out\\n", @out); }}""")
    said = {}
    for function, kind, n, way in re.findall(r"^(\S+) (\d) (\d+) (in|out)$", tracer.out, re.M):
        said.setdefault(function, [0] * 6)[int(kind) + 3 * (way == "out")] = int(n)
    assert {function: said[function] for function in truth} == truth


def test_calls(interpreter, start, pydtrace):
    """arg4 is the same from a call's start to its end, in whatever order others run meanwhile, and no other live call's."""
    truth, tracer = trace(start(interpreter.argv("runs.py")), pydtrace, f"""
        {FUNCTIONS}entry /arg3 == 0/ {{ twice += alive[arg4]; alive[arg4] = 1; begun[arg4] = probefunc; starts++; }}
        {FUNCTIONS}entry {{ strange += begun[arg4] != probefunc; twice += runs[arg4]; runs[arg4] = 1; }}
        {FUNCTIONS}return {{ strange += begun[arg4] != probefunc; idle += !runs[args[4]]; runs[arg4] = 0; }}
        {FUNCTIONS}return /arg3 != 1/ {{ idle += !alive[arg4]; alive[arg4] = 0; ends++; }}
        END {{ printf("\\nstarts %d ends %d strange %d twice %d idle %d\\n", starts, ends, strange, twice, idle); }}""")
    calls = sum(counts[0] for counts in truth.values())
    found = re.search(r"^starts (\d+) ends (\d+) strange 0 twice 0 idle 0$", tracer.out, re.M)
    assert found, tracer.out
    assert found[1] == found[2] and int(found[1]) >= calls, tracer.out
