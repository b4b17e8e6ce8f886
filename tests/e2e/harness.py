# SPDX-License-Identifier: Apache-2.0
"""Start a target, trace it, and read what the tracer says."""
import atexit
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
WORKLOADS = HERE / "workloads"
SCRIPTS = HERE / "scripts"
S4PYFUNC = TOP / "examples/ips/s4pyfunc.d"
PYDTRACE = pathlib.Path(os.environ.get("PYDTRACE", TOP / "build/pydtrace"))
CI = os.environ.get("CI") == "true"
PATIENCE = 30  # seconds until something that should happen has not


def wait_for(condition, what, seconds=PATIENCE):
    """Poll until condition() gives something true, and return that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"waited {seconds} s for {what}")


def copy_until_exit(source, path):
    """A copy of a file, for as long as this process lives."""
    shutil.copy(source, path)
    atexit.register(pathlib.Path(path).unlink, missing_ok=True)


def chrooted():
    """True if our root is a folder of the machine's. The kernel makes no user namespace for such a process (user_namespaces(7),
    EPERM), and `unshare --mount` cannot make its root private, which is no mount point: it is not among those of proc(5)."""
    if "/" not in [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]:
        return True
    try:
        return not os.path.samefile("/proc/1/root/", "/")  # it may be one: of something that was mounted for it
    except OSError:
        return False


@functools.lru_cache(None)
def own_mounts(root):
    """The command for a mount namespace in which what is mounted in `root` is nobody else's."""
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        return ["unshare", "-m"]
    # Our own root is no mount point (we are in a chroot), so unshare cannot make it private; but `root` can be one.
    if not os.path.ismount(root):
        subprocess.run(["mount", "--bind", root, root], check=True)
        atexit.register(subprocess.run, ["umount", "-l", root], check=False)
        subprocess.run(["mount", "--make-rprivate", root], check=True)
    return ["unshare", "-m", "--propagation", "unchanged"]


class Interpreter:
    """A Python to run targets with: a row of tools/interpreters."""

    def __init__(self, version, path, root, kind, proc=True):
        self.version, self.path, self.root, self.kind, self.proc = version, path, root, kind, proc
        self.minor = tuple(int(n) for n in version.split(".")[:2])

    def __str__(self):
        return f"{self.version}-{self.kind}" + ("" if self.proc else "-noproc")

    def argv(self, script, *args, folder=WORKLOADS):
        """How to run a file of `folder`. In another root it is seen at /mnt, from a mount namespace of its own."""
        if self.root == "/":
            return [self.path, "-B", str(folder / script), *args]
        inside = ["chroot", self.root, self.path, "-B", "/mnt/" + script, *args]
        mounts = 'mount --bind "$1" "$2/mnt"' + (' && mount -t proc proc "$2/proc"' if self.proc else "")
        mounts += ' && shift 2 && exec "$@"'
        return [*own_mounts(self.root), "sh", "-c", mounts, "sh", str(folder), self.root, *inside]


def interpreters():
    out = subprocess.run([TOP / "tools/interpreters", "--list"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True, check=False).stdout
    return [Interpreter(*line.split("\t")) for line in out.splitlines()]


class Target:
    """A running workload: says {"function": NAME} when ready, works when told to, and then says what the truth is."""

    def __init__(self, argv, **popen):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **popen)
        self.ready = self.hear()
        self.pid = self.process.pid

    def hear(self):
        line = self.process.stdout.readline()
        assert line, f"the target has ended with status {self.process.wait()}"
        return json.loads(line)

    def tell(self, what=""):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()

    def work(self, what=""):
        """Let it work; the truth."""
        self.tell(what)
        return self.hear()

    def end(self):
        """Let it end; it must have nothing to say, and end well."""
        rest, _ = self.process.communicate("\n", timeout=PATIENCE)
        assert rest == ""
        assert self.process.returncode == 0

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Tracer:
    """A running pydtrace. Its output goes to files, so that nobody waits for a pipe to be read."""

    def __init__(self, *args, stdin=subprocess.DEVNULL, env=None, cwd=None, preexec_fn=None):
        self.files = [tempfile.TemporaryFile("w+") for _ in range(2)]
        self.process = subprocess.Popen([str(PYDTRACE), *map(str, args)], stdin=stdin, stdout=self.files[0],
                                        stderr=self.files[1], env=env, cwd=cwd, preexec_fn=preexec_fn)

    def wait_said(self, text):
        """Until `text` is in the output, which says that the probes are on where BEGIN prints it: also with -q."""
        wait_for(lambda: text in self.out or self.process.poll() is not None, f"the tracer to say {text!r}")
        assert text in self.out, self.err
        return self

    def read_bytes(self, n):
        """The output (0) or the messages (1) so far, as they were written."""
        return os.pread(self.files[n].fileno(), 1 << 28, 0)

    def read(self, n):
        return self.read_bytes(n).decode("utf-8", "backslashreplace")

    @property
    def out(self):
        return self.read(0)

    @property
    def err(self):
        return self.read(1)

    def wait_matched(self):
        wait_for(lambda: " matched " in self.err or self.process.poll() is not None, "probes to match")
        assert self.process.poll() is None or " matched " in self.err, self.err
        return self

    def stop(self):
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self):
        self.process.wait(PATIENCE)
        return self

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def status(self):
        return self.process.returncode

    def number(self, name):
        """N of "name: N" in the output."""
        said = re.findall(rf"\b{name}: (-?\d+)", self.out)
        assert len(said) == 1, self.out + self.err
        return int(said[0])

    def lines(self):
        """What the script printed, without the columns before it: for scripts that end each text with a newline. (With
        -q there are no columns, but neither is there the line that tells when tracing is on.)"""
        lines = [re.sub(r"^ *\d+ +\d+ +\S*:\S* ", "", line) for line in self.out.splitlines()]
        return [line for line in lines if line and not line.startswith("CPU ")]

    def table(self):
        """The aggregations with one string as their key, as they stand in the output: later ones win."""
        return {key: int(value) for key, value in re.findall(r"^  +(\S+) +(-?\d+)$", self.out, re.M)}


def watch_of(tracer):
    """The process that wakes a tracer up when it is stopped: of all its children the one of this name."""
    def found():
        children = [int(pid) for task in pathlib.Path(f"/proc/{tracer.process.pid}/task").iterdir()
                    for pid in (task / "children").read_text(encoding="utf-8").split()]
        return [pid for pid in children
                if pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="utf-8") == "tracer-watch\n"]

    (watch,) = wait_for(found, "the watch")
    return watch


def run(*args, input=None, **options):
    """pydtrace from start to end: a finished process, with text."""
    return subprocess.run([str(PYDTRACE), *map(str, args)], input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=PATIENCE, errors="backslashreplace",
                          **({"stdin": subprocess.DEVNULL} if input is None else {}), **options)
