# SPDX-License-Identifier: Apache-2.0
"""-x follow: children of a process that is named are traced, from their first line on; without it the user is told of them."""
import pathlib
import re
import sys

import pytest

from harness import WORKLOADS, wait_for

COUNT = """python$target:::function-entry /copyinstr(arg1) == "target"/ { @[pid] = count(); }
python$target:::function-entry /copyinstr(arg1) == "first"/ { @first[pid] = count(); }
END { printf("\\n"); printa("%d: %@d\\n", @); printa("first of %d: %@d\\n", @first); }"""


def argv(script, *args, python=sys.executable):
    return [python, "-B", str(WORKLOADS / script), *map(str, args)]


def counts(tracer, prefix=""):
    return {int(pid): int(n) for pid, n in re.findall(rf"^{prefix}(\d+): (\d+)$", tracer.out, re.M)}


def left(pid):
    """What of ours is mapped in a process."""
    return [line for line in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines() if "pydtrace" in line]


def test_prefork(start, pydtrace, executor):
    """Workers that were there, and one that comes, whose first line counts; all is taken out of them at the end."""
    master = start(argv("prefork.py", 3))
    pids = master.ready["pids"]
    tracer = pydtrace("-x", "follow", "-v", "-p", master.pid, "-n", COUNT).wait_matched()
    master.work("round")
    late = master.work("more")["pid"]
    master.work("round")
    wait_for(lambda: f"pydtrace: process {late} (python3): forked by one that is traced\n" in tracer.err, "-v to tell")
    tracer.stop()
    assert tracer.status == 0
    assert counts(tracer) == {**{pid: 200 for pid in pids}, late: 100}
    assert counts(tracer, "first of ") == {late: 1}
    master.work("round")
    assert [left(pid) for pid in (master.pid, late, *pids)] == [[]] * 5
    master.end()


def test_note(start, pydtrace, executor):
    """Without the option: told of once, and nothing is left in them, either."""
    master = start(argv("prefork.py", 3))
    tracer = pydtrace("-p", master.pid, "-n", COUNT).wait_matched()
    late = master.work("more")["pid"]
    master.work("round")
    tracer.stop()
    assert not counts(tracer)
    assert tracer.err.count("-x follow") == 1
    assert (f"pydtrace: note: process {master.pid} (python3) has 3 Python children, which are not traced: "
            "-x follow traces them\n") in tracer.err
    master.work("round")
    assert [left(pid) for pid in (master.pid, late)] == [[], []]
    master.end()


def test_note_later(start, pydtrace, executor):
    master = start(argv("prefork.py", 0))
    tracer = pydtrace("-p", master.pid, "-n", COUNT).wait_matched()
    assert "-x follow" not in tracer.err
    master.work("more")
    wait_for(lambda: "-x follow" in tracer.err, "the note")
    tracer.stop()
    assert (f"pydtrace: note: process {master.pid} (python3) has 1 Python child, which is not traced: "
            "-x follow traces it\n") in tracer.err
    master.end()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pool(pydtrace, method, executor):
    tracer = pydtrace("-x", "follow", "-c", " ".join(argv("pool.py", method, 100)), "-n", COUNT).wait()
    assert (sum(counts(tracer).values()), tracer.status) == (101, 0), tracer.out + tracer.err
    assert len(counts(tracer)) > 1


@pytest.mark.parametrize("command", [
    "sh -c '{0} -B {1} 2; true'",  # forks
    "sh -c 'exec {0} -B {1} 2'",
    """{0} -c 'import os; os.execl("{0}", "{0}", "-B", "{1}", "2")'""",
], ids=["forks", "execs", "python_execs"])
def test_launched(pydtrace, command, executor):
    tracer = pydtrace("-x", "follow", "-c", command.format(sys.executable, WORKLOADS / "launches.py"), "-n", COUNT).wait()
    assert (tracer.status, sum(counts(tracer).values()) - 6) in ((0, 0), (0, 1)), tracer.out + tracer.err


def test_first_line(pydtrace, executor):
    """What is launched is attached before its first line, unless the machine keeps us from running for as long as Python takes to
    start: then that is said, and it is tried again."""
    for _ in range(5):
        tracer = pydtrace("-x", "follow", "-c", " ".join(argv("launches.py", 5, "now")), "-n", COUNT).wait()
        assert tracer.status == 0
        if sum(counts(tracer).values()) == 16:
            return
        assert "had begun when it was attached" in tracer.err, tracer.out + tracer.err
    assert sum(counts(tracer).values()) == 16, tracer.out + tracer.err
