# SPDX-License-Identifier: Apache-2.0
"""The end of a run: the results first and at once, then the processes are left, and a second signal ends it all (src/session/leave.c,
quit.c)."""
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import pytest

import harness

ONE = harness.interpreters()[0]
SCRIPT = """
python$target::counted_*:function-entry { @[probefunc] = count(); n++; }
END { printf("calls: %d\\n", n); }
"""
NO_SAFE_POINT = "its Python has not come to a safe point (a long call into C that holds the GIL, or idle outside of Python?)"
MATCHED = r"pydtrace: description '[^']*' matched \d+ probes?[^\n]*\n"
# Between two signals, so that they are two: less are one wish (signals.c).
TWO = 0.35


def long(target):
    return f"pydtrace: process {target.pid} (python3): waiting to take the agent out: {NO_SAFE_POINT}; Ctrl-C leaves it there, inert\n"


def quits(*targets):
    names = ", ".join(f"{t.pid} (python3)" for t in targets)
    return (f"pydtrace: warning: ended by another signal: the agent stays, inert, in process{'es' * (len(targets) > 1)} {names}, "
            "until the next pydtrace takes it out\n")


@pytest.fixture
def target(start):
    def target():
        it = start(["/usr/bin/python3", "-I", "-c", f"__import__('sys').path[:0] = [{str(harness.WORKLOADS)!r}]; import stuck"])
        return it
    return target


def said(tracer):
    """What it said beside what has matched."""
    return re.sub(MATCHED, "", tracer.err)


def has_all(tracer, calls):
    """END, and all of the aggregation after it."""
    return "calls: " in tracer.out and sum(tracer.table().values()) == calls == tracer.number("calls")


def enters(target):
    return "pydtrace-" in pathlib.Path(f"/proc/{target.pid}/maps").read_text(encoding="utf-8")


def goes_on(target, pydtrace):
    """What was left behind does it no harm, and the next tracer takes it out."""
    assert target.hear() == {"holds": False}
    assert target.work("calls") == {"calls": 3000}
    tracer = pydtrace("-n", SCRIPT, "-p", target.pid).wait_matched()
    assert target.work("calls") == {"calls": 3000}
    tracer.stop()
    assert tracer.status == 0 and has_all(tracer, 3000), tracer.out + tracer.err
    assert not enters(target)
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0


def holds(target, pydtrace, *args):
    """A tracer that has seen all calls of a target which now is in C with the GIL held."""
    tracer = pydtrace(*args, "-n", SCRIPT, "-p", target.pid).wait_matched()
    assert target.work("calls") == {"calls": 3000}
    assert target.work("hold") == {"holds": True}
    return tracer


def test_results_first(target, pydtrace, executor):
    """They are all there while the target still keeps us from leaving it; then it lets us, and nothing is left."""
    it = target()
    tracer = holds(it, pydtrace)
    tracer.process.send_signal(signal.SIGINT)
    harness.wait_for(lambda: has_all(tracer, 3000), "all results")
    assert tracer.process.poll() is None and enters(it)
    harness.wait_for(lambda: said(tracer) == long(it), "a line for who takes long")
    it.tell()
    tracer.wait()
    assert (tracer.status, said(tracer)) == (0, long(it))
    goes_on(it, pydtrace)


def test_at_once(target, pydtrace, executor):
    """It takes some milliseconds; the bound is generous, for a busy machine."""
    it = target()
    tracer = holds(it, pydtrace)
    begin = time.monotonic()
    tracer.process.send_signal(signal.SIGINT)
    harness.wait_for(lambda: has_all(tracer, 3000), "all results")
    assert time.monotonic() - begin < 1
    it.tell()
    assert tracer.wait().status == 0
    goes_on(it, pydtrace)


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=lambda s: s.name)
def test_second_signal(target, pydtrace, executor, signo):
    it = target()
    tracer = holds(it, pydtrace)
    tracer.process.send_signal(signal.SIGINT)
    harness.wait_for(lambda: has_all(tracer, 3000), "all results")
    time.sleep(TWO)
    tracer.process.send_signal(signo)
    tracer.wait()
    assert tracer.status == 128 + signo
    assert said(tracer).replace(long(it), "") == quits(it)
    assert has_all(tracer, 3000)
    it.tell()
    goes_on(it, pydtrace)


def test_second_signal_at_any_time(target, pydtrace, executor):
    dice = random.Random(10)
    it = target()
    for _ in range(6):
        tracer = holds(it, pydtrace)
        tracer.process.send_signal(signal.SIGINT)
        time.sleep(dice.uniform(0.3, 1.5))
        tracer.process.send_signal(signal.SIGINT)
        tracer.wait()
        assert tracer.status == 130 and has_all(tracer, 3000), tracer.out + tracer.err
        assert said(tracer).replace(long(it), "") == quits(it)
        it.tell()
        assert it.hear() == {"holds": False}
    it.work("hold")
    it.tell()
    goes_on(it, pydtrace)


def test_several(target, pydtrace, executor):
    """Who can be left is, also after one who cannot."""
    targets = [target() for _ in range(3)]
    script = SCRIPT.replace("python$target", "python*")
    tracer = pydtrace("-n", script.replace("python*", f"python{targets[0].pid}"), "-n", script.replace("python*", f"python{targets[1].pid}"),
                      "-n", script.replace("python*", f"python{targets[2].pid}")).wait_matched()
    for it in targets:
        it.work("calls")
    for it in targets[:2]:
        it.work("hold")
    tracer.process.send_signal(signal.SIGINT)
    harness.wait_for(lambda: said(tracer) in (long(targets[0]) + long(targets[1]), long(targets[1]) + long(targets[0])), "two lines")
    harness.wait_for(lambda: not enters(targets[2]), "the third to be left")
    time.sleep(TWO)
    tracer.process.send_signal(signal.SIGINT)
    tracer.wait()
    assert tracer.status == 130 and sum(tracer.table().values()) == 9000 and tracer.out.count("calls: ") == 3
    assert tracer.err.endswith(quits(*targets[:2])) or tracer.err.endswith(quits(targets[1], targets[0]))
    for it in targets[:2]:
        it.tell()
        goes_on(it, pydtrace)


def test_after_exit(target, pydtrace, executor):
    """The first signal is the second one, as has been said, when the script has ended the run."""
    it = target()
    tracer = pydtrace("-n", SCRIPT, "-n", "tick-10ms /n == 3000 && ++late == 100/ { exit(3); }", "-p", it.pid).wait_matched()
    it.work("calls")
    it.work("hold")
    harness.wait_for(lambda: said(tracer) == long(it), "a line for who takes long")
    assert has_all(tracer, 3000)
    tracer.process.send_signal(signal.SIGINT)
    tracer.wait()
    assert (tracer.status, said(tracer)) == (130, long(it) + quits(it))
    it.tell()
    goes_on(it, pydtrace)


def test_command(pydtrace, executor, tmp_path):
    """What -c has started ends with the run, so nobody waits for its Python; with a bound that is less than such a wait."""
    (tmp_path / "holds.py").write_text("import ctypes\ndef f(): pass\nf()\nctypes.PyDLL(None).sleep(3600)\n", encoding="utf-8")
    tracer = pydtrace("-n", 'python$target::f:function-entry { n++; } tick-10ms /n && ++late == 50/ { printf("child: %d\\n", $target); exit(4); }',
                      "-c", f"/usr/bin/python3 {tmp_path}/holds.py")
    tracer.wait_said("child: ")
    begin = time.monotonic()
    tracer.wait()
    assert time.monotonic() - begin < 5
    assert (tracer.status, said(tracer)) == (4, "")
    assert not pathlib.Path(f"/proc/{tracer.number('child')}").exists()


@pytest.fixture
def piped(executor):
    """piped(target) -> a pydtrace that writes into a pipe; and the end to read from."""
    started = []

    def piped(target):
        reads, writes = os.pipe()
        process = subprocess.Popen([harness.PYDTRACE, "-x", "exec=" + executor, "-n", SCRIPT, "-p", str(target.pid)],
                                   stdin=subprocess.DEVNULL, stdout=writes, stderr=subprocess.PIPE, text=True)
        os.close(writes)
        started.append((process, reads))
        while " matched " not in process.stderr.readline():
            pass
        return process, reads

    yield piped
    for process, reads in started:
        process.kill()
        process.wait()
        process.stderr.close()
        os.close(reads)


def test_reader_is_slow(target, piped):
    """A second signal while the results are printed: as long as somebody reads them they are all printed."""
    it = target()
    process, reads = piped(it)
    it.work("calls")
    process.send_signal(signal.SIGINT)
    out, begin, second = b"", time.monotonic(), False
    while True:
        piece = os.read(reads, 2048)
        if not piece:
            break
        out += piece
        time.sleep(0.01)  # it is slow
        if not second and time.monotonic() - begin > TWO:
            process.send_signal(signal.SIGINT)
            second = True
            assert process.poll() is None and out.count(b"counted_") < 3000
    assert process.wait(harness.PATIENCE) == 130 and second
    text = out.decode()
    assert text.count("counted_") == 3000
    it.process.stdin.close()
    assert it.process.wait(harness.PATIENCE) == 0


def test_nobody_reads(target, piped):
    """A pager that waits for a key: the process is left all the same, and a second signal ends the program."""
    it = target()
    process, reads = piped(it)
    it.work("calls")
    process.send_signal(signal.SIGINT)
    harness.wait_for(lambda: not enters(it), "the target to be left")
    assert process.poll() is None
    time.sleep(TWO)
    process.send_signal(signal.SIGINT)
    assert process.wait(harness.PATIENCE) == 130
    assert process.stderr.read() == "pydtrace: warning: ended by another signal before all results were printed\n"
    it.process.stdin.close()
    assert it.process.wait(harness.PATIENCE) == 0


def test_nobody_reads_for_a_while(target, piped):
    it = target()
    process, reads = piped(it)
    it.work("calls")
    process.send_signal(signal.SIGINT)
    harness.wait_for(lambda: not enters(it), "the target to be left")
    out = b""
    while piece := os.read(reads, 65536):
        out += piece
    assert process.wait(harness.PATIENCE) == 0
    assert out.count(b"counted_") == 3000
    assert process.stderr.read() == ""


def test_given_up(target, pydtrace):
    """What has to stay is inert and small, and the next tracer takes it out."""
    it = target()
    tracer = holds(it, pydtrace)
    tracer.stop()
    assert tracer.status == 0 and has_all(tracer, 3000)
    assert said(tracer) == long(it) + (
        f"pydtrace: process {it.pid} (python3): its Python did not come to a safe point in time (a long call into C that holds the GIL, "
        "or idle outside of Python?); the agent stays in it, inert, until the next pydtrace takes it out\n")
    page = re.search(r"/memfd:pydtrace-page[^\n]*\n(?:\w+: .*\n)*?Rss: +(\d+) kB", pathlib.Path(f"/proc/{it.pid}/smaps").read_text(
        encoding="utf-8"))
    assert int(page[1]) <= 16
    it.tell()
    goes_on(it, pydtrace)
