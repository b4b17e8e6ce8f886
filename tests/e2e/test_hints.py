# SPDX-License-Identifier: Apache-2.0
"""Who names a process, and no probe of it, gets an example that works on that process (src/session/example.c)."""
import re
import shlex
import subprocess

import pytest

import harness

pytestmark = pytest.mark.usefixtures("executor")

NOBODY = 99999999  # more than the kernel ever gives out
PYTHON = "python$target:::function-entry { @[copyinstr(arg1)] = count(); }"
CALLS = "syscall:::entry /pid == $target/ { @[probefunc] = count(); }"
NOTHING = pytest.mark.parametrize("args, message", [
    ([], "no probes specified"),
    (["-n", "function-entry"], "-n:1:1: probe description :::function-entry does not match any probes"),
    (["-n", "f:function-return { }"], "-n:1:1: probe description ::f:function-return does not match any probes"),
], ids=["bare", "entry", "return"])


def answer(args):
    done = harness.run(*args)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr.splitlines()[0]


def example(args, message, script, pid):
    """The command line that is offered: its flags."""
    said = answer([*args, "-p", pid])
    assert said == f"pydtrace: {message}; for example: pydtrace -n '{script}' -p {pid}"
    return shlex.split(re.sub(".*; for example: pydtrace ", "", said))


@NOTHING
def test_python(start, pydtrace, args, message):
    target = start(harness.interpreters()[0].argv("one_thread.py"))
    tracer = pydtrace(*example(args, message, PYTHON, target.pid)).wait_matched()
    truth = target.work()
    tracer.stop()
    assert (tracer.status, tracer.table()[target.ready["function"]]) == (0, truth["calls"]), tracer.out + tracer.err


@pytest.fixture
def answers():
    """A process that is no Python, and writes a line for each that it reads."""
    with subprocess.Popen(["sh", "-c", "while read line; do echo $line; done"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        yield process
        process.stdin.close()


@NOTHING
def test_other(answers, pydtrace, args, message):
    tracer = pydtrace(*example(args, message, CALLS, answers.pid)).wait_matched()
    for i in range(5):
        answers.stdin.write(f"{i}\n")
        answers.stdin.flush()
        assert answers.stdout.readline() == f"{i}\n"
    tracer.stop()
    assert (tracer.status, tracer.table()["write"]) == (0, 5), tracer.out + tracer.err


@pytest.mark.parametrize("pid", [NOBODY, "abc"])
def test_no_process(pid):
    """Where nothing works nothing is offered."""
    assert answer(["-p", pid]) == "pydtrace: no probes specified"


def test_no_process_named():
    """Nor where nothing is known."""
    assert answer(["-n", "function-entry"]) == "pydtrace: -n:1:1: probe description :::function-entry does not match any probes"
