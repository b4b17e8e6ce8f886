# SPDX-License-Identifier: Apache-2.0
"""The script of 2007 where there is no privilege and no eBPF: the same counts, and it is said what they cost and why.

A place is a command that starts another one there; place.py then starts both the target and the tracer.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import harness
import seccomp
from conftest import cannot, must_run

PYTHON = "/usr/bin/python3"
USER = 761236  # nobody's
NO_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
ANOTHER_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
BWRAP = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--die-with-parent"]
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
EPERM = {"preexec_fn": seccomp.deny(["bpf", "perf_event_open"])}
HOW = pytest.mark.parametrize("how", ["attach", "command"])

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root: cannot make other places")


class Place:
    """Where a target and its tracer run. `prefix` starts a command there; `python` is the target's interpreter, `driver` the
    one that runs place.py, `why` what pydtrace says there of eBPF."""

    why = "no CAP_BPF"

    def __init__(self, prefix, python=PYTHON, driver=PYTHON, folder=harness.HERE, tracer=harness.PYDTRACE, env=(), **popen):
        self.prefix, self.python, self.driver, self.folder, self.tracer = prefix, python, driver, folder, tracer
        self.env, self.popen = dict(env), popen

    def said(self, how, *flags, workload="link_actions.py"):
        """What place.py prints: truth, status, out, err, after."""
        argv = [*self.prefix, self.driver, "-B", str(self.folder / "place.py"), self.python, workload, how, *flags]
        done = self.start(argv, {"PYDTRACE": str(self.tracer)})
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def run(self, *args):
        """pydtrace there, from start to end."""
        return self.start([*self.prefix, str(self.tracer), *args], {})

    def start(self, argv, env):
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              cwd="/", timeout=2 * harness.PATIENCE, check=False, env={**os.environ, **env, **self.env},
                              **self.popen)


@pytest.fixture(scope="module")
def readable():
    """A folder with all that a place needs, for every user to read: pydtrace and its libraries, place.py, the workloads."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pydtrace-", dir="/tmp"))
    inner = folder / "tests/e2e"
    inner.mkdir(parents=True)
    for name in ("place.py", "harness.py"):
        shutil.copy(harness.HERE / name, inner)
    for name in ("workloads", "scripts"):
        shutil.copytree(harness.HERE / name, inner / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "examples/ips").mkdir(parents=True)
    shutil.copy(harness.S4PYFUNC, folder / "examples/ips")
    shutil.copy(harness.PYDTRACE, folder / "pydtrace")
    libraries = folder / "libraries"
    libraries.mkdir()
    needs = subprocess.run(["ldd", harness.PYDTRACE], stdout=subprocess.PIPE, text=True, check=True).stdout
    for path in re.findall(r"=> (\S+)", needs):
        if not re.search(r"/libc\.so|/ld-", path):  # those are the place's own
            shutil.copy(path, libraries)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    yield folder
    shutil.rmtree(folder)


def container(root, readable, python, driver):
    """A root that is not ours, with a /proc of its own, where the kernel refuses eBPF as container engines make it do."""
    mounts = ["--bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", str(readable), "/mnt"]
    env = {"LD_LIBRARY_PATH": "/mnt/libraries"} if root != "/" else {}
    return Place([*BWRAP, "--cap-drop", "ALL", *mounts, "--"], python, driver, pathlib.Path("/mnt/tests/e2e"), "/mnt/pydtrace",
                 env, **EPERM)


def usable(place):
    """The place, or a skip with the reason why this machine has none such."""
    must_run(place.prefix, cwd="/", env={**os.environ, **place.env}, **place.popen)
    return place


PLACES = ["no capabilities", "another user", "container", "user namespace"]


@pytest.fixture(params=PLACES)
def place(request, readable):
    theirs = {"folder": readable / "tests/e2e", "tracer": readable / "pydtrace"}
    made = {
        "no capabilities": lambda: Place(NO_CAPABILITIES),
        "another user": lambda: Place(ANOTHER_USER, **theirs),
        "container": lambda: container("/", readable, PYTHON, PYTHON),
        "user namespace": lambda: Place(UNSHARE, **EPERM),
    }[request.param]()
    if request.param == "user namespace":
        made.why += " outside of this user namespace"
    return usable(made)


def exact(said):
    """The counts are those that the workload knows, and the target was left as it was."""
    assert said["status"] == 0, said["err"]
    table = {key: int(value) for key, value in re.findall(r"^  +(\S+) +(-?\d+)$", said["out"], re.M)}
    calls = re.findall(r"\bcalls: (\d+)", said["out"])
    assert calls == [str(said["truth"]["calls"])], said["out"] + said["err"]
    truth = said["truth"]["flat"]
    assert {name: table.get(name, 0) for name in truth} == truth, said["out"] + said["err"]
    if said["after"]:
        assert "TracerPid:\t0" in said["after"] and not re.search("[tT] ", said["after"][0].split("\t")[1]), said["after"]


@HOW
def test_exact(place, how):
    """Nobody said how: what may be used is found out, and said, with what it costs."""
    said = place.said(how)
    exact(said)
    cost, matched = said["err"].splitlines()
    assert re.fullmatch(f"pydtrace: {place.why}: system calls by ptrace, only inside get_link_actions .*", cost)
    assert re.fullmatch(r"pydtrace: script '.*' matched \d+ probes", matched)


@HOW
@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"])
def test_versions(version, how, readable):
    """Every version without any capability; those that are only in another root, in a container with that root."""
    found = [i for i in harness.interpreters() if version == "%d.%d" % i.minor]
    ours = [i for i in found if i.root == "/"]
    if ours:
        place = Place(NO_CAPABILITIES, ours[0].path)
    elif found:
        place = container(found[0].root, readable, found[0].path, found[0].path)
    else:
        cannot(f"Python {version} is not on this machine")
    exact(usable(place).said(how))


def test_verbose(place):
    """-v: for each clause who runs it, and why; and what cannot be seen."""
    said = place.said("attach", "-v")
    exact(said)
    for at in ("python.*:::function-entry", "python.*:::function-return", "syscall:::entry", "END"):
        assert re.search(rf"^pydtrace: clause \d at {at}: vm: {place.why}; ", said["err"], re.M), said["err"]
    assert "pydtrace: without eBPF system calls of processes that are not being traced are not seen\n" in said["err"]


def test_in_the_kernel(place):
    """-x exec=kernel: what is missing, by name, in one line."""
    done = place.run("-x", "exec=kernel", "-n", "BEGIN { exit(0); }")
    needs = "tracing in the kernel needs CAP_BPF and CAP_PERFMON: run as root (sudo)"
    if "user namespace" in place.why:  # it has all capabilities, but of here
        needs = "no tracing in the kernel: no CAP_BPF outside of this user namespace"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"pydtrace: {needs}\n")


def test_all_calls(place):
    """Where nothing says in which threads calls matter, all stop; that is said, too, and what it counts is the same."""
    command = "/usr/bin/python3 -Sc 'import os; [os.getppid() for _ in range(500)]; os.system(\"true\")'"
    done = place.run("-n", 'syscall::getppid:entry { @["calls"] = count(); }', "-c", command)
    assert done.returncode == 0
    cost = rf"pydtrace: {place.why}: system calls by ptrace, of process \d+ alone, which stops twice at each .*\n"
    assert re.match(cost, done.stderr), done.stderr
    assert re.findall(r"calls +(\d+)", done.stdout) == ["500"], done.stdout + done.stderr


def test_clock(place):
    """profile-N cannot interrupt what runs: said, for it is not what one would think."""
    done = place.run("-n", "profile-97 { n++; } tick-100ms { exit(n == 0); }")
    assert done.returncode == 0
    cost, _ = done.stderr.splitlines()
    assert re.fullmatch(f"pydtrace: {place.why}: profile-97 by the tracer's own clock: it interrupts nobody, .*", cost)


def test_nothing_to_trace(place):
    """System calls of the whole system are the kernel's to see: that is said, with the capability's name and the remedy."""
    done = place.run("-n", "syscall:::entry { @ = count(); }")
    assert (done.returncode, done.stdout) == (1, "")
    refusal = r"pydtrace: system calls of the whole system need .*CAP_BPF.* name a process with -p or -c\n"
    assert re.fullmatch(refusal, done.stderr), done.stderr


def test_quiet(place):
    """-q: nothing but what the script prints."""
    said = place.said("command", "-q")
    exact(said)
    assert said["err"] == ""
