# SPDX-License-Identifier: Apache-2.0
"""Who may not trace what: one line with the reason and the remedy, status 1, and a target that has noticed nothing."""
import errno
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import harness
import seccomp
from conftest import must_run

US, THEM = 761234, 761235  # users and groups without a name
PYTHON = "/usr/bin/python3"
NO_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
SUDO = r"run as root \(sudo\)"
WITH_CAP = r"run with that capability \(in a container: --cap-add=SYS_PTRACE\)"
NEEDS = "tracing it needs CAP_SYS_PTRACE"
UNDUMPABLE = (r"is undumpable \(it said so by prctl, has changed its user, or its program may not be read\), and then "
              + NEEDS)

# Says that it is ready, works when it is told to, and ends when it is told again.
TARGET = """
import ctypes, json, os, signal, sys, threading
{before}
def target(n):
    return n + 1
print(json.dumps({{"function": "target"}}), flush=True)
sys.stdin.readline()
print(json.dumps({{"calls": target(0)}}), flush=True)
sys.stdin.readline()
"""

PYTHON_PROBE = ["-n", "python$1:::function-entry { n++; }", "PID"]
SYSCALL_PROBE = ["-p", "PID", "-n", "syscall:::entry { n++; }"]
SCRIPTS = pytest.mark.parametrize("script", [PYTHON_PROBE, SYSCALL_PROBE], ids=["python", "syscall"])

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root: no process of another user can be made")


def as_user(uid, gid=None):
    return ["setpriv", f"--reuid={uid}", f"--regid={gid or uid}", "--clear-groups"]


@pytest.fixture(scope="module")
def anyones():
    """A folder that every user can read, without nosuid, with pydtrace and a Python in it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pydtrace-", dir="/tmp"))
    folder.chmod(0o755)
    for source, name in (harness.PYDTRACE, "pydtrace"), (PYTHON, "python"):
        shutil.copy(source, folder / name)
        (folder / name).chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def target(start):
    """target(prefix, before="", python=...) -> Target; `before` is what it does first."""
    def target(prefix=(), before="", python=PYTHON, **popen):
        return start([*prefix, python, "-I", "-c", TARGET.format(before=before)], cwd="/", **popen)

    return target


def status_of(pid):
    return dict(re.findall(r"^(\w+):\t(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))


def what_there_is(pid):
    """Of a process, what tracing it may change."""
    proc = pathlib.Path(f"/proc/{pid}")
    status = status_of(pid)
    return ((proc / "maps").read_text().count("pydtrace-"), (proc / "maps").read_text().count(" r-xp "),
            [status[key] for key in ("TracerPid", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")],
            sorted(os.readlink(fd) for fd in (proc / "fd").iterdir()))


def refused(message, prefix, anyones, args, target, **popen):
    """pydtrace says `message` (a pattern) and no more, ends with 1, and the target goes on as if nothing had been."""
    pid = target.pid
    before = what_there_is(pid)
    done = subprocess.run([*prefix, anyones / "pydtrace", "-x", "exec=vm", *(str(pid) if a == "PID" else a for a in args)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
                          timeout=harness.PATIENCE, **popen)
    assert re.fullmatch("pydtrace: " + message.replace("PID", str(pid)) + "\n", done.stderr), done.stderr
    assert (done.returncode, done.stdout) == (1, "")
    assert what_there_is(pid) == before
    harness.wait_for(lambda: status_of(pid)["State"][0] == "S", "the target to sleep")
    assert target.work() == {"calls": 1}


# Another user's.

@SCRIPTS
@pytest.mark.parametrize("theirs, name", [(THEM, f"user {THEM}"), (65534, r"user nobody \(65534\)"), (0, r"user root \(0\)")])
def test_another_users(anyones, target, script, theirs, name):
    it = target(as_user(theirs) if theirs else [])
    refused(rf"process PID \(python3\) belongs to {name}, and {NEEDS}: run as that user or as root \(sudo\)",
            as_user(US), anyones, script, it)
    it.end()


@SCRIPTS
def test_root_without_capabilities(anyones, target, script):
    it = target(as_user(THEM))
    refused(rf"process PID \(python3\) belongs to user {THEM}, and {NEEDS}: run as that user or with that capability "
            r"\(in a container: --cap-add=SYS_PTRACE\)", NO_CAPABILITIES, anyones, script, it)
    it.end()


@SCRIPTS
def test_root_without_capabilities_of_root_with(anyones, target, script):
    it = target()
    refused(rf"process PID \(python3\) has capabilities that pydtrace has not \(CAP_\w+ and \d+ more\), and then {NEEDS}: "
            + WITH_CAP, NO_CAPABILITIES, anyones, script, it)
    it.end()


@SCRIPTS
@pytest.mark.parametrize("theirs", [0, US, THEM])
def test_from_a_user_namespace(anyones, target, script, theirs):
    prefix = [*as_user(US), "unshare", "-Ur"]
    must_run(prefix)
    it = target(as_user(theirs) if theirs else [])
    refused(r"process PID \(python3\) is outside of this user namespace, and no capability of here counts there: run "
            r"pydtrace outside, as its user or as root \(sudo\)", prefix, anyones, script, it)
    it.end()


# Of the same user, but with other rights.

@SCRIPTS
def test_set_uid(anyones, target, script):
    program = anyones / "set-uid"
    shutil.copy(PYTHON, program)
    os.chown(program, THEM, -1)
    program.chmod(0o4755)
    it = target(as_user(US), python=program)
    refused(rf"process PID \(set-uid\) runs a set-uid program, with the rights of user {THEM}, and {NEEDS}: {SUDO}",
            as_user(US), anyones, script, it)
    it.end()


@SCRIPTS
def test_set_uid_for_its_owner(anyones, target, script):
    program = anyones / "set-uid"
    shutil.copy(PYTHON, program)
    os.chown(program, THEM, -1)
    program.chmod(0o4755)
    # The program gives itself up to its owner but for the user who has started it.
    it = target(as_user(US, THEM), python=program)
    refused(rf"process PID \(set-uid\) runs a set-uid program, started by user {US}, and {NEEDS}: {SUDO}", as_user(THEM),
            anyones, script, it)
    it.end()


@SCRIPTS
def test_set_gid(anyones, target, script):
    program = anyones / "set-gid"
    shutil.copy(PYTHON, program)
    os.chown(program, -1, THEM)
    program.chmod(0o2755)
    it = target(as_user(US), python=program)
    refused(rf"process PID \(set-gid\) runs a set-gid program, with the rights of group {THEM}, and {NEEDS}: {SUDO}",
            as_user(US), anyones, script, it)
    it.end()


@SCRIPTS
def test_other_group(anyones, target, script):
    it = target(as_user(US, THEM))
    refused(rf"process PID \(python3\) runs as group {THEM}, pydtrace as group {US}, and then {NEEDS}: run in its group "
            r"\(sg\) or as root \(sudo\)", as_user(US), anyones, script, it)
    it.end()


@SCRIPTS
def test_more_capabilities(anyones, target, script):
    it = target([*as_user(US), "--inh-caps=+net_raw", "--ambient-caps=+net_raw"])
    refused(rf"process PID \(python3\) has capabilities that pydtrace has not \(CAP_NET_RAW\), and then {NEEDS}: {SUDO}",
            as_user(US), anyones, script, it)
    it.end()


@SCRIPTS
def test_undumpable(anyones, target, script):
    it = target(as_user(US), before="ctypes.CDLL(None).prctl(4, 0)")  # PR_SET_DUMPABLE
    refused(rf"process PID \(python3\) {UNDUMPABLE}: {SUDO}", as_user(US), anyones, script, it)
    it.end()


@SCRIPTS
def test_undumpable_of_root_without_capabilities(anyones, target, script):
    it = target(NO_CAPABILITIES, before="ctypes.CDLL(None).prctl(4, 0)")
    refused(rf"process PID \(python3\) {UNDUMPABLE}: {WITH_CAP}", NO_CAPABILITIES, anyones, script, it)
    it.end()


@SCRIPTS
def test_changed_its_user(anyones, target, script):
    it = target(before=f"os.setgroups([]); os.setresgid({US}, {US}, {US}); os.setresuid({US}, {US}, {US})")
    refused(rf"process PID \(python3\) {UNDUMPABLE}: {SUDO}", as_user(US), anyones, script, it)
    it.end()


@SCRIPTS
def test_program_that_may_not_be_read(anyones, target, script):
    program = anyones / "unreadable"
    shutil.copy(PYTHON, program)
    program.chmod(0o711)
    it = target([*as_user(US), "env"], python=program)  # setpriv itself may still read anything
    refused(rf"process PID \(unreadable\) {UNDUMPABLE}: {SUDO}", as_user(US), anyones, script, it)
    it.end()


def test_program_that_may_not_be_read_started(anyones):
    program = anyones / "unreadable"
    shutil.copy(PYTHON, program)
    program.chmod(0o711)
    done = subprocess.run([*as_user(US), anyones / "pydtrace", "-x", "exec=vm", "-c", f"{program} -c pass", "-n", "BEGIN { }"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/", timeout=harness.PATIENCE)
    assert re.fullmatch(rf"pydtrace: process \d+ \(unreadable\) {UNDUMPABLE}: {SUDO}\n", done.stderr), done.stderr
    assert (done.returncode, done.stdout) == (1, "")


# Traced already.

@pytest.fixture
def strace():
    """strace(tid) -> its pid, once it traces that thread."""
    started = []

    def strace(tid):
        process = subprocess.Popen(["strace", "-o", "/dev/null", "-p", str(tid)], stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert "attached" in process.stderr.readline()
        return process.pid

    yield strace
    for process in started:
        process.terminate()
        process.communicate()


@SCRIPTS
def test_traced(anyones, target, strace, script):
    it = target(as_user(US))
    tracer = strace(it.pid)
    refused(rf"process PID \(python3\) is traced by strace \(pid {tracer}\); end that first", as_user(US), anyones, script, it)
    it.end()


@SCRIPTS
def test_thread_traced(anyones, target, strace, script):
    it = target(as_user(US), before="threading.Thread(target=lambda: signal.sigwait([signal.SIGUSR1]), daemon=True).start()")
    tid = max(int(task.name) for task in pathlib.Path(f"/proc/{it.pid}/task").iterdir())
    tracer = strace(tid)
    refused(rf"process PID \(python3\) has a thread, {tid}, that is traced by strace \(pid {tracer}\); end that first",
            as_user(US), anyones, script, it)
    it.end()


def test_traced_from_outside_of_the_container(anyones, target, strace):
    """Inside nobody sees the tracer: it is in no pid namespace that is known there."""
    prefix = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    must_run(prefix)
    it = target(prefix)
    inner = int(pathlib.Path(f"/proc/{it.pid}/task/{it.pid}/children").read_text())
    strace(inner)
    done = subprocess.run(["nsenter", "-t", str(inner), "-m", "-p", anyones / "pydtrace", "-x", "exec=vm", "-n", PYTHON_PROBE[1], "1"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.PATIENCE)
    assert done.stderr == ("pydtrace: process 1 (python3): the kernel denies tracing it: Operation not permitted (is it "
                           "traced from outside of this container?)\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "pydtrace-" not in pathlib.Path(f"/proc/{inner}/maps").read_text()
    it.work()
    it.end()


# Filters.

@SCRIPTS
@pytest.mark.parametrize("prefix", [as_user(US), NO_CAPABILITIES, []], ids=["user", "root without", "root"])
def test_pidfd_open_denied(anyones, target, script, prefix):
    it = target(prefix)
    refused("pidfd_open is denied here by a seccomp filter: run the container with --security-opt seccomp=unconfined",
            prefix, anyones, script, it, preexec_fn=seccomp.deny(["pidfd_open"]))
    it.end()


DENIED = ("ptrace is denied here by a seccomp filter: run the container with --cap-add=SYS_PTRACE or --security-opt "
          "seccomp=unconfined")


@SCRIPTS
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS, errno.EACCES])
@pytest.mark.parametrize("prefix", [as_user(US), NO_CAPABILITIES, []], ids=["user", "root without", "root"])
def test_ptrace_denied(anyones, target, script, prefix, error):
    it = target(prefix)
    refused(DENIED, prefix, anyones, script, it, preexec_fn=seccomp.deny(["bpf", "perf_event_open", "ptrace"], error))
    it.end()


@pytest.mark.parametrize("prefix", [as_user(US), NO_CAPABILITIES, []], ids=["user", "root without", "root"])
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS])
def test_ptrace_denied_started(anyones, prefix, error):
    done = subprocess.run([*prefix, anyones / "pydtrace", "-x", "exec=vm", "-c", f"{PYTHON} -c 'print(1)'", "-n", "BEGIN { }"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/", timeout=harness.PATIENCE,
                          preexec_fn=seccomp.deny(["ptrace"], error))
    assert (done.stderr, done.returncode, done.stdout) == (f"pydtrace: {DENIED}\n", 1, "")


def test_harmless_filter_is_not_accused(anyones, target):
    it = target(as_user(THEM))
    refused(rf"process PID \(python3\) belongs to user {THEM}, and {NEEDS}: run as that user or as root \(sudo\)",
            as_user(US), anyones, PYTHON_PROBE, it, preexec_fn=seccomp.deny(["bpf"]))
    it.end()


# What /proc shows.

def run_in_mounts(script, anyones, *args):
    return subprocess.run([*harness.own_mounts("/"), "sh", "-c", script + ' && shift && exec "$@"', "sh", "",
                           *args[0], anyones / "pydtrace", "-x", "exec=vm", *map(str, args[1:])],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
                          timeout=harness.PATIENCE)


@pytest.mark.parametrize("option", ["invisible", "noaccess", "ptraceable"])
def test_hidden(anyones, target, option):
    it = target(as_user(THEM))
    done = run_in_mounts(f"mount -t proc -o hidepid={option} proc /proc", anyones, as_user(US), "-n", PYTHON_PROBE[1], it.pid)
    assert done.stderr == (f"pydtrace: process {it.pid} belongs to another user, and /proc hides it (hidepid={option}): "
                           "run as root (sudo)\n")
    assert (done.returncode, done.stdout) == (1, "")
    it.work()
    it.end()


def test_no_proc(anyones, target):
    it = target()
    done = run_in_mounts("mount -t tmpfs none /proc", anyones, [], "-n", PYTHON_PROBE[1], it.pid)
    assert (done.stderr, done.returncode) == ("pydtrace: /proc is not mounted: mount it (mount -t proc proc /proc)\n", 1)
    it.work()
    it.end()


def test_another_pid_namespace(anyones, target):
    prefix = ["unshare", "-pf"]
    must_run([*prefix, "--mount-proc"])
    it = target()
    done = subprocess.run([*prefix, anyones / "pydtrace", "-x", "exec=vm", "-n", PYTHON_PROBE[1], str(it.pid)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.PATIENCE)
    assert done.stderr == ("pydtrace: /proc shows the processes of another pid namespace: mount one of this namespace "
                           "(mount -t proc proc /proc)\n")
    done = subprocess.run([*prefix, "--mount-proc", anyones / "pydtrace", "-x", "exec=vm", "-n", PYTHON_PROBE[1],
                           "4000000"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.PATIENCE)
    assert (done.stderr, done.returncode) == ("pydtrace: no process with pid 4000000\n", 1)
    it.work()
    it.end()


def test_itself(anyones):
    """A shell that becomes pydtrace."""
    done = subprocess.run(["sh", "-c", f'exec {anyones}/pydtrace -x exec=vm -p $$ -n "syscall:::entry {{ n++; }}"'],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=harness.PATIENCE)
    assert re.fullmatch(r"pydtrace: process \d+ \(pydtrace\) is pydtrace itself: it cannot trace itself\n", done.stderr), done.stderr
    assert done.returncode == 1
