# SPDX-License-Identifier: Apache-2.0
"""Programs that do what a tracer inside of them finds hard to bear (torture/): they are attached to and left again while they
do it, by tracers that end well and by one that is killed, and nothing is wrong, miscounted or left behind."""
import pathlib
import random
import re
import subprocess
import time

import pytest

import harness
from conftest import cannot
from outside import same_as, seen_from_outside

pytestmark = pytest.mark.usefixtures("executor")

TORTURE = harness.HERE / "torture"
EVERY = {}
MONITORING = {"since": (3, 12), "why": "no sys.monitoring before 3.12"}
OWN_GIL = {"since": (3, 12), "why": "no interpreters with a GIL of their own before 3.12"}
GREENLET = {"module": "greenlet", "why": "Debian's python3-greenlet is for this system's interpreter alone"}
GEVENT = {"module": "gevent", "why": "Debian's python3-gevent is for this system's interpreter alone"}
# By the name of the program: which interpreters can run it, and why others cannot.
KINDS = {
    "async_generators": EVERY,
    "at_exit": EVERY,
    "callbacks": EVERY,
    "collects": EVERY,
    "dev_mode": EVERY,
    "exec_loop": EVERY,
    "fault_handler": EVERY,
    "gevents": GEVENT,
    "greenlets": GREENLET,
    "memory_errors": EVERY,
    "monitors": MONITORING,
    "profiled": EVERY,
    "recursion_errors": EVERY,
    "replaced": EVERY,
    "set_trace": EVERY,
    "spawns": EVERY,
    "subinterpreters": OWN_GIL,
    "threads_fork": EVERY,
    "timers": EVERY,
    "tiny_stacks": EVERY,
    "trace_malloc": EVERY,
}
EVERYTHING = """
python$1:::function-entry { @calls[copyinstr(arg1)] = count(); entries++; }
python$1:::function-return { returns++; }
END { printa("%s %@d\\n", @calls); printf("entries: %d\\nreturns: %d\\n", entries, returns); }
"""
SCRIPT_2007 = ["-Fs", harness.S4PYFUNC]
SCRIPT_DEPTH = ["-s", harness.SCRIPTS / "depth.d"]


def case(kind, interpreter):
    """The pair, with a skip when that interpreter cannot run that kind."""
    needs = KINDS[kind]
    cannot_run = interpreter.minor < needs.get("since", (0,)) or "module" in needs and interpreter.kind != "system"
    return pytest.param(kind, interpreter, id=f"{kind}-{interpreter}",
                        marks=[pytest.mark.skip(reason=needs["why"])] if cannot_run else [])


def pytest_generate_tests(metafunc):
    """Every kind on every interpreter."""
    if "since_312" in metafunc.fixturenames:
        metafunc.parametrize("since_312", [i for i in harness.interpreters() if i.minor >= (3, 12)], ids=str)
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind, which", [case(kind, each) for kind in KINDS for each in harness.interpreters()])


# What refuses a tracer now and then, by kind: it comes again then, and nothing has happened to the target.
REFUSALS = {
    "memory_errors": ["cannot enter it: Cannot allocate memory", "not enough memory"],
    "subinterpreters": ["the thread was running a subinterpreter; try again"],
}
AT_MOST_REFUSED = 100


class Tortured:
    """A target of some kind, and who comes to it."""

    def __init__(self, kind, target, pydtrace):
        self.kind, self.target, self.pydtrace = kind, target, pydtrace
        self.comm = pathlib.Path(f"/proc/{target.pid}/comm").read_text(encoding="utf-8").strip()
        self.refusals = [f"pydtrace: process {target.pid} ({self.comm}): {why}\n" for why in REFUSALS.get(kind, [])]

    def rest(self):
        """It does nothing, and has found nothing wrong."""
        assert self.target.work("rest")["wrong"] == []

    def go(self):
        assert self.target.work("go") == {}

    def attach(self, script, *names):
        """A tracer whose probes are on."""
        for _ in range(AT_MOST_REFUSED):
            tracer = self.pydtrace(*script, self.target.pid, *names)
            harness.wait_for(lambda: " matched " in tracer.err or tracer.process.poll() is not None, "probes to match")
            if tracer.err not in self.refusals:
                break
        return tracer.wait_matched()

    def traced(self, script, *names):
        """A tracer; and the truth of a window that the target has worked in since."""
        tracer = self.attach(script, *names)
        truth = self.target.work("window")
        assert truth["wrong"] == []
        return tracer, truth

    def cycle(self, script):
        tracer, truth = self.traced(script, "counted")
        tracer.stop()
        known = {"calls": truth["calls"], "getppid": truth["inside"], "geteuid": 0}
        if script is SCRIPT_DEPTH:
            known["returns"] = truth["calls"]
        elif not truth["flat"]:
            known["getppid"] = None
        compare(tracer, known)

    def cycle_everything(self):
        """Each function that is entered while it works."""
        tracer, truth = self.traced(["-n", EVERYTHING])
        tracer.stop()
        assert tracer.status == 0, tracer.err
        if "python drop" not in tracer.err:
            assert f"counted {truth['calls']}" in tracer.lines(), tracer.out + tracer.err
        assert tracer.number("entries") > truth["calls"] and tracer.number("returns") > truth["calls"], tracer.out

    def cycle_killed(self, dice):
        """The tracer is killed at any instant from its start on; the target goes on."""
        tracer = self.pydtrace(*SCRIPT_2007, self.target.pid, "target")
        time.sleep(dice.uniform(0, 0.15))
        tracer.kill()
        turns = self.target.work("turns")["turns"]
        harness.wait_for(lambda: self.target.work("turns")["turns"] > turns, "the target to go on")

    def cycle_end(self):
        """The target ends while it is traced."""
        tracer, truth = self.traced(SCRIPT_2007, "counted")
        self.target.end()
        tracer.wait()
        compare(tracer, {"calls": truth["calls"] + truth["later"]})


def compare(tracer, known):
    """`known` is what must be in the output: numbers by name, and system calls. None: not known."""
    assert tracer.status == 0, tracer.err
    # Where there is no memory left, not even a reference can be kept; each call is an entry and a return.
    lost = sum(int(n) // 2 for n in re.findall(r"(\d+) python drop", tracer.err))
    known = {name: value and value - lost for name, value in known.items()}
    said = {name: tracer.number(name) if name in ("calls", "returns") else tracer.table().get(name, 0) for name in known}
    assert said == {name: said[name] if value is None else value for name, value in known.items()}, tracer.out + tracer.err


def test_torture(kind, which, start, pydtrace):
    module = KINDS[kind].get("module")
    if module and subprocess.run([which.path, "-c", "import " + module], stderr=subprocess.DEVNULL, check=False).returncode:
        cannot(f"python3-{module} is not installed")
    target = start(which.argv(kind + ".py", folder=TORTURE))
    tortured = Tortured(kind, target, pydtrace)
    tortured.rest()
    before = seen_from_outside(target.pid)
    tortured.go()
    tortured.cycle(SCRIPT_2007)
    tortured.cycle_everything()
    tortured.cycle_killed(random.Random(f"{kind} {which}"))
    tortured.cycle(SCRIPT_DEPTH)
    tortured.rest()
    same_as(before, target.pid)
    tortured.go()
    tortured.cycle_end()


def test_killed_while_target_is_busy(start, pydtrace):
    """A tracer is killed while the target is in C code that holds the GIL; the next one, which waits too, takes out all there is."""
    target = start(harness.interpreters()[0].argv("holds_gil.py", folder=TORTURE))
    tortured = Tortured("holds_gil", target, pydtrace)
    tortured.rest()
    before = seen_from_outside(target.pid)
    tortured.go()
    tracer = pydtrace(*SCRIPT_2007, target.pid, "counted")
    harness.wait_for(lambda: seen_from_outside(target.pid)["maps"] != before["maps"], "something of ours in the target")
    tracer.kill()
    tortured.cycle(SCRIPT_2007)
    tortured.rest()
    same_as(before, target.pid, seconds=3)


def test_no_tool_id(since_312, start, pydtrace):
    """Where all IDs of sys.monitoring are taken, that is said, and the tools that have them see all that they did before."""
    target = start(since_312.argv("monitors_all.py", folder=TORTURE))
    tortured = Tortured("monitors_all", target, pydtrace)
    tortured.rest()
    before = seen_from_outside(target.pid)
    tortured.go()
    for _ in range(3):
        tracer = pydtrace(*SCRIPT_2007, target.pid, "counted").wait()
        assert tracer.err == f"pydtrace: process {target.pid} ({tortured.comm}): all six sys.monitoring tool ids are in use\n"
        assert (tracer.status, tracer.out) == (1, "")
        assert target.work("window")["wrong"] == []
    tortured.rest()
    same_as(before, target.pid)
    target.end()


def test_exec_from_thread(interpreter, start, pydtrace):
    """What another thread than the main one makes of the process, in the function, goes on, and can be attached to anew."""
    target = start(interpreter.argv("exec_thread.py", folder=TORTURE))
    before = seen_from_outside(target.pid)
    for _ in range(3):
        tracer = pydtrace(*SCRIPT_2007, target.pid, "counted").wait_matched()
        truth = target.work("exec")
        tracer.stop()
        compare(tracer, {"calls": truth["calls"], "getppid": truth["calls"], "execve": 1})
    same_as(before, target.pid)
    assert target.work() == {"wrong": []}
    assert target.process.wait(harness.PATIENCE) == 0
