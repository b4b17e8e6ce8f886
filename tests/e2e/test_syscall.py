# SPDX-License-Identifier: Apache-2.0
"""Whose system calls are seen, and what a clause can do to the process that made one."""
import os
import signal

import pytest

import harness

PYTHON = harness.interpreters()[0]
ENTRY = "python$target:__main__:target:function-entry"
SAY = 'END { printf("n: %d\\n", n); }'
# A call that only these programs make, in two of them.
OTHERS = """
python$1:::function-entry /copyinstr(arg1) == "target"/ { n++; }
syscall::getpgid:entry /arg0 == 4242 && (pid == $1 || pid == $2)/ { @[pid == $1 ? "ours" : "theirs"] = count(); }
END { printf("n: %d\\n", n); }
"""


def work_of_two(start, pydtrace, *flags):
    """What OTHERS counts in a process that is traced, and in one that is not."""
    ours, theirs = start(PYTHON.argv("asked.py")), start(PYTHON.argv("asked.py"))
    tracer = pydtrace(*flags, "-n", OTHERS, ours.pid, theirs.pid).wait_matched()
    ours.work("30")
    theirs.work("70")
    tracer.stop()
    assert tracer.status == 0 and tracer.number("n") == 30, tracer.err
    return tracer


def test_of_all_processes(kernel, start, pydtrace):
    tracer = work_of_two(start, pydtrace, "-x", "exec=kernel")
    assert tracer.table() == {"ours": 30, "theirs": 70}, tracer.out


def test_of_the_traced_alone(start, pydtrace):
    """Without eBPF only the processes that are traced are seen; it is said."""
    tracer = work_of_two(start, pydtrace, "-x", "exec=vm", "-v")
    assert tracer.table() == {"ours": 30}, tracer.out
    assert "system calls of processes that are not being traced are not seen" in tracer.err


@pytest.mark.parametrize("at", [ENTRY, "syscall::getpgid:entry", "syscall::getpgid:return"])
def test_raise(executor, start, pydtrace, at):
    """raise(): the signal goes to the thread that made the event, once for each."""
    target = start(PYTHON.argv("asked.py"))
    number = int(signal.SIGUSR1)
    tracer = pydtrace("-p", target.pid, "-w", "-n", f"{at} /pid == $target/ {{ n++; raise({number}); }}", "-n", SAY).wait_matched()
    for n in range(1, 6):
        assert target.work("1") == {"got": [number] * n}
    tracer.stop()
    assert tracer.status == 0 and tracer.number("n") == 5, tracer.err
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0


@pytest.mark.parametrize("at", [ENTRY, "syscall::getpgid:entry"])
def test_stop(executor, start, pydtrace, at):
    """stop(): the process stops, its parent is told, and SIGCONT lets it go on, as if it had been stopped by kill(1)."""
    target = start(PYTHON.argv("asked.py"))
    tracer = pydtrace("-p", target.pid, "-w", "-n", f"{at} /pid == $target/ {{ n++; stop(); }}", "-n", SAY).wait_matched()
    for _ in range(3):
        target.tell("1")
        harness.wait_for(lambda: os.waitpid(target.pid, os.WUNTRACED | os.WNOHANG)[0], "it to stop")
        os.kill(target.pid, signal.SIGCONT)
        assert target.hear() == {"got": []}
    tracer.stop()
    assert tracer.status == 0 and tracer.number("n") == 3, tracer.err
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0


@pytest.mark.parametrize("at", [ENTRY, "syscall::getpgid:entry"])
def test_exit(executor, start, pydtrace, at):
    """exit() in a clause: the run ends with that status, and the thread that made the event goes on at once."""
    target = start(PYTHON.argv("asked.py"))
    tracer = pydtrace("-p", target.pid, "-n", f"{at} /pid == $target/ {{ n++; exit(5); }}", "-n", SAY).wait_matched()
    assert target.work("50") == {"got": []}
    tracer.wait()
    assert (tracer.status, tracer.number("n")) == (5, 1), tracer.err
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0


def test_two_processes(executor, start, pydtrace):
    """Two processes in one script: each call is its own process's, and each thread-local variable its own thread's."""
    one, two = start(PYTHON.argv("asked.py")), start(PYTHON.argv("asked.py"))
    tracer = pydtrace("-n", """
        python$1:__main__:target:function-entry, python$2:__main__:target:function-entry { self->t = 1; }
        python$1:__main__:target:function-return, python$2:__main__:target:function-return { self->t = 0; }
        syscall::getppid:entry, syscall::getpgid:return /self->t/ { @[strjoin(pid == $1 ? "one" : "two", probename)] = count(); }
        """, one.pid, two.pid).wait_matched()
    one.tell("300")
    two.tell("500")
    one.hear()
    two.hear()
    tracer.stop()
    assert tracer.status == 0, tracer.err
    assert tracer.table() == {"oneentry": 300, "onereturn": 300, "twoentry": 500, "tworeturn": 500}, tracer.out
