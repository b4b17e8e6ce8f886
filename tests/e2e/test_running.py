# SPDX-License-Identifier: Apache-2.0
"""function-entry and function-return bracket what a thread runs: arg3 says how it comes in and goes out, arg4 which call it is."""
import re

import pytest

import harness

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


@pytest.mark.parametrize("kind, names, at", [
    ("entry", "/arg3 == PY_START/", [0]), ("entry", "/arg3 == PY_RESUME/", [1]), ("entry", "/arg3 != PY_START/", [1, 2]),
    ("return", "/arg3 == PY_RETURN || PY_UNWIND == args[3]/", [3, 5]), ("return", "/arg3 == PY_YIELD/", [4])])
def test_wanted(interpreter, start, pydtrace, kind, names, at):
    """Only some kinds, by the names that D has for them."""
    truth, tracer = trace(start(interpreter.argv("runs.py")), pydtrace, f"""
        {FUNCTIONS}{kind} {names} {{ @[probefunc] = count(); }}
        END {{ printf("\\n"); printa("%s %@d\\n", @); }}""")
    said = {function: int(n) for function, n in re.findall(r"^(\S+) (\d+)$", tracer.out, re.M)}
    assert {function: said.get(function, 0) for function in truth} == {
        function: sum(counts[i] for i in at) for function, counts in truth.items()}, tracer.out


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


def test_indented(interpreter, start, pydtrace):
    """-F: what is suspended is not around what runs."""
    target = start(interpreter.argv("flows.py"))
    tracer = pydtrace("-F", "-n", "python$1:__main__:[!<]*:function-entry, python$1:__main__:[!<]*:function-return "
                      "{ printf(\"%s %d\", copyinstr(arg1), arg3); }", target.pid).wait_matched()
    target.work()
    tracer.stop()
    target.end()
    said = [(len(indent), arrow, text) for indent, arrow, text in
            re.findall(r"^ *\d+ ( *)(->|<-) .* (\w+ \d)$", tracer.out, re.M)]
    generate = ["-> generate 0", "<- generate 1", "-> generate 1", "<- generate 1", "-> generate 1", "<- generate 0"]
    begun = ["-> outer 0", " -> inner 0", " <- inner 1", "<- outer 1"]
    ended = ["-> outer 1", " -> inner 1", "  -> step 0", "  <- step 0", " <- inner 0", "<- outer 0"]
    assert [" " * ((column - 1) // 2) + f"{arrow} {text}" for column, arrow, text in said] == (
        generate + ["-> both 0", "<- both 1"] + begun * 2 + ended * 2 + ["-> both 1", "<- both 0"]), tracer.out


def test_listed(executor, start, pydtrace):
    """-lv shows the types of all five arguments."""
    target = start(harness.interpreters()[0].argv("flows.py"))
    tracer = pydtrace("-x", f"exec={executor}", "-lv", "-n", "python$1:::function-entry", target.pid)
    tracer.wait()
    target.kill()
    assert tracer.status == 0, tracer.err
    assert re.findall(r"args\[(\d)\]: (\w+)", tracer.out) == [
        ("0", "uintptr_t"), ("1", "uintptr_t"), ("2", "int64_t"), ("3", "int"), ("4", "uint64_t")], tracer.out


def test_time_of_a_coroutine(interpreter, start, pydtrace):
    """Five coroutines that sleep at the same time: each one's time to its end is by arg4, what it runs itself between entry and return."""
    target = start(interpreter.argv("sleepers.py"))
    tracer = pydtrace("-n", """
        python$1:__main__:slow:function-entry { self->since = timestamp; entries++; }
        python$1:__main__:slow:function-entry /arg3 == 0/ { begun[arg4] = timestamp; }
        python$1:__main__:slow:function-return { ran += timestamp - self->since; }
        python$1:__main__:slow:function-return /arg3 != 1 && begun[arg4]/
        { took = timestamp - begun[arg4]; begun[arg4] = 0; n++; right += took >= 100000000 && took < 5000000000; total += took; }
        END { printf("\\nentries: %d\\nn: %d\\nright: %d\\nran: %d\\ntotal: %d\\n", entries, n, right, ran, total); }
        """, target.pid).wait_matched()
    target.work()
    tracer.stop()
    target.end()
    said = {name: tracer.number(name) for name in ("entries", "n", "right")}
    assert said == {"entries": 5 * (1 + 3), "n": 5, "right": 5}, tracer.out
    assert tracer.number("ran") < tracer.number("total") / 2, tracer.out


@pytest.mark.parametrize("script, everywhere, own", [
    ("entry /arg3 == PY_START/", ["start"], []),
    ("entry /copyinstr(arg1) == \"target\" && arg3 == PY_START/", ["start"], []),
    ("entry", ["resume", "start", "throw"], []),
    ("return /arg3 == PY_YIELD/", ["resume", "start", "throw"], ["yield"]),
    ("return /arg3 == PY_RETURN || arg3 == PY_YIELD/", ["resume", "start", "throw"], ["return", "yield"]),
])
def test_switched_on(executor, start, pydtrace, script, everywhere, own):
    """What a predicate excludes by arg3 is not switched on."""
    target = start(next(i for i in harness.interpreters() if i.minor >= (3, 12)).argv("events_on.py"))
    tracer = pydtrace("-x", f"exec={executor}", "-n", f"python$1:::function-{script} {{ n++; }}", target.pid).wait_matched()
    truth = target.work()
    tracer.stop()
    target.end()
    assert tracer.status == 0, tracer.err
    assert (sorted(truth["all"]), sorted(truth["own"])) == (everywhere, own)


def test_example(interpreter, start, pydtrace):
    """The README's script: each coroutine once, from its start to its end, which takes 0.12 s or more."""
    target = start(interpreter.argv("sleepers.py"))
    tracer = pydtrace("-s", harness.TOP / "examples/async/coroutine.d", target.pid, "slow").wait_matched()
    target.work()
    tracer.stop()
    target.end()
    assert tracer.status == 0, tracer.err
    whole = tracer.out[tracer.out.index("start to end, ms"):].split("\n\n")[0]
    counts = {int(value): int(n) for value, n in re.findall(r"^ +(\d+) \|[@ ]* (\d+) +$", whole, re.M)}
    assert sum(counts.values()) == 5 and min(value for value, n in counts.items() if n) >= 64, tracer.out
