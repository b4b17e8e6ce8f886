# SPDX-License-Identifier: Apache-2.0
"""How the command of -c ends is said where that is not with 0 (src/session/process.c)."""
import os
import pathlib
import re
import shlex
import signal

import pytest

import harness

PYTHON = harness.interpreters()[0].path
CALLS = "syscall::write:entry /pid == $target/ { n++; }"
FUNCTIONS = "python$target:__main__::function-entry { n++; }"
pytestmark = pytest.mark.usefixtures("executor")

# Of a command line, each kind of end; what is said of it, or nothing.
ENDS = [
    ("exit 0", None),
    ("exit 3", "exited with status 3"),
    ("exit 255", "exited with status 255"),
    ("kill -TERM $$", "was ended by SIGTERM"),
    ("kill -KILL $$", "was ended by SIGKILL"),
    ("kill -40 $$", "was ended by signal 40"),
]


def said(tracer):
    """What it said beside what has matched and what is seen, with N for the process's ID."""
    lines = [line for line in tracer.err.splitlines() if " matched " not in line and "system calls by ptrace" not in line]
    return [re.sub(r"process \d+", "process N", line) for line in lines]


def warns(how):
    return [f"pydtrace: warning: process N, the command of -c, {how}"]


@pytest.fixture
def command(pydtrace):
    """command(line, script, flags...): a run that ends with that command."""
    def command(line, script, *flags):
        tracer = pydtrace(*flags, "-n", script, "-c", line).wait()
        assert tracer.status == 0, tracer.err
        return said(tracer)
    return command


@pytest.mark.parametrize("script", [CALLS, "tick-1hz { }"], ids=["calls", "tick"])
@pytest.mark.parametrize("line, how", ENDS, ids=lambda it: str(it))
def test_ends(command, line, how, script):
    assert command(f"sh -c '{line}'", script) == (warns(how) if how else [])


@pytest.mark.parametrize("code, how", [
    ("pass", None), ("raise SystemExit(7)", "exited with status 7"), ("1 / 0", "exited with status 1"),
    ("import os; os.kill(os.getpid(), 6)", "was ended by SIGABRT")])
def test_python_ends(command, code, how):
    """A Python that is traced ends as it would."""
    line = shlex.join(["prlimit", "--core=0", PYTHON, "-c", "def f(): pass\nf()\n" + code])
    assert [text for text in command(line, FUNCTIONS) if text.startswith("pydtrace: ")] == (warns(how) if how else [])


def test_quiet(command):
    """-q is about what goes well."""
    assert command("sh -c 'exit 3'", CALLS, "-q") == warns("exited with status 3")


def test_killed_by_us(command):
    """exit() ends the run, and the command with it: that is no end of its own."""
    assert command("sleep 1000", "tick-100ms { exit(0); }") == []


def test_missing_script(pydtrace):
    """What ended before its first line could be traced says how, beside our own error."""
    tracer = pydtrace("-n", FUNCTIONS, "-c", f"{PYTHON} /nonexistent.py").wait()
    assert warns("exited with status 2")[0] in said(tracer), tracer.err


def ended(pid):
    """Also of a process that its tracer has not waited for yet."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("trap", ["", "trap 'exit 4' INT; "], ids=["dies", "exits"])
def test_interrupted(pydtrace, tmp_path, trap):
    """Ctrl-C goes to the command too: how that ends is no news, whether it is faster than the tracer or not."""
    line = f"sh -c \"{trap}echo $$ > pid.new; mv pid.new pid; while :; do sleep 0.01; done\""
    tracer = pydtrace("-n", CALLS, "-c", line, cwd=tmp_path, preexec_fn=os.setsid).wait_matched()
    harness.wait_for((tmp_path / "pid").exists, "the command to run")
    os.killpg(tracer.process.pid, signal.SIGINT)
    tracer.wait()
    assert (tracer.status, said(tracer)) == (0, []), tracer.err


@pytest.mark.parametrize("how, text", [("exit 3", "exited with status 3"), ("kill -SEGV $$", "was ended by SIGSEGV")])
def test_ended_before(pydtrace, tmp_path, start, how, text):
    """The run goes on for another process; the end that the command had long before Ctrl-C is told."""
    other = start(harness.interpreters()[0].argv("steady.py"))
    line = f"prlimit --core=0 sh -c \"echo $$ > pid.new; mv pid.new pid; {how}\""
    tracer = pydtrace("-n", CALLS, "-n", "tick-10hz { ticks++; printf(\"tick %d.\", ticks); }", "-p", other.pid, "-c", line, cwd=tmp_path)
    harness.wait_for((tmp_path / "pid").exists, "the command to run")
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
    harness.wait_for(lambda: ended(pid), "the command to end")
    ticks = tracer.out.count("tick ")
    tracer.wait_said(f"tick {ticks + 3}.").stop()
    assert (tracer.status, said(tracer)) == (0, warns(text)), tracer.err
