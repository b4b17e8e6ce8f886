# SPDX-License-Identifier: Apache-2.0
"""pid, tid and ppid are those of the tracer's pid namespace, as $pid and $target are; a process that is not in it has pid 0."""
import json
import os
import pathlib
import re
import subprocess

import pytest

import harness
from conftest import must_run

PYTHON = "/usr/bin/python3"
INSIDE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]

# Says what its own namespace calls it and its threads, and calls the function in both: `calls` times in each.
TARGET = """
import ctypes, json, os, sys, threading
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
threads = {}
def probed(n):
    os.getppid()
    return n + 1
def work(calls):
    threads[threading.get_native_id()] = calls
    for n in range(calls):
        probed(n)
print(json.dumps({"function": "probed"}), flush=True)
for line in sys.stdin:
    threads.clear()
    side = threading.Thread(target=work, args=(7,))
    side.start()
    side.join()
    work(5)
    print(json.dumps({"pid": os.getpid(), "ppid": os.getppid(), "threads": threads}), flush=True)
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root: cannot make namespaces")


def status(pid, name):
    """The words of a line of /proc/PID/status."""
    return re.search(rf"^{name}:\t(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.M)[1].split()


def children(pid):
    return [int(n) for n in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def threads_by_inner_number(pid):
    """What this namespace calls the threads of a process, by what the innermost does."""
    return {int(status(f"{pid}/task/{task.name}", "NSpid")[-1]): int(task.name) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()}


@pytest.fixture
def target(start):
    """A target behind a prefix, and its pid for us: the last of the line of children."""
    def target(prefix=(), name="probed-here"):
        must_run(prefix or ["env"])
        it = start([*prefix, PYTHON, "-I", "-c", TARGET, name], cwd="/")
        while children(it.pid):
            (it.pid,) = children(it.pid)
        return it

    return target


@pytest.fixture
def enter(pydtrace, executor):
    """enter(pid, args ...) -> a tracer in the pid namespace and the mounts of process `pid`. nsenter(1) stands between it and
    us, so it is to end by itself."""
    started = []

    def enter(pid, *args):
        inside = ["nsenter", "-t", str(pid), "-m", "-p", str(harness.PYDTRACE), "-x", "exec=" + executor, *map(str, args)]
        started.append(subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield enter
    for tracer in started:
        for child in children(tracer.pid) if tracer.poll() is None else []:
            os.kill(child, 9)
        tracer.communicate(timeout=harness.PATIENCE)


def hear(tracer, line):
    said = tracer.stdout.readline()
    assert said == line, said + tracer.stderr.read()


def rows(out):
    """The aggregation: (key, ...) -> count."""
    return {tuple(words[:-1]): int(words[-1]) for words in map(str.split, out.splitlines()) if words}


COUNT = """
BEGIN { printf("on\\n"); }
python$target:::function-entry /pid == $target && copyinstr(arg1) == "probed"/ { @["python", pid, tid, ppid] = count(); self->in = 1; n++; }
python$target:::function-return /pid == $target && copyinstr(arg1) == "probed"/ { self->in = 0; }
python$target:::function-entry /pid != $target && copyinstr(arg1) == "probed"/ { @["wrong", pid, tid, ppid] = count(); }
syscall::getppid:entry /self->in/ { @["getppid", pid, tid, ppid] = count(); }
"""
UNTIL = COUNT + "python$target:::function-return /n == 12/ { exit(0); }"


def expected(pid, ppid, threads):
    return {(kind, str(pid), str(tid), str(ppid)): calls for kind in ("python", "getppid") for tid, calls in threads.items()}


def test_tracer_and_target_inside(target, enter):
    """They are in one namespace, and its pid 1 has no parent there."""
    it = target(INSIDE)
    tracer = enter(it.pid, "-q", "-p", 1, "-n", UNTIL)
    hear(tracer, "on\n")
    truth = it.work()
    out, err = tracer.communicate(timeout=harness.PATIENCE)
    assert (tracer.returncode, err) == (0, "")
    assert truth["pid"] == 1 and truth["ppid"] == 0
    assert rows(out) == expected(1, 0, truth["threads"])


def test_parent_inside(target, enter):
    """The target's parent is in the namespace too: env(1) and sh(1) are not replaced by what they run."""
    it = target([*INSIDE, "sh", "-c", '"$@"; exit', "sh"])
    tracer = enter(it.pid, "-q", "-p", 2, "-n", UNTIL)
    hear(tracer, "on\n")
    truth = it.work()
    out, err = tracer.communicate(timeout=harness.PATIENCE)
    assert (tracer.returncode, err) == (0, "")
    assert (truth["pid"], truth["ppid"]) == (2, 1)
    assert rows(out) == expected(2, 1, truth["threads"])


def test_target_in_a_deeper_namespace(target, pydtrace, executor):
    it = target(INSIDE)
    tracer = pydtrace("-q", "-p", it.pid, "-n", COUNT).wait_said("on\n")
    truth = it.work()
    inner = threads_by_inner_number(it.pid)
    parent = it.process.pid
    tracer.stop()
    assert (tracer.status, tracer.err) == (0, "")
    # The thread on the side has ended, and nobody knows our number for it; it is none of the inner ones.
    found = rows(tracer.out.replace("on\n", ""))
    main = str(inner[1])
    assert truth["threads"]["1"] == 5
    assert {kind: found.pop((kind, str(it.pid), main, str(parent))) for kind in ("python", "getppid")} == {"python": 5, "getppid": 5}
    ((kind, pid, side, ppid), calls), ((other, *rest), others) = sorted(found.items(), reverse=True)
    assert (kind, pid, ppid, calls) == ("python", str(it.pid), str(parent), 7)
    assert (other, rest, others) == ("getppid", [str(it.pid), side, str(parent)], 7)
    assert int(side) > it.pid


def test_two_namespaces_down(target, enter):
    """The tracer in the first, the target in the second."""
    it = target([*INSIDE, "sh", "-c", '"$@"; exit', "sh", *INSIDE])
    _, between, _ = status(it.pid, "NSpid")  # here, in the first, in the second
    shell = int(*status(*status(it.pid, "PPid"), "PPid"))  # the first's process 1; the other unshare(1) is its process 2
    tracer = enter(shell, "-q", "-p", between, "-n", UNTIL)
    hear(tracer, "on\n")
    truth = it.work()
    out, err = tracer.communicate(timeout=harness.PATIENCE)
    assert (tracer.returncode, err) == (0, "")
    found = rows(out)
    assert {key[:2] + key[3:] for key in found} == {(kind, between, "2") for kind in ("python", "getppid")}
    assert found[("python", between, between, "2")] == truth["threads"]["1"] == 5
    assert sorted(found.values()) == [5, 5, 7, 7]


def test_proc_of_the_deeper_namespace(target, enter):
    """There the tracer has no number."""
    it = target([*INSIDE, "sh", "-c", '"$@"; exit', "sh", *INSIDE])
    (unshare,) = status(it.pid, "PPid")  # in the first, with the mounts of the second
    tracer = enter(unshare, "-p", 1, "-n", "BEGIN { }")
    out, err = tracer.communicate(timeout=harness.PATIENCE)
    assert (tracer.returncode, out, err) == (1, "", "pydtrace: /proc shows the processes of another pid namespace: mount one of this "
                                             "namespace (mount -t proc proc /proc)\n")


@pytest.fixture
def own_kernel(request, executor):
    if executor != "kernel":
        pytest.skip("without eBPF nothing is seen of a process that has no pid here")


# Its children are each the first of a pid namespace of their own, and are told apart by what the parent calls them.
MAKER = """
import ctypes, json, os, sys
libc = ctypes.CDLL(None)
def probed(n):
    return n + 1
print(json.dumps({"function": "probed"}), flush=True)
for line in sys.stdin:
    assert libc.unshare(0x20000000) == 0  # CLONE_NEWPID
    pid = os.fork()
    if not pid:
        for n in range(50):
            probed(n)
        os._exit(os.getpid() != 1)
    _, status = os.waitpid(pid, 0)
    print(json.dumps({"pid": pid, "status": status}), flush=True)
    break
sys.stdin.read()
"""


@pytest.mark.parametrize("inside", [False, True], ids=["of ours", "of a namespace below"])
def test_followed_into_a_new_namespace(start, pydtrace, executor, inside):
    """-x follow: the child, which calls itself 1, has the number that it has here; its parent is in our namespace, or in another."""
    prefix = INSIDE if inside else []
    must_run(prefix or ["env"])
    it = start([*prefix, PYTHON, "-I", "-c", MAKER], cwd="/")
    if inside:
        (it.pid,) = children(it.pid)
    tracer = pydtrace("-q", "-x", "follow", "-p", it.pid, "-n", """
        BEGIN { printf("on\\n"); }
        python$target:::function-entry /copyinstr(arg1) == "probed"/ { @[pid, tid, ppid] = count(); }""").wait_said("on\n")
    truth = it.work()
    tracer.stop()
    assert (tracer.status, tracer.err, truth["status"]) == (0, "", 0)
    ((pid, tid, ppid), calls), = rows(tracer.out.replace("on\n", "")).items()
    assert (pid, ppid, calls) == (tid, str(it.pid), 50)
    assert int(pid) == truth["pid"] if not inside else int(pid) > it.pid


def test_outside_and_beside(target, enter, own_kernel):
    """A process outside of the tracer's namespace, and one in a sibling of it, have pid 0; also the parent of one inside."""
    inside, outside, beside = target(INSIDE, "probed-inside"), target([], "probed-outside"), target(INSIDE, "probed-beside")
    tracer = enter(inside.pid, "-q", "-n", """
        BEGIN { printf("on\\n"); }
        syscall::getppid:entry /execname == "probed-inside" || execname == "probed-outside" || execname == "probed-beside"/
        { @[execname, pid, tid, ppid] = count(); n++; }
        syscall::getppid:entry /n == 39/ { exit(0); }""")
    hear(tracer, "on\n")
    truth = outside.work(), beside.work(), inside.work()
    out, err = tracer.communicate(timeout=harness.PATIENCE)
    assert (tracer.returncode, err) == (0, "")
    found = rows(out)
    assert found.pop(("probed-outside", "0", "0", "0")) == found.pop(("probed-beside", "0", "0", "0")) == 13
    inner = truth[2]["threads"]
    assert found == {("probed-inside", "1", tid, "0"): calls + (tid == "1") for tid, calls in inner.items()}


def test_command_inside(target, enter):
    """-c: $target is what the tracer's namespace calls the child, and its parent is the tracer."""
    it = target(INSIDE)
    code = "import os\ndef probed(n):\n    return os.getppid()\nprint([os.getpid(), os.getppid(), probed(1), probed(2)])"
    tracer = enter(it.pid, "-q", "-c", f"{PYTHON} -I -c '{code}'", "-n", """
        python$target:::function-entry /pid == $target && copyinstr(arg1) == "probed"/ { @[pid, tid, ppid, $pid, $target] = count(); }""")
    out, err = tracer.communicate(timeout=harness.PATIENCE)
    assert (tracer.returncode, err) == (0, "")
    said, _, table = out.partition("\n")
    pid, ppid, *_ = json.loads(said)
    assert rows(table) == {tuple(map(str, (pid, pid, ppid, ppid, pid))): 2}
    it.work()
