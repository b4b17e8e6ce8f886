# SPDX-License-Identifier: Apache-2.0
"""How the agent and the shared page get into the target: nobody else can write them, they cannot kill it, nothing is left."""
import fcntl
import json
import os
import pathlib
import re
import resource
import select
import shutil
import struct
import subprocess
import tempfile

import pytest

import harness
import seccomp
from conftest import cannot
from outside import same_as, seen_from_outside
from test_safety import SEEING

pytestmark = [pytest.mark.usefixtures("executor"), pytest.mark.skipif(os.geteuid() != 0, reason="not root")]

NOBODY = 65534
WIRE = (harness.TOP / "agent/wire.h").read_text(encoding="utf-8")
SYSTEM = harness.interpreters()[0]
NO_MEMFD = seccomp.deny(["memfd_create"])


def ours(pid):
    """The mappings of a process that are ours: (start, end, access, path)."""
    lines = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    found = []
    for span, access, _, _, _, *path in (line.split(None, 5) for line in lines):
        if path and re.search(r"pydtrace-(page|agent)-|^/dev/zero", path[0]):
            start, end = (int(n, 16) for n in span.split("-"))
            found.append((start, end, access, path[0]))
    return found


def size_of(maps):
    return sum(end - start for start, end, *_ in maps)


def traced(pydtrace, pid, *args):
    """Attach, see something, detach: the tracer."""
    tracer = pydtrace(*SEEING, pid, "target", *args).wait_said("seen\n").stop()
    assert tracer.status == 0 and tracer.number("calls") > 0, tracer.err
    return tracer


@pytest.fixture
def folder():
    """A folder that every user can look into."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="pydtrace-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


# --- what the files are ------------------------------------------------------------------------------------------------


def test_sealed(start, pydtrace):
    """The agent that is loaded can be changed by nobody, not even by the target; the page keeps its size."""
    target = start(SYSTEM.argv("busy.py"))
    tracer = pydtrace(*SEEING, target.pid, "target").wait_said("seen\n")
    seals = {}
    for fd in pathlib.Path(f"/proc/{tracer.process.pid}/fd").iterdir():
        kind = re.match(r"/memfd:pydtrace-(agent|page)-", os.readlink(fd))
        if kind:
            with open(fd, "r+b") as file:
                seals[kind[1]] = fcntl.fcntl(file, fcntl.F_GET_SEALS)
    size = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
    assert seals == {"agent": size | fcntl.F_SEAL_WRITE, "page": size}
    tracer.stop()
    target.end() if target.work() == {"wrong": []} else pytest.fail("the target was disturbed")


@pytest.mark.parametrize("filtered", [["bpf"], ["memfd_create"]], ids=" ".join)
def test_filter_asked(filtered, start, pydtrace):
    """Which calls a filter denies is asked of it: memory files where they are allowed, and no name in /tmp otherwise."""
    target = start(SYSTEM.argv("busy.py"), preexec_fn=seccomp.deny(filtered))
    before = seen_from_outside(target.pid)
    tracer = pydtrace(*SEEING, target.pid, "target").wait_said("seen\n")
    paths = {re.sub(r"-[0-9a-f]{12}", "", path) for *_, path in ours(target.pid)}
    if filtered == ["bpf"]:
        assert paths == {"/memfd:pydtrace-page (deleted)", "/memfd:pydtrace-agent (deleted)"}
    else:
        assert paths == {"/dev/zero (deleted)", "/tmp/.pydtrace-agent (deleted)"}
    assert tracer.stop().status == 0 and tracer.number("calls") > 0, tracer.err
    same_as(before, target.pid)
    assert not list(pathlib.Path("/tmp").glob(".pydtrace-*"))
    assert target.work() == {"wrong": []}
    target.end()


def test_filter_kills_for_memfd(interpreter, start, pydtrace):
    """A filter that ends the process for a memory file does not come to do so."""
    target = start(interpreter.argv("busy.py"), preexec_fn=seccomp.deny(["memfd_create"], answer=seccomp.KILL))
    before = seen_from_outside(target.pid)
    traced(pydtrace, target.pid)
    same_as(before, target.pid)
    assert target.work() == {"wrong": []}
    target.end()


def test_filter_kills_for_what_is_needed(start, pydtrace):
    """What the agent cannot do without would end the process: it is refused, and the process lives."""
    target = start(SYSTEM.argv("one_thread.py"), preexec_fn=seccomp.deny(["madvise"], answer=seccomp.KILL))
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target").wait()
    assert tracer.status == 1
    comm = pathlib.Path(f"/proc/{target.pid}/comm").read_text(encoding="utf-8").strip()
    assert tracer.err.splitlines()[-1] == (f"pydtrace: process {target.pid} ({comm}): its seccomp filter would not let it live "
                                           "through madvise, which the agent needs")
    target.work()
    target.end()


def test_small(start, pydtrace):
    """A script that names its functions needs no more than a megabyte of addresses."""
    target = start(SYSTEM.argv("busy.py"))
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target").wait_matched()
    assert 0 < size_of(m for m in ours(target.pid) if "pydtrace-page" in m[3]) <= 1 << 20
    tracer.stop()
    target.work()
    target.end()


# --- what may kill the target ------------------------------------------------------------------------------------------


def test_file_size_limit(interpreter, start, pydtrace):
    """A limit on the size of files, whose signal ends the process by default, is not run into."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    target = start(interpreter.argv("busy.py"), preexec_fn=limit)
    before = seen_from_outside(target.pid)
    traced(pydtrace, target.pid)
    same_as(before, target.pid)
    assert target.work() == {"wrong": []}
    target.end()


def in_small_tmp(kilobytes, argv):
    """Run argv where files can be made in a /tmp of so many kilobytes only."""
    mounts = "mount -t tmpfs -o mode=1777,size=%dk none /tmp"
    for other in ("/var/tmp", "/dev/shm", "/run"):
        mounts += f" && mount -t tmpfs -o ro none {other}"
    return ["unshare", "-m", "sh", "-c", mounts % kilobytes + ' && exec "$@"', "sh", *argv]


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_tmp_nearly_full(version, start, pydtrace):
    """The agent fits into /tmp, and hardly anything else does: all functions are seen, and nobody runs into a hole."""
    found = [i for i in harness.interpreters() if "%d.%d" % i.minor == version and i.root == "/"]
    if not found:
        cannot(f"no Python {version} in our own root")
    room = -(-os.path.getsize(harness.TOP / "build/agent/pydtrace-agent.so") // 4096) * 4 + 40
    target = start(in_small_tmp(room, found[0].argv("many_functions.py")), preexec_fn=NO_MEMFD)
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target").wait_matched()
    truth = target.work()
    tracer.stop()
    assert tracer.status == 0 and tracer.number("calls") == truth["calls"] == 5000, tracer.err
    target.end()


def without_rights(argv, user=NOBODY):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv]


@pytest.mark.parametrize("executor", ["vm"], indirect=True)  # the other has the right
@pytest.mark.parametrize("kilobytes", [300, 4096], ids=["no room", "room"])
def test_page_in_a_file(kilobytes, folder):
    """Where nobody has the right to anything else the page is a file: its room is taken before the target sees it."""
    for name in ("workloads", "scripts"):
        shutil.copytree(harness.HERE / name, folder / "tests/e2e" / name)
    for name in ("place.py", "harness.py"):
        shutil.copy(harness.HERE / name, folder / "tests/e2e")
    (folder / "examples/ips").mkdir(parents=True)
    shutil.copy(harness.S4PYFUNC, folder / "examples/ips")
    shutil.copy(harness.PYDTRACE, folder / "pydtrace")
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    command = [*without_rights(["/usr/bin/python3", "-B", "/mnt/tests/e2e/place.py"]), "/usr/bin/python3", "link_actions.py",
               "attach"]
    argv = ["unshare", "-m", "sh", "-c", f'mount --bind {folder} /mnt && exec "$@"', "sh", *in_small_tmp(kilobytes, command)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=2 * harness.PATIENCE,
                          check=False, cwd="/", env={**os.environ, "PYDTRACE": "/mnt/pydtrace"}, preexec_fn=NO_MEMFD)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    if kilobytes == 300:
        assert said["status"] == 1
        assert re.search(r"^pydtrace: process \d+ \(python3\): it can use no memory file, and no file can be made in its /tmp: "
                         r"No space left on device$", said["err"], re.M), said["err"]
        assert said["truth"]["calls"] > 0  # it has lived through it
    else:
        assert said["status"] == 0 and f"calls: {said['truth']['calls']}" in said["out"], said["out"] + said["err"]


# --- who may write them ------------------------------------------------------------------------------------------------

# Tries to write what pydtrace puts into /tmp, all the time, until it is told to end. Says when it has seen something.
INTRUDER = """
import glob, json, os, select, sys
seen, opened = set(), []
while not select.select([0], [], [], 0)[0]:
    for path in glob.glob("/tmp/.pydtrace-*"):
        try:
            st = os.stat(path)
            print(end="" if seen else "seen\\n", flush=True)
            seen.add((path.split("-")[1], st.st_uid, oct(st.st_mode & 0o777)))
        except OSError:
            pass
        try:
            fd = os.open(path, os.O_RDWR)
            os.pwrite(fd, b"owned", 0)
            os.close(fd)
            opened.append(path)
        except OSError:
            pass
print(json.dumps({"seen": sorted(seen), "opened": opened}))
"""


def test_real_user_is_another(start, pydtrace):
    """A process that nobody has started, and that is root by now: nobody does not get to its agent."""
    target = start(["setpriv", f"--ruid={NOBODY}", "--euid=0", "--keep-groups", *SYSTEM.argv("busy.py")],
                   preexec_fn=NO_MEMFD)
    intruder = subprocess.Popen(without_rights(["/usr/bin/python3", "-Sc", INTRUDER]), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
    try:
        for attaches in range(50):
            traced(pydtrace, target.pid)
            if attaches >= 5 and select.select([intruder.stdout], [], [], 0)[0]:
                break
    finally:
        out, _ = intruder.communicate("\n", timeout=harness.PATIENCE)
    first, said = out.splitlines()
    said = json.loads(said)
    assert first == "seen" and said["opened"] == []
    # It is written before it can be read by others.
    assert {tuple(seen) for seen in said["seen"]} <= {("agent", 0, "0o600"), ("agent", 0, "0o444")}, said
    assert target.work() == {"wrong": []}
    target.end()


# Maps a file, so that it looks like a page of ours, and goes on.
LOOK_ALIKE = """
import mmap, sys
sys.path.insert(0, sys.argv[2])
with open(sys.argv[1], "rb") as f:
    kept = mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
sys.argv = sys.argv[:1]
exec(open(sys.path[0] + "/one_thread.py").read())
"""


def look_alike():
    """The bytes of a page whose tracer is dead, as far as its head goes; all that somebody might write there is not 0."""
    version = int(re.search(r"#define WIRE_VERSION +(\d+)", WIRE)[1])
    head = struct.pack("=QII", 0x7079647472616365, version, 8192)
    return head + b"\xff" * (8192 + 4096 - len(head))


@pytest.mark.parametrize("name", [".pydtrace-page-0123456789ab", ".pydtrace-agent-0123456789ab"])
def test_files_of_others_are_not_written(name, folder, start, pydtrace):
    """What a hostile process has mapped under a name of ours is not opened: here a file of root's that it may only read."""
    path = folder / name
    path.write_bytes(look_alike())
    path.chmod(0o444)
    before = path.read_bytes(), path.stat().st_mtime_ns
    workloads = folder / "workloads"
    shutil.copytree(harness.WORKLOADS, workloads)
    subprocess.run(["chmod", "-R", "a+rX", workloads], check=True)
    target = start(without_rights(["/usr/bin/python3", "-B", "-c", LOOK_ALIKE, str(path), str(workloads)]))
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target").wait_matched()
    truth = target.work()
    tracer.stop()
    assert tracer.status == 0 and tracer.number("calls") == truth["calls"], tracer.err
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    target.end()


# --- what is left ------------------------------------------------------------------------------------------------------


def fork(target):
    target.tell("fork")
    return target.hear()["child"]


def test_children(interpreter, start, pydtrace):
    """A child that is forked while its parent is traced shares no memory with the tracer; attached to itself it is rid of all."""
    target = start(interpreter.argv("keeps_child.py"))
    before = seen_from_outside(target.pid)
    tracer = pydtrace(*SEEING, target.pid, "target").wait_said("seen\n")
    child = fork(target)
    assert [m for m in ours(child) if "s" in m[2]] == []
    assert tracer.stop().status == 0, tracer.err
    same_as({**before, "fds": seen_from_outside(target.pid)["fds"]}, target.pid)
    assert [m for m in ours(child) if "s" in m[2]] == [] and size_of(ours(child)) < 64 << 10
    traced(pydtrace, child)
    harness.wait_for(lambda: not ours(child), "the agents to leave the child")
    traced(pydtrace, target.pid)
    harness.wait_for(lambda: not ours(target.pid), "the agent to leave the parent")
    target.end()


@pytest.mark.parametrize("filtered", [None, NO_MEMFD], ids=["memory files", "files"])
def test_killed(filtered, interpreter, start, pydtrace):
    """What a tracer that was killed has left is taken out by the next."""
    target = start(interpreter.argv("busy.py"), preexec_fn=filtered)
    before = seen_from_outside(target.pid)
    for _ in range(3):
        pydtrace(*SEEING, target.pid, "target").wait_said("seen\n").kill()
    assert ours(target.pid)
    traced(pydtrace, target.pid)
    same_as(before, target.pid)
    assert target.work() == {"wrong": []}
    target.end()


@pytest.mark.parametrize("executor", ["kernel"], indirect=True)  # the other is alone in a process
def test_killed_beside_a_living_one(start, pydtrace):
    """The next one leaves an agent alone whose tracer lives."""
    target = start(next(i for i in harness.interpreters() if i.minor >= (3, 12)).argv("busy.py"))
    before = seen_from_outside(target.pid)
    lives = pydtrace(*SEEING, target.pid, "target").wait_said("seen\n")
    pydtrace(*SEEING, target.pid, "target").wait_said("seen\n").kill()
    traced(pydtrace, target.pid)
    assert len({path for *_, path in ours(target.pid)}) == 2, ours(target.pid)
    assert lives.process.poll() is None
    lives.stop()
    assert lives.status == 0 and lives.number("calls") > 0, lives.err
    same_as(before, target.pid)
    assert target.work() == {"wrong": []}
    target.end()


def send(target, letter):
    target.process.stdin.write(letter)
    target.process.stdin.flush()
    return target.hear()


def test_killed_while_it_waits(interpreter, start, pydtrace):
    """A tracer that is killed before its agent is loaded: its descriptor goes as well, and nobody loads that agent later."""
    target = start(interpreter.argv("holds_gil.py"))
    send(target, "w")
    before = seen_from_outside(target.pid)
    send(target, "h")
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target")
    harness.wait_for(lambda: "waiting for its Python" in tracer.err or tracer.process.poll() is not None, "it to wait")
    tracer.kill()
    assert ours(target.pid), tracer.err
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target")
    harness.wait_for(lambda: "waiting for its Python" in tracer.err or tracer.process.poll() is not None, "it to wait")
    assert send(target, " ") == {"done": True}
    tracer.wait_matched()
    assert send(target, "w") == {"done": True}
    tracer.stop()
    assert tracer.status == 0 and tracer.number("calls") >= 1, tracer.err
    # What was queued first may still have been there when the second came: then the third takes the rest.
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target").wait_matched().stop()
    assert tracer.status == 0, tracer.err
    same_as(before, target.pid)
    target.end()


def test_given_up(interpreter, start, pydtrace):
    """An attach that comes to nothing: what has to stay is small and said, and the next one takes it away."""
    target = start(interpreter.argv("holds_gil.py"))
    send(target, "w")
    before = seen_from_outside(target.pid)
    send(target, "h")
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target")
    harness.wait_for(lambda: "waiting for its Python" in tracer.err or tracer.process.poll() is not None, "it to wait")
    tracer.stop()
    assert tracer.status == 1
    left = ours(target.pid)
    if left:
        assert size_of(left) < 64 << 10, left
        assert re.search(rf"^pydtrace: process {target.pid} \(.*\): its Python has not run a call that was queued there; "
                         r"4 kB stay mapped in it until the next pydtrace takes them out$", tracer.err, re.M), tracer.err
    assert send(target, " ") == {"done": True}  # the letter that it waits for: now Python runs, and what was queued there
    tracer = pydtrace("-Fs", harness.S4PYFUNC, target.pid, "target").wait_matched()
    assert send(target, "w") == {"done": True}
    tracer.stop()
    assert tracer.status == 0 and tracer.number("calls") == 1, tracer.err
    same_as(before, target.pid)
    target.end()
