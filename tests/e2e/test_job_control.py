# SPDX-License-Identifier: Apache-2.0
"""A tracer that is stopped (Ctrl-Z, SIGSTOP) and goes on: no thread of the target stands as long as it does, and what it
counts before and after is exact."""
import ctypes
import os
import pathlib
import pty
import random
import re
import select
import shlex
import signal
import subprocess
import time

import pytest

import harness

# So long is a tracer stopped: longer than an agent waits for an answer before it gives its tracer up (2 s).
STOPPED = 2.5
# So long may a thread of the target stand: far below that, far above what a busy machine takes.
LONGEST = 0.5

COUNTS = """
python$1:::function-entry /copyinstr(arg1) == "target"/ { self->t = 1; calls++; }
python$1:::function-return /copyinstr(arg1) == "target"/ { self->t = 0; returns++; }
python$1:::function-entry /copyinstr(arg1) == "steady"/ { self->s = 1; steady++; }
python$1:::function-return /copyinstr(arg1) == "steady"/ { self->s = 0; }
python$1:::function-entry /copyinstr(arg1) == "held"/ { self->h = 1; }
python$1:::function-return /copyinstr(arg1) == "held"/ { self->h = 0; }
"""
END = """
END { printf("calls: %d\\nreturns: %d\\ninside: %d\\nsteady: %d\\nstray: %d\\n", calls, returns, inside, steady, stray); }
"""
GATED = COUNTS + """
syscall::getppid:entry /self->t/ { inside++; }
syscall::geteuid:entry /self->t || self->h/ { stray++; }
syscall::geteuid:entry /self->s/ { busy++; }
""" + END
# Every call of every thread stops.
UNGATED = COUNTS + """
syscall::getppid:entry /pid == $1/ { inside++; }
syscall::geteuid:entry /self->t || self->h/ { stray++; }
syscall:::return /pid == $1/ { all++; }
""" + END
SCRIPTS = pytest.mark.parametrize("script", [GATED, UNGATED], ids=["gated", "ungated"])
SAID = (r"pydtrace: was stopped for (\d+\.\d) s: what processes did meanwhile was not seen, "
        r"and thread-local variables are unset since\n")
ONE = harness.interpreters()[0]


def state_of_thread(pid, tid):
    return re.search(r"^State:\t(.)", pathlib.Path(f"/proc/{pid}/task/{tid}/status").read_text(encoding="utf-8"), re.M)[1]


def state_of(pid):
    return state_of_thread(pid, pid)


def tracers_of(pid):
    """Who traces its threads, by ptrace."""
    return {re.search(r"^TracerPid:\t(\d+)", (task / "status").read_text(encoding="utf-8"), re.M)[1]
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir()}


@pytest.fixture
def job(pydtrace):
    """job(script, target) -> Tracer in a process group of its own. Its parent is in the same session and another group, so
    that the kernel takes it for a job that a shell may continue: one that nobody could continue is not stopped by SIGTSTP."""
    def job(script, target):
        return pydtrace("-n", script, target.pid, preexec_fn=os.setpgrp).wait_matched()

    return job


def send(tracer, signo):
    tracer.process.send_signal(signo)


def is_stopped(tracer, target):
    """Stopped for good, not to be woken up again: by then nobody is traced."""
    return state_of(tracer.process.pid) == "T" and tracers_of(target.pid) == {"0"}


def wait_stopped(tracer, target):
    harness.wait_for(lambda: is_stopped(tracer, target), "the tracer to be stopped, and nobody with it")


def wait_said(tracer, executor, times=1):
    """Until events are seen again: by eBPF they are all the time."""
    if executor == "vm":
        harness.wait_for(lambda: len(re.findall(SAID, tracer.err)) == times, "the tracer to go on")


def exact(tracer, calls):
    assert tracer.status == 0, tracer.err
    assert tracer.number("calls") == tracer.number("returns") == calls, tracer.out + tracer.err
    assert tracer.number("inside") == 2 * calls, tracer.out + tracer.err
    assert tracer.number("stray") == 0, tracer.out + tracer.err
    assert "did not answer" not in tracer.err


def ends(target):
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0


@pytest.mark.parametrize("signo", [signal.SIGTSTP, signal.SIGTTOU, signal.SIGTTIN, signal.SIGSTOP],
                         ids=lambda s: s.name)
@SCRIPTS
def test_stopped(start, job, executor, script, signo):
    target = start(ONE.argv("steady.py"))
    tracer = job(script, target)
    calls = target.work("300")["calls"]
    target.work("busy")
    harness.wait_for(lambda: target.work("turns")["turns"] > 10, "the thread to work")
    send(tracer, signo)
    wait_stopped(tracer, target)
    turns = target.work("turns")["turns"]
    time.sleep(STOPPED)
    assert is_stopped(tracer, target)
    assert target.work("turns")["turns"] > turns + 10
    send(tracer, signal.SIGCONT)
    wait_said(tracer, executor)
    harness.wait_for(lambda: target.work("turns")["turns"] > turns + 20, "the thread to go on")
    assert target.work("rest")["gap"] < LONGEST
    calls += target.work("300")["calls"]
    tracer.stop()
    exact(tracer, calls)
    assert tracer.number("steady") > 0, tracer.out + tracer.err
    assert [STOPPED <= float(s) < STOPPED + 10 for s in re.findall(SAID, tracer.err)] == [True] * (executor == "vm")
    ends(target)


@SCRIPTS
def test_return_that_was_missed(start, job, executor, script):
    """What the entry of a function has set is not set for good, when the return has come meanwhile."""
    target = start(ONE.argv("steady.py"))
    tracer = job(script, target)
    calls = target.work("50")["calls"]
    target.work("held")
    send(tracer, signal.SIGTSTP)
    wait_stopped(tracer, target)
    target.work("return")
    send(tracer, signal.SIGCONT)
    wait_said(tracer, executor)
    target.work("calls")
    calls += target.work("50")["calls"]
    target.work("calls")
    tracer.stop()
    exact(tracer, calls)
    ends(target)


@SCRIPTS
def test_again_and_again(start, job, executor, script):
    target = start(ONE.argv("steady.py"))
    tracer = job(script, target)
    target.work("busy")
    calls = 0
    for n in range(1, 9):
        send(tracer, [signal.SIGTSTP, signal.SIGSTOP][n % 2])
        wait_stopped(tracer, target)
        send(tracer, signal.SIGCONT)
        wait_said(tracer, executor, n)
        calls += target.work("20")["calls"]
    assert target.work("rest")["gap"] < LONGEST
    tracer.stop()
    exact(tracer, calls)
    ends(target)


@pytest.mark.parametrize("signo", [signal.SIGTSTP, signal.SIGSTOP], ids=lambda s: s.name)
def test_interrupted_while_stopped(start, job, executor, signo):
    """Ctrl-C takes effect when it goes on."""
    target = start(ONE.argv("steady.py"))
    tracer = job(GATED, target)
    calls = target.work("100")["calls"]
    send(tracer, signo)
    wait_stopped(tracer, target)
    send(tracer, signal.SIGINT)
    assert is_stopped(tracer, target)
    send(tracer, signal.SIGCONT)
    tracer.wait()
    assert tracer.status == 0 and tracer.number("calls") == calls, tracer.out + tracer.err
    ends(target)


@SCRIPTS
def test_killed_while_stopped(start, job, executor, script):
    target = start(ONE.argv("steady.py"))
    tracer = job(script, target)
    target.work("busy")
    send(tracer, signal.SIGTSTP)
    wait_stopped(tracer, target)
    tracer.kill()
    turns = target.work("turns")["turns"]
    harness.wait_for(lambda: target.work("turns")["turns"] > turns + 10, "the thread to go on")
    assert target.work("rest")["gap"] < LONGEST
    ends(target)


@pytest.mark.parametrize("signo", [signal.SIGTSTP, signal.SIGSTOP], ids=lambda s: s.name)
@SCRIPTS
def test_in_the_middle_of_attaching(start, pydtrace, executor, script, signo):
    target = start(ONE.argv("steady.py"))
    target.work("busy")
    dice = random.Random(9)
    for _ in range(8):
        tracer = pydtrace("-n", script, target.pid, preexec_fn=os.setpgrp)
        time.sleep(dice.uniform(0, 0.15))  # at any instant
        send(tracer, signo)
        wait_stopped(tracer, target)
        turns = target.work("turns")["turns"]
        harness.wait_for(lambda: target.work("turns")["turns"] > turns + 10, "the thread to go on")
        send(tracer, signal.SIGCONT)
        tracer.wait_matched()
        calls = target.work("20")["calls"]
        tracer.stop()
        # Whether it was stopped before or after "matched", all of these came after it, but perhaps not after it was taken back.
        assert tracer.status == 0, tracer.err
        assert tracer.number("calls") <= calls, tracer.out + tracer.err
        if not re.search(SAID, tracer.err):
            exact(tracer, calls)
    assert target.work("rest")["gap"] < LONGEST
    ends(target)


@SCRIPTS
def test_in_the_middle_of_detaching(start, job, executor, script):
    target = start(ONE.argv("steady.py"))
    target.work("busy")
    dice = random.Random(9)
    for _ in range(8):
        tracer = job(script, target)
        calls = target.work("20")["calls"]
        send(tracer, signal.SIGINT)
        time.sleep(dice.uniform(0, 0.03))
        send(tracer, signal.SIGTSTP)
        harness.wait_for(lambda: tracer.process.poll() is not None or is_stopped(tracer, target), "a stop, or an end")
        turns = target.work("turns")["turns"]
        harness.wait_for(lambda: target.work("turns")["turns"] > turns + 10, "the thread to go on")
        send(tracer, signal.SIGCONT)
        tracer.wait()
        exact(tracer, calls)
    assert target.work("rest")["gap"] < LONGEST
    ends(target)


@SCRIPTS
def test_with_its_command(pydtrace, executor, script):
    """Ctrl-Z is for the command, too, which is in the same process group."""
    tracer = pydtrace("-n", script.replace("$1", "$target"), "-c", shlex.join(ONE.argv("steady.py")), stdin=subprocess.PIPE,
                      preexec_fn=os.setpgrp)
    tracer.wait_said('{"function": "target"}\n')
    (child,) = [int(pid) for pid in pathlib.Path(f"/proc/{tracer.process.pid}/task/{tracer.process.pid}/children")
                .read_text(encoding="utf-8").split()]

    def work(what):
        asked = tracer.out.count("{")
        os.write(tracer.process.stdin.fileno(), what.encode() + b"\n")
        harness.wait_for(lambda: tracer.out.count("{") > asked, "an answer")

    for n in range(1, 4):
        work("20")
        os.killpg(tracer.process.pid, signal.SIGTSTP)
        harness.wait_for(lambda: state_of(tracer.process.pid) == state_of(child) == "T" and tracers_of(child) == {"0"},
                         "both to be stopped")
        os.killpg(tracer.process.pid, signal.SIGCONT)
        wait_said(tracer, executor, n)
    work("20")
    tracer.process.stdin.close()
    tracer.wait()
    exact(tracer, 80)


def test_by_its_terminal(start, executor):
    """Ctrl-Z on a terminal, and the shell's fg: the shell sees a job that was stopped by SIGTSTP."""
    target = start(ONE.argv("steady.py"))
    calls = target.work("1")["calls"] - 1
    pid, terminal = pty.fork()
    if not pid:
        os.execv("/bin/bash", ["bash", "--norc", "--noediting", "-i"])
    said = bytearray()

    def hears(text, since=0):
        if select.select([terminal], [], [], 0)[0]:
            said.extend(os.read(terminal, 65536))
        return text in said[since:].decode("utf-8", "replace")

    def types(text, answer):
        since = len(said)
        os.write(terminal, text)
        harness.wait_for(lambda: hears(answer, since), f"{answer!r} after {text!r}: {said}")

    try:
        command = shlex.join([str(harness.PYDTRACE), "-x", "exec=" + executor, "-n", GATED.replace("\n", " "), str(target.pid)])
        types(f"PS1='ready> '; {command}\n".encode(), " matched ")
        target.work("busy")
        calls += target.work("20")["calls"]
        types(b"\x1a", "Stopped")
        assert tracers_of(target.pid) == {"0"}
        turns = target.work("turns")["turns"]
        harness.wait_for(lambda: target.work("turns")["turns"] > turns + 10, "the thread to go on")
        types(b"fg\n", "was stopped for " if executor == "vm" else "pydtrace")
        calls += target.work("20")["calls"]
        types(b"\x03", f"calls: {calls}")
        assert target.work("rest")["gap"] < LONGEST
        ends(target)
    finally:
        os.kill(pid, signal.SIGHUP)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def test_watch(start, job, executor):
    """What wakes the tracer up holds nothing of ours open, is in no process group of ours, and ends with the tracer, however that
    ends."""
    target = start(ONE.argv("steady.py"))
    for end in (lambda tracer: tracer.stop(), lambda tracer: tracer.kill()):
        tracer = job(GATED, target)
        watch = harness.watch_of(tracer)
        harness.wait_for(lambda: os.getsid(watch) == watch, "a session of its own")
        harness.wait_for(lambda: not [fd for fd in os.listdir(f"/proc/{watch}/fd")
                                      if fd != "0"], "no descriptor but that of a look")
        end(tracer)
        harness.wait_for(lambda: not pathlib.Path(f"/proc/{watch}").exists(), "its end")
    ends(target)


def test_debugged(start, job, executor):
    """A tracer that its debugger has stopped is left alone: it is in no state to go on."""
    target = start(ONE.argv("steady.py"))
    tracer = job(GATED, target)
    libc = ctypes.CDLL(None, use_errno=True)
    seize, interrupt, detach = 0x4206, 0x4207, 17
    pid = tracer.process.pid
    tasks = [int(t) for t in os.listdir(f"/proc/{pid}/task")]
    for tid in tasks:
        assert libc.ptrace(seize, tid, None, None) == 0 and libc.ptrace(interrupt, tid, None, None) == 0
    harness.wait_for(lambda: {state_of_thread(pid, t) for t in tasks} == {"t"}, "all threads to be stopped")
    time.sleep(0.3)  # six looks of the watch
    assert {state_of_thread(pid, t) for t in tasks} == {"t"}
    for tid in tasks:
        assert libc.ptrace(detach, tid, None, None) == 0
    calls = target.work("20")["calls"]
    tracer.stop()
    assert tracer.status == 0 and tracer.number("calls") == calls, tracer.out + tracer.err
    assert not re.search(SAID, tracer.err)
    ends(target)
