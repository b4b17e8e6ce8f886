# SPDX-License-Identifier: Apache-2.0
"""What ptrace could do to a target, and must not: signals, stops, children, ends, and a tracer that does not come back."""
import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

import harness
from conftest import only
from outside import same_as, seen_from_outside

pytestmark = pytest.mark.usefixtures("executor")
executor = only("vm")

GATED = ["-Fs", harness.S4PYFUNC]
# Every call of every thread stops.
UNGATED = ["-n", """
python$1:::function-entry /copyinstr(arg1) == $$2/ { calls++; }
syscall:::entry { @[probefunc] = count(); }
END { printf("calls: %d\\n", calls); }
"""]
SCRIPTS = pytest.mark.parametrize("script", [GATED, UNGATED], ids=["gated", "ungated"])
ONE = harness.interpreters()[0]


def status_of(pid, key):
    return re.search(rf"^{key}:\t(\S+)", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.M)[1]


def free(pid):
    """Not traced, and not stopped."""
    assert (status_of(pid, "TracerPid"), status_of(pid, "State") in "RSD") == ("0", True)


def exact(tracer, truth, script=GATED):
    """The counts are those that the workload knows: of what only the function does where calls outside of it count, too."""
    assert tracer.status == 0, tracer.err
    assert tracer.number("calls") == truth["calls"], tracer.out + tracer.err
    known = truth["flat"] if script is GATED else {"getppid": truth["flat"]["getppid"]}
    table = tracer.table()
    assert {name: table.get(name, 0) for name in known} == known, tracer.out + tracer.err


class Sigval(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("pointer", ctypes.c_void_p)]


LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, Sigval]
SI_QUEUE, SI_USER = -1, 0


@SCRIPTS
def test_signals(start, pydtrace, catch, script):
    """Each signal arrives once, in order, with its sender and value, whatever the thread is stopped for meanwhile."""
    target = start(ONE.argv("siginfo.py", catch))
    tracer = pydtrace(*script, target.pid, "target").wait_matched()
    sent = []
    for n in range(200):
        number = signal.SIGRTMIN + 1 + n % 2
        assert LIBC.sigqueue(target.pid, number, Sigval(number=n * 7 - 5)) == 0
        sent.append([int(number), SI_QUEUE, os.getpid(), os.getuid(), n * 7 - 5])
        if n % 20 == 0:
            target.work()
    os.kill(target.pid, signal.SIGTERM)
    harness.wait_for(lambda: len(target.work()["caught"]) == len(sent) + 1, "all signals to arrive")
    tracer.stop()
    assert tracer.status == 0 and tracer.number("calls") > 0, tracer.err
    caught = target.work()["caught"]
    for number in (signal.SIGRTMIN + 1, signal.SIGRTMIN + 2):
        assert [c for c in caught if c[0] == number] == [s for s in sent if s[0] == number]
    assert [c[:3] for c in caught if c[0] == signal.SIGTERM] == [[signal.SIGTERM, SI_USER, os.getpid()]]
    free(target.pid)


def wait_for_stop(pid, flag, is_it):
    """The parent, which we are, is told."""
    def told():
        done, status = os.waitpid(pid, flag | os.WNOHANG)
        return done == pid and is_it(status)
    harness.wait_for(told, "the parent to be told")


@SCRIPTS
def test_stopped_by_others(start, pydtrace, script):
    """SIGSTOP and SIGCONT by others: it stops, its parent is told, it goes on; and no call is counted twice."""
    target = start(ONE.argv("blocks.py"))
    tracer = pydtrace(*script, target.pid, "target").wait_matched()
    for n in range(10):
        assert target.work() == {"begins": True}
        reading = pathlib.Path(f"/proc/{target.pid}/syscall")
        harness.wait_for(lambda: reading.read_text(encoding="utf-8").startswith("0 0x0 "), "it to read")
        os.kill(target.pid, signal.SIGSTOP)
        wait_for_stop(target.pid, os.WUNTRACED, os.WIFSTOPPED)
        target.tell(f"number {n}")
        assert status_of(target.pid, "State") in "tT"
        os.kill(target.pid, signal.SIGCONT)
        wait_for_stop(target.pid, os.WCONTINUED, os.WIFCONTINUED)
        assert target.hear() == {"read": f"number {n}\n"}
    tracer.stop()
    assert tracer.number("calls") == 10
    if script is GATED:
        assert {name: tracer.table()[name] for name in ("read", "getppid")} == {"read": 10, "getppid": 20}, tracer.out
    free(target.pid)


@pytest.mark.parametrize("how", ["poll", "select", "sleep"])
def test_sleeps(interpreter, start, pydtrace, how):
    """A sleep that is stopped and continued is one call with one result, and no shorter; poll(2) goes on by another call."""
    target = start(interpreter.argv("naps.py"))
    results = 'syscall:::return /self->t/ { @[strjoin(probefunc, errno ? "-failed" : "-done")] = count(); }'
    tracer = pydtrace(*GATED, "-n", results, target.pid, "target").wait_matched()
    target.tell(how)
    for _ in range(3):
        sleeping = pathlib.Path(f"/proc/{target.pid}/wchan")
        harness.wait_for(lambda: re.search("poll|select|nanosleep", sleeping.read_text(encoding="utf-8")), "it to sleep")
        os.kill(target.pid, signal.SIGSTOP)
        wait_for_stop(target.pid, os.WUNTRACED, os.WIFSTOPPED)
        os.kill(target.pid, signal.SIGCONT)
        wait_for_stop(target.pid, os.WCONTINUED, os.WIFCONTINUED)
    nap = target.hear()
    tracer.stop()
    assert nap["nap"] <= nap["took"] < nap["nap"] + 3
    table = tracer.table()
    assert table.pop("getppid") == 2 and table.pop("getppid-done") == 2
    assert len(table) == 2 and any(table == {call: 1, call + "-done": 1} for call in table), tracer.out  # the C library knows which


@SCRIPTS
def test_stopped_at_the_end(start, pydtrace, script):
    """Stopped by others while the tracer leaves, or dies: it stays stopped until it is continued."""
    target = start(ONE.argv("blocks.py"))
    for leave in (lambda t: t.stop(), lambda t: t.kill()):
        tracer = pydtrace(*script, target.pid, "target").wait_matched()
        assert target.work() == {"begins": True}
        os.kill(target.pid, signal.SIGSTOP)
        wait_for_stop(target.pid, os.WUNTRACED, os.WIFSTOPPED)
        leave(tracer)
        harness.wait_for(lambda: status_of(target.pid, "TracerPid") == "0", "the tracer to be gone")
        # Let go of, it runs into the stop once more.
        harness.wait_for(lambda: status_of(target.pid, "State") == "T", "it to be stopped")
        os.kill(target.pid, signal.SIGCONT)
        wait_for_stop(target.pid, os.WCONTINUED, os.WIFCONTINUED)
        assert target.work("text") == {"read": "text\n"}
        free(target.pid)


@SCRIPTS
@pytest.mark.parametrize("leave", ["stop", "kill"])
def test_detached_inside(interpreter, start, pydtrace, script, leave):
    """The tracer leaves while a thread is in a system call inside of the function, armed: the call goes on, untraced."""
    target = start(interpreter.argv("blocks.py"))
    before = seen_from_outside(target.pid)
    tracer = pydtrace(*script, target.pid, "target").wait_matched()
    assert target.work() == {"begins": True}
    reading = pathlib.Path(f"/proc/{target.pid}/syscall")
    harness.wait_for(lambda: reading.read_text(encoding="utf-8").startswith("0 0x0 "), "it to read")
    getattr(tracer, leave)()
    harness.wait_for(lambda: status_of(target.pid, "TracerPid") == "0", "the tracer to be gone")
    free(target.pid)
    assert target.work("text") == {"read": "text\n"}
    if leave == "stop":
        assert tracer.status == 0 and tracer.number("calls") == 1, tracer.err
        if interpreter.minor >= (3, 12):  # before, what a frame of it was entered by has to stay
            same_as(before, target.pid)
    assert seen_from_outside(target.pid)["fds"] == before["fds"]
    assert target.work() == {"begins": True}
    assert target.work("more") == {"read": "more\n"}
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0


@SCRIPTS
def test_server(interpreter, start, pydtrace, script):
    """A server that waits in epoll goes on serving: before, during, and after, and while the tracers come and go."""
    target = start(interpreter.argv("serves.py"))
    with socket.create_connection(("127.0.0.1", target.ready["port"]), timeout=harness.PATIENCE) as connection, \
            connection.makefile("rw") as lines:
        def ask(n):
            for i in range(n):
                lines.write(f"line {i}\n")
                lines.flush()
                assert lines.readline() == f"LINE {i}\n"

        ask(10)
        for _ in range(3):
            tracer = pydtrace(*script, target.pid, "target")
            harness.wait_for(lambda t=tracer: ask(1) or " matched " in t.err or t.process.poll() is not None, "it to match")
            tracer.kill()
            tracer = pydtrace(*script, target.pid, "target").wait_matched()
            ask(50)
            tracer.stop()
            assert tracer.status == 0 and tracer.number("calls") == 50, tracer.out + tracer.err
            ask(10)
    target.end()


@SCRIPTS
def test_children(interpreter, start, pydtrace, script):
    """Children by fork, vfork and posix_spawn, with exec and without: nobody traces them, and they end as they should."""
    target = start(interpreter.argv("children.py"))
    tracer = pydtrace(*script, target.pid, "target").wait_matched()
    truth = target.work()
    tracer.stop()
    if interpreter.proc:
        assert (truth["children"], truth["n"]) == ([["0", 9]], 16)
    if script is GATED:
        exact(tracer, truth)
    else:
        assert tracer.number("calls") == truth["calls"], tracer.err
        assert tracer.table().get("getpgid", 0) == 0, tracer.out  # the children's
    target.end()


@pytest.mark.parametrize("thread", ["main", "another"])
def test_exec(interpreter, start, pydtrace, thread):
    """The target becomes another program inside of the function: its thread-local variables stay, as in DTrace."""
    target = start(interpreter.argv("executes.py", thread))
    tracer = pydtrace(*GATED, target.pid, "target").wait_matched()
    truth = target.work()
    target.end()
    tracer.wait()
    exact(tracer, truth)


def test_undisturbed(interpreter, start, pydtrace):
    """As in test_safety.py, where every call of every thread stops: no sleep is cut short, no wait is broken off."""
    target = start(interpreter.argv("busy.py"))
    before = seen_from_outside(target.pid)
    for _ in range(3):
        tracer = pydtrace(*UNGATED, "-n", 'syscall::poll:return /++polls == 20/ { printf("twenty\\n"); }', target.pid, "target")
        tracer.wait_said("twenty\n")
        tracer.stop()
        assert tracer.status == 0 and tracer.number("calls") > 0, tracer.err
    same_as(before, target.pid)
    assert target.work() == {"wrong": []}
    target.end()


@pytest.mark.parametrize("first", [GATED, UNGATED], ids=["gated", "ungated"])
@pytest.mark.parametrize("second", [GATED, UNGATED], ids=["gated", "ungated"])
def test_two_tracers(start, pydtrace, first, second):
    """A thread has one tracer. The second one is told who the first is, or one of them what it has not seen."""
    target = start(ONE.argv("one_thread.py"))
    one = pydtrace(*first, target.pid, "target").wait_matched()
    two = pydtrace(*second, target.pid, "target")
    harness.wait_for(lambda: " matched " in two.err or two.process.poll() is not None, "the second tracer")
    truth = target.work()
    refused = two.process.poll() is not None
    one.stop()
    if refused:
        assert two.status == 1
        assert two.err == (f"pydtrace: process {target.pid} (python3) is traced by pydtrace (pid {one.process.pid}); "
                           "end that first\n")
        exact(one, truth, first)
    else:
        two.stop()
        exact(two, truth, second)
        assert one.status == 0 and one.number("calls") == truth["calls"], one.err
        assert "pydtrace: warning: 1000 events were lost: their threads could not be traced\n" in one.err
    free(target.pid)
    target.end()


WAYS = {"sys.exit": 3, "os._exit": 4, "exception": 1, "SIGKILL": -9, "SIGTERM": -15, "abort": -6, "segfault": -11, "thread": 5,
        "thread killed": -9}


@SCRIPTS
@pytest.mark.parametrize("way", WAYS)
def test_ends(start, pydtrace, script, way):
    """The target ends, in every way, inside of the function: with the status it should, and with all that was counted."""
    target = start(ONE.argv("ends.py", way))
    tracer = pydtrace(*script, target.pid, "target").wait_matched()
    target.tell()
    assert target.process.wait(harness.PATIENCE) == WAYS[way]
    tracer.wait()
    assert tracer.status == 0, tracer.err
    assert tracer.number("calls") == 1 and tracer.table()["getppid"] == 3, tracer.out + tracer.err


@SCRIPTS
def test_first_thread_ends(start, pydtrace, script):
    """The first thread ends (and stays, a zombie), the others go on; they are traced, and let go."""
    target = start(ONE.argv("first_ends.py"))
    tracer = pydtrace(*script, target.pid, "target").wait_matched()
    truth = target.work()
    tracer.stop()
    exact(tracer, truth, script)
    tasks = pathlib.Path(f"/proc/{target.pid}/task")
    tracers = [re.search(r"TracerPid:\t(\d+)", (task / "status").read_text(encoding="utf-8"))[1] for task in tasks.iterdir()]
    assert tracers == ["0", "0"]
    target.end()


def test_thirty_times(interpreter, start, pydtrace):
    """One tracer after the other on the same process: exact each time, and nothing gathers in it."""
    target = start(interpreter.argv("rounds.py"))
    target.work()
    before = None
    for n in range(30):
        tracer = pydtrace(*GATED, target.pid, "target").wait_matched()
        truth = target.work()
        tracer.stop()
        exact(tracer, truth)
        if n == 0:
            before = seen_from_outside(target.pid)
    same_as(before, target.pid)
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0


PYTHON_ONLY = ["-n", 'python$1:::function-entry /copyinstr(arg1) == $$2/ { calls++; } END { printf("calls: %d\\n", calls); }']


def test_tracer_sleeps(interpreter, start, pydtrace):
    """A tracer that does not come for 3 s, for it is stopped together with its watch, as in a frozen cgroup: the target waits
    for it for 2 s, once, and goes on; the tracer says so later."""
    target = start(interpreter.argv("rounds.py"))
    tracer = pydtrace(*PYTHON_ONLY, target.pid, "target").wait_matched()
    target.work()
    for pid in (harness.watch_of(tracer), tracer.process.pid):
        os.kill(pid, signal.SIGSTOP)
        harness.wait_for(lambda pid=pid: status_of(pid, "State") == "T", "the tracer to stop")
    begin = time.monotonic()
    truth = target.work()
    waited = time.monotonic() - begin
    assert 1.5 < waited < 4
    begin = time.monotonic()
    target.work()
    assert time.monotonic() - begin < 1.5
    # The watch last: it would continue the tracer as well, to let it let go, and two SIGCONT at once count as one.
    watch = harness.watch_of(tracer)
    tracer.process.send_signal(signal.SIGCONT)
    harness.wait_for(lambda: status_of(tracer.process.pid, "State") != "T", "the tracer to go on")
    os.kill(watch, signal.SIGCONT)
    tracer.stop()
    assert truth["calls"] <= tracer.number("calls") < 3 * truth["calls"]
    said = f"pydtrace: warning: process {target.pid}: the tracer did not answer within 2 s; tracing of Python stopped there\n"
    assert said in tracer.err
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0


def test_output_not_read(start, pydtrace):
    """Nobody reads what the tracer prints (a pager): the target is not held up; what could not be kept is counted."""
    target = start(ONE.argv("rounds.py"))
    script = """
        python$1:::function-entry /copyinstr(arg1) == $$2/ { printf("%200s\\n", copyinstr(arg0)); n++; }
        END { printf("n: %d\\n", n); }
        """
    reads, writes = os.pipe()
    tracer = subprocess.Popen([harness.PYDTRACE, "-x", "exec=vm", "-x", "bufsize=64k", "-n", script, str(target.pid), "target"],
                              stdin=subprocess.DEVNULL, stdout=writes, stderr=subprocess.PIPE, text=True)
    os.close(writes)
    try:
        while " matched " not in tracer.stderr.readline():
            pass
        calls = sum(target.work()["calls"] for _ in range(60))
        tracer.send_signal(signal.SIGINT)
        with open(reads, encoding="utf-8") as f:
            out = f.read()
        err = tracer.stderr.read()
        assert tracer.wait(harness.PATIENCE) == 0, err
    finally:
        tracer.kill()
        tracer.stderr.close()
    printed, dropped = int(re.search(r"n: (\d+)", out)[1]), int(re.search(r"(\d+) drops", err)[1])
    assert dropped > 0 and printed + dropped == calls, err
    free(target.pid)
