# SPDX-License-Identifier: Apache-2.0
"""The python provider: what a description matches, what the arguments are, what is never touched."""
import pytest

pytestmark = pytest.mark.usefixtures("executor")

COUNT = "{ @[probemod, probefunc] = count(); } END { printa(\"%s`%s %@d\\n\", @); }"


def trace(start, pydtrace, interpreter, workload, *args):
    """Trace a workload's work; the lines that were printed, sorted."""
    target = start(interpreter.argv(workload))
    tracer = pydtrace(*args, target.pid).wait_matched()
    target.work()
    tracer.stop()
    target.end()
    assert tracer.status == 0, tracer.err
    return sorted(tracer.lines())


@pytest.mark.parametrize("description, matched", [
    ("python$1:package_a::function-entry",
     {"package_a`outer": 1, "package_a`target": 1, "package_a`Image.target": 2, "package_a`Image.get_link_actions": 3,
      "package_a`Image.get_other": 4, "package_a`Image.Inner.target": 5, "package_a`outer.<locals>.target": 6}),
    ("python$1:package_?:target:function-entry", {"package_a`target": 1, "package_b`target": 10}),
    ("python$1:package_b:Image.[tg]*:function-entry",
     {"package_b`Image.target": 20, "package_b`Image.get_link_actions": 30, "package_b`Image.get_other": 40}),
    ("python$1::*get_[kl]*:function-entry", {"package_a`Image.get_link_actions": 3, "package_b`Image.get_link_actions": 30}),
    ("python$1:package_b:*.<locals>.*:function-return", {"package_b`outer.<locals>.target": 60}),
    ("python$1:*_a:Image.Inner.target:function-*", {"package_a`Image.Inner.target": 10}),
])
def test_fields(interpreter, start, pydtrace, description, matched):
    """Module and function fields, as they are and as patterns; of modules imported before and after."""
    said = trace(start, pydtrace, interpreter, "places.py", "-n", description + COUNT)
    assert said == sorted(f"{name} {n}" for name, n in matched.items())


def test_arguments(interpreter, start, pydtrace):
    """arg0 is the file, arg1 the name, arg2 the first line at entry and the line left from at return."""
    said = trace(start, pydtrace, interpreter, "lines.py", "-n", """
        python$1:__main__::function-entry { printf("%s %s %d in\\n", basename(copyinstr(arg0)), copyinstr(arg1), arg2); }
        python$1:__main__::function-return { printf("%s %s %d out\\n", basename(copyinstr(arg0)), copyinstr(arg1), arg2); }
        """)
    said = [line for line in said if "<module>" not in line]
    truth = ["returns 6 in"] * 2 + ["returns 8 out", "returns 9 out", "raises 12 in", "raises 13 out", "decorated 16 in",
                                    "decorated 18 out", "generates 21 in", "generates 23 out"]
    assert said == sorted("lines.py " + line for line in truth)


@pytest.mark.parametrize("predicate, count", [
    ("copyinstr(arg1) == \"target\" && arg2 == 6", 11),
    ("copyinstr(arg1) != \"target\" && probemod == \"package_a\"", 8),
    ("arg2 > 100", 0),
    ("\"target\" == copyinstr(arg1)", 14 * 11),
    ("basename(copyinstr(arg0)) == \"package_b.py\" && copyinstr(arg1) == \"target\"", 140),
    ("copyinstr(arg1) == \"target\" || copyinstr(arg1) == \"get_other\"", 18 * 11),
    ("!(copyinstr(arg1) == \"target\") && strstr(copyinstr(arg1), \"get_\") != 0", 7 * 11),
])
def test_predicates(interpreter, start, pydtrace, predicate, count):
    """What is decided once for each function gives the same as what is decided at each call."""
    said = trace(start, pydtrace, interpreter, "places.py", "-n",
                 f"python$1:package_*::function-entry /{predicate}/ {{ n++; }} END {{ printf(\"n: %d\\n\", n); }}")
    assert said == [f"n: {count}"]


def test_two_clauses(interpreter, start, pydtrace):
    """Clauses with different filters at one probe run in script order, each for its own functions."""
    said = trace(start, pydtrace, interpreter, "places.py", "-n", """
        python$1:package_a::function-entry /copyinstr(arg1) == "target"/ { x += 1; }
        python$1:package_a::function-entry /copyinstr(arg1) == "get_other"/ { x += 100; }
        python$1:package_a::function-entry /copyinstr(arg1) == "target"/ { x += 10000; }
        END { printf("x: %d\\n", x); }
        """)
    assert said == [f"x: {14 * 10001 + 4 * 100}"]


def test_time_in_function(interpreter, start, pydtrace):
    """Time between entry and return, by thread and by function: it is there, and it is sane."""
    said = trace(start, pydtrace, interpreter, "one_thread.py", "-n", """
        python$1:::function-entry /copyinstr(arg1) == "target"/ { self->since = timestamp; }
        python$1:::function-return /copyinstr(arg1) == "target" && self->since/
        { @n = count(); @ns = min(timestamp - self->since); self->since = 0; }
        END { printa("n: %@d\\n", @n); printa("ns: %@d\\n", @ns); }
        """)
    numbers = dict(line.split(": ") for line in said)
    assert numbers["n"] == "1000"
    assert 0 < int(numbers["ns"]) < 100_000_000


def test_flow(interpreter, start, pydtrace):
    """-F indents calls below their callers, by thread."""
    target = start(interpreter.argv("recursion_mutual.py"))
    tracer = pydtrace("-F", "-n", "python$1:__main__:target:function-entry, python$1:__main__:target:function-return "
                                  "/n++ < 4/ { }", target.pid).wait_matched()
    target.work()
    tracer.stop()
    lines = [line for line in tracer.out.splitlines() if "target" in line]
    assert len(lines) == 4
    columns = [line.index("->") for line in lines]
    assert columns == [columns[0] + 2 * n for n in range(4)], tracer.out


def test_command_without_python(pydtrace):
    """-c of what runs no Python, not even another program: traced from its entry point on."""
    tracer = pydtrace("-qn", 'syscall::write:entry /pid == $target && arg0 == 1/ { @["writes"] = count(); }',
                      "-c", "sh -c 'echo one; echo two'")
    tracer.wait()
    assert tracer.status == 0, tracer.err
    assert tracer.table() == {"writes": 2}, tracer.out
