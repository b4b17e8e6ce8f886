# SPDX-License-Identifier: Apache-2.0
"""Which functions there are: -l, how many a description matches now, which are nearly meant, and what has matched nothing."""
import re
import signal

import pytest

import harness
from outside import same_as, seen_from_outside

pytestmark = pytest.mark.usefixtures("executor")

HEADER = "   ID   PROVIDER            MODULE                          FUNCTION NAME"
SOURCE = (harness.WORKLOADS / "loaded.py").read_text(encoding="utf-8").splitlines()


def line(text):
    (number,) = [i + 1 for i, each in enumerate(SOURCE) if text in each]
    return number


def functions(interpreter):
    """Those of loaded.py, with their lines: known from how it is written."""
    found = {
        ("query", line("def query")), ("query.<locals>.inner", line("def inner")),
        ("query.<locals>.inner.<locals>.<genexpr>", line("return [i for")), ("quit", line("def quit")),
        ("<lambda>", line("key=lambda")), ("wraps", line("def wraps")), ("wraps.<locals>.wrapper", line("@functools.wraps(f)")),
        ("wrapped", line("def wrapped") - 1), ("App.Inner.method", line("async def method")),
        ("App.Inner.method.<locals>.Local", line("class Local")), ("App.Inner.method.<locals>.Local.deep", line("def deep")),
        ("App.prop", line("@property")), ("App.static", line("@staticmethod")), ("App.cached", line("@functools.cached")),
        ("<lambda>", line("table = ")), ("made", 1), ("count", line("def count")), ("called", line("def called")),
        ("more", line("def more")),
    }
    if interpreter.minor < (3, 12):  # PEP 709
        found.add(("query.<locals>.inner.<locals>.<listcomp>", line("return [i for")))
    return found


def listed(pydtrace, *args):
    """The rows of -l below its header, with single blanks."""
    tracer = pydtrace(*args).wait()
    assert (tracer.status, tracer.err) == (0, "")
    lines = tracer.out.splitlines()
    assert lines[0] == HEADER
    return [re.sub(" +", " ", each.strip()) for each in lines[1:]]


def is_refused(interpreter, target, pydtrace):
    """Without a GIL others change what is looked at meanwhile: no list, and why. True if that is so, and the target is done with."""
    if "free-threaded" not in interpreter.kind:
        return False
    tracer = pydtrace("-l", "-n", f"python{target.pid}:__main__::").wait()
    assert tracer.status == 1
    assert re.fullmatch(rf"pydtrace: process {target.pid} \(\S+\): the functions of a Python without a GIL cannot be listed\n",
                        tracer.err), tracer.err
    target.work()
    target.end()
    return True


def test_list(interpreter, start, pydtrace):
    """Each function once at each of its probes, called or not; the process is as it was."""
    target = start(interpreter.argv("loaded.py"))
    if is_refused(interpreter, target, pydtrace):
        return
    before = seen_from_outside(target.pid)
    ids = {}
    rows = listed(pydtrace, "-l", "-n", f"python{target.pid}:__main__::")
    for row in rows:
        number, provider, module, _, event = row.split(" ")
        assert (provider, module) == (f"python{target.pid}", "__main__")
        ids.setdefault(event, set()).add(number)
    assert {event: len(numbers) for event, numbers in ids.items()} == {"function-entry": 1, "function-return": 1}
    want = [name for name, _ in functions(interpreter)]
    for event in ids:
        assert sorted(row.split(" ")[3] for row in rows if row.endswith(event)) == sorted(want)
    same_as(before, target.pid)
    target.work()
    target.end()


def test_list_where(interpreter, start, pydtrace):
    """-v: file and line of each, and the arguments of the probe."""
    target = start(interpreter.argv("loaded.py"))
    if is_refused(interpreter, target, pydtrace):
        return
    rows = listed(pydtrace, "-lv", "-n", f"python{target.pid}:__main__::function-entry")
    probe = rows.index("")
    assert re.fullmatch(rf"\d+ python{target.pid} function-entry", rows[0]) and "Argument Types" in rows[probe + 1]
    found = [re.fullmatch(r"\d+ \S+ __main__ (\S+) function-entry (.*):(\d+)", row) for row in rows if "__main__" in row]
    assert {(m[1], int(m[3])) for m in found} == functions(interpreter)
    files = {m[2].rsplit("/", 1)[-1] for m in found}
    assert files == {"loaded.py", "<string>"}
    target.work()
    target.end()


@pytest.mark.parametrize("description, names", [
    (":__main__:App.*:function-entry", ["App.Inner.method", "App.Inner.method.<locals>.Local",
                                        "App.Inner.method.<locals>.Local.deep", "App.cached", "App.prop", "App.static"]),
    (":__main__:qu[iey]*t:function-entry", ["quit"]),
    (":__main__:querry:function-entry", []),
    (":__main__:called:", ["called", "called"]),
    (":__main__:called:function-entry, {0}:__main__:c*d:function-entry", ["called"]),
])
def test_list_patterns(start, pydtrace, description, names):
    target = start(harness.interpreters()[0].argv("loaded.py"))
    provider = f"python{target.pid}"
    rows = listed(pydtrace, "-l", "-n", provider + description.format(provider))
    assert sorted(row.split(" ")[3] for row in rows) == names
    target.work()
    target.end()


def test_list_many(start, pydtrace):
    """100,000 functions, while the program goes on."""
    target = start(harness.interpreters()[0].argv("loaded.py", "100000"))
    rows = listed(pydtrace, "-l", "-n", f"python{target.pid}:many::function-entry")
    assert len(rows) == len(set(rows)) == 100000
    rows = listed(pydtrace, "-l", "-n", f"python{target.pid}:m*y:f9999?:function-entry")
    assert sorted(row.split(" ")[3] for row in rows) == [f"f9999{i}" for i in range(10)]
    assert target.work()["turns"] > 0
    target.end()


def test_list_odd_names(start, pydtrace):
    """A function's names cannot break out of its row."""
    target = start(harness.interpreters()[0].argv("loaded.py", "odd"))
    rows = listed(pydtrace, "-lv", "-n", f"python{target.pid}:odd*::function-entry")
    rows = [row for row in rows if "odd" in row]
    assert sorted(re.sub(r"^\d+ python\d+ ", "", row) for row in rows) == [
        r"odd\x0a\x1b[2J café function-entry /srv/odd\x0a\x1b[2J.py:1", r"odd\x0a\x1b[2J f function-entry <string>:1"]
    target.work()
    target.end()


def test_list_not_traceable(start, pydtrace):
    """One line, and why."""
    target = start(harness.interpreters()[0].argv("loaded.py"))
    target.process.send_signal(signal.SIGSTOP)
    harness.wait_for(lambda: "T (stopped)" in open(f"/proc/{target.pid}/status", encoding="utf-8").read(), "it to stop")
    tracer = pydtrace("-l", "-n", f"python{target.pid}:::").wait()
    target.process.send_signal(signal.SIGCONT)
    assert tracer.status == 1
    assert tracer.err == (f"pydtrace: process {target.pid} (python3) is stopped; "
                          f"continue it first (kill -CONT {target.pid})\n")
    target.work()
    target.end()


def test_list_before_it_begins(pydtrace):
    """The process of -c has no functions of its program yet: the probes are listed."""
    rows = listed(pydtrace, "-l", "-n", "python$target:::", "-c", f"{harness.interpreters()[0].path} -c pass")
    assert [row.split(" ")[2] for row in rows] == ["function-entry", "function-return"]


def matched(pydtrace, *args):
    """What is said behind "matched N probes"; again, as long as a busy machine lets no one count to the end."""
    for _ in range(50):
        tracer = pydtrace(*args).wait_matched()
        said = tracer.err
        tracer.stop()
        text = re.fullmatch(r"pydtrace: (?:description|script) '[^']*' matched \d+ probes?(.*)\n", said)
        assert text, said
        if "at least" not in text[1] and text[1]:
            break
    return text[1], tracer


@pytest.mark.parametrize("clause, said", [
    ("__main__:query:function-entry", " (1 function now)"),
    ("__main__:qu*t:function-*", " (1 function now)"),
    ("__main__:App.*:function-entry", " (6 functions now)"),
    ("__main__::function-entry /copyinstr(arg1) == \"deep\"/ {{ n++; }}", " (1 function now)"),
    ("__main__:query:function-entry, {}:__main__:q*:function-return", " (4 functions now)"),
    ("__main__:querry:function-entry", r" \(no function yet: \d,\d{3} are loaded; nearest: __main__:query\)"),
    ("__main__::function-entry /copyinstr(arg1) == \"calld\"/ {{ n++; }}",
     r" \(no function yet: \d,\d{3} are loaded; nearest: __main__:called\)"),
    ("__main__:prop:function-entry", r" \(no function yet: \d,\d{3} are loaded; nearest: __main__:App.prop\)"),
    ("__main__:nothing_like_it:function-entry", r" \(no function yet: \d,\d{3} are loaded\)"),
])
def test_matched(start, pydtrace, clause, said):
    interpreter = harness.interpreters()[0]
    target = start(interpreter.argv("loaded.py"))
    if interpreter.minor < (3, 12):
        said = said.replace("(4 functions", "(5 functions")
    provider = f"python{target.pid}:"
    text, _ = matched(pydtrace, "-n", provider + clause.format(provider[:-1]))
    assert re.fullmatch(said, text) if "\\(" in said else text == said, text
    target.work()
    target.end()


def test_matched_is_what_is_traced(interpreter, start, pydtrace):
    """The number on every interpreter."""
    target = start(interpreter.argv("loaded.py"))
    if is_refused(interpreter, target, pydtrace):
        return
    text, _ = matched(pydtrace, "-n", f"python{target.pid}:__main__::function-entry")
    assert text == f" ({len(functions(interpreter))} functions now)"
    target.work()
    target.end()


def test_matched_in_several(start, pydtrace):
    targets = [start(harness.interpreters()[0].argv("loaded.py")) for _ in range(2)]
    text, _ = matched(pydtrace, "-n", ", ".join(f"python{t.pid}:__main__:called:function-entry" for t in targets))
    assert text == " (2 functions in 2 processes now)"
    for target in targets:
        target.work()
        target.end()


@pytest.mark.parametrize("flags", [[], ["-q"]])
def test_never_matched(start, pydtrace, flags):
    """At the end, also with -q: each description that has matched nothing, neither when it was called nor before."""
    target = start(harness.interpreters()[0].argv("loaded.py"))
    provider = f"python{target.pid}"
    tracer = pydtrace(*flags, "-n", f"""
        BEGIN {{ printf("on\\n"); }}
        {provider}:__main__:calld:function-entry, {provider}:__main__:called:function-entry {{ n++; }}
        {provider}:__main__:quit:function-return {{ n++; }}
        {provider}:__main__::function-return /copyinstr(arg1) == "nobody"/ {{ n++; }}
        {provider}:late:f:function-entry {{ n++; }}
        END {{ printf("n: %d\\n", n); }}""").wait_said("on\n")
    target.work()
    tracer.stop()
    target.end()
    assert tracer.status == 0
    assert tracer.number("n") <= 10
    assert [each for each in tracer.err.splitlines() if " matched " in each and "probes" not in each] == [
        f"pydtrace: warning: probe description {provider}:__main__:calld:function-entry has matched no function",
        f"pydtrace: warning: probe description {provider}:__main__::function-return with its predicate has matched no function",
        f"pydtrace: warning: probe description {provider}:late:f:function-entry has matched no function"]


def test_matched_later(start, pydtrace):
    """Of a program that has not begun nothing is said at the start; what it calls later counts."""
    command = f"{harness.interpreters()[0].path} -c \"exec('def late(): pass'); late()\""
    tracer = pydtrace("-n", "python$target:__main__:late:function-entry { n++; } END { printf(\"n: %d\\n\", n); }",
                      "-n", "python$target:__main__:latr:function-entry { n++; }", "-c", command).wait()
    assert tracer.number("n") == 1
    said = [re.sub(r"python\d+", "python", each) for each in tracer.err.splitlines()]
    assert [each for each in said if "matched no" in each] == [
        "pydtrace: warning: probe description python:__main__:latr:function-entry has matched no function"]
    assert [each.rsplit("'", 1)[1] for each in said if "' matched" in each] == [" matched 2 probes", " matched 1 probe"]


def test_list_of_one_interpreter(start, pydtrace):
    """Where a process has several, one of them is listed, and it is said that this is not all."""
    interpreter = max((i for i in harness.interpreters() if i.root == "/"), key=lambda i: i.minor)
    target = start([interpreter.path, "-c", """
import sys, os, json
sys.path.insert(0, sys.argv[1])
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
interpreters.create()
def mine(): pass
from workload import hear, ready
ready()
hear()
""", str(harness.WORKLOADS)])
    tracer = pydtrace("-l", "-n", f"python{target.pid}:__main__:mine:function-entry").wait()
    assert tracer.status == 0
    assert re.fullmatch(rf"pydtrace: warning: process {target.pid} \(\S+\): there are functions that could not be listed\n",
                        tracer.err), tracer.err
    assert " mine function-entry" in tracer.out
    target.tell()
    target.end()
