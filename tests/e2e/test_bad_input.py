# SPDX-License-Identifier: Apache-2.0
"""Bad input: one clear line, the right status, and nothing left in the target."""
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys

import pytest

import harness

COUNT = "python$1:::function-entry { n++; }"
NEVER = 4_000_000  # above the largest pid there is (4,194,304 at the most, far fewer in fact)
PYENV = pathlib.Path(os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")))


def refused(message, *args, status=1, place=None, **options):
    """pydtrace must say this one line (a pattern), with a line of source and a caret when there is a place, and end so."""
    done = harness.run(*args, **options)
    lines = done.stderr.splitlines()
    assert re.fullmatch("pydtrace: " + message, lines[0] if lines else ""), done.stderr
    assert len(lines) == (3 if place else 1), done.stderr
    if place:
        assert lines[2].strip() == "^" and lines[2].index("^") == place, done.stderr
    assert done.returncode == status
    assert done.stdout.strip() == ""


# Usage: status 2.

@pytest.mark.parametrize("message, args", [
    ("no flags given: a script is given with -s, a probe with -n .*", []),
    ("unknown flag -y .*", ["-y"]),
    ("unknown flag --nothing .*", ["--nothing"]),
    ("an argument is missing after -s .*", ["-s"]),
    ("an argument is missing after -p .*", ["-n", "BEGIN", "-p"]),
    ("-h is not supported: .*", ["-h"]),
    ("-G is not supported: .*", ["-G"]),
    ("-A is not supported: .*", ["-A"]),
    ("-a is not supported: .*", ["-a"]),
    ("-32 is not supported: .*", ["-32"]),
    ("-64 is not supported: .*", ["-64"]),
    ("'top' is not a flag: .*", ["top", "1"]),
    ("only one -c can be given", ["-c", "true", "-c", "true", "-n", "BEGIN"]),
    ("only one of -l and -V can be given.*", ["-l", "-V"]),
])
def test_usage(message, args):
    refused(message, *args, status=2)


# The script.

@pytest.mark.parametrize("message, text, place", [
    (r"-n:1:11: syntax error near '='", "BEGIN { ; = 1 }", None),
    (r"-n:1:9: unknown function 'foo'", "BEGIN { foo(1); }", 12),
    (r"-n:1:15: unterminated string.*", "BEGIN { trace(\"text); }", None),
    (r"-n:1:1: unterminated comment", "/* BEGIN { }", None),
    (r"-n:1:17: division by zero", "BEGIN { trace(1 / 0); }", None),
    (r"-n:1:9: macro argument \$1 is not defined", "BEGIN { $1; }", None),
    (r"-n:1:15: macro variable \$target is not defined: .*", "BEGIN { trace($target); }", None),
    (r"-n:1:1: probe description nothing:::BEGIN does not match any probes: there is no provider 'nothing'",
     "nothing:::BEGIN { }", None),
    (r"-n:1:1: probe description syscall::no_such_call:entry does not match any probes", "syscall::no_such_call:entry",
     None),
    (r"-n:1:9: stop\(\) .*-w.*", "BEGIN { stop(); }", None),
    (r"-n:1:\d+: the expression is nested too deeply .*", "BEGIN { x = " + "(" * 20000 + "1" + ")" * 20000 + "; }", None),
    (r"-n:1:\d+: the expression is nested too deeply .*", "BEGIN { x = " + "-" * 20000 + "1; }", None),
    (r"-n:1:\d+: the expression is nested too deeply .*", "BEGIN { x = " + "!" * 5000 + "1" + "? 1 : 2" * 5000 + "; }", None),
    (r"-n:1:15: the probe has no argument args\[7\]", "BEGIN { trace(args[7]); }", None),
    (r"-n:1:\d+: operands have incompatible types: .*", "BEGIN { x = \"a\" + 1; }", None),
    (r"-n:1:\d+: option strsize: 'abc' is not a size .*", "#pragma D option strsize=abc\nBEGIN { }", None),
])
def test_script(message, text, place):
    done = harness.run("-x", "exec=vm", "-n", text)
    lines = done.stderr.splitlines()
    assert re.fullmatch("pydtrace: " + message, lines[0]), done.stderr[:2000]
    assert len(lines) == 3 and lines[2].strip() == "^", done.stderr[:2000]  # the line of the script, and a caret
    assert len(done.stderr) < 1000
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("message, content", [
    (r"FILE: the script is empty: it names no probe", b""),
    (r"FILE: the script is empty: it names no probe", b"\n\n  /* nothing */\n"),
    (r"FILE is no script: byte 2 is a NUL", b"\x7f\0ELF"),
    (r"FILE:3:2: unknown function 'foo'", b"BEGIN\n{\n\tfoo();\n}\n"),
    (r"FILE:1:1: probe description :::.* does not match any probes", b"\xff\xfe\xfd"),
])
def test_script_file(tmp_path, message, content):
    path = tmp_path / "x.d"
    path.write_bytes(content)
    done = harness.run("-x", "exec=vm", "-s", path)
    assert re.fullmatch("pydtrace: " + message.replace("FILE", re.escape(str(path))), done.stderr.splitlines()[0]), done.stderr
    assert (done.returncode, done.stdout) == (1, "")


def test_string_of_megabytes():
    """Is cut like any other."""
    done = harness.run("-q", "-x", "exec=vm", "-s", "-",
                       input="BEGIN { trace(strlen(\"" + "x" * 4_000_000 + "\")); exit(0); }")
    assert (done.stdout, done.returncode) == ("255\n", 0), done.stderr[:2000]


def test_no_such_script(tmp_path):
    refused(r"failed to open /no/such/file: No such file or directory", "-s", "/no/such/file", "-x", "exec=vm")
    refused(rf"failed to read {tmp_path}: Is a directory", "-s", tmp_path, "-x", "exec=vm")


@pytest.mark.parametrize("message, args", [
    (r"extraneous argument 'more' \(\$1 is the last that is used\)", ["-n", "BEGIN { trace($1); exit(0); }", "1", "more"]),
    (r"extraneous argument 'one': the script uses none \(\$1 \.\.\.\)", ["-n", "BEGIN { exit(0); }", "one"]),
    (r"unknown option 'nothing' .*", ["-x", "nothing=1", "-n", "BEGIN { exit(0); }"]),
    (r"option bufsize: 'big' is not a size .*", ["-b", "big", "-n", "BEGIN { exit(0); }"]),
    (r"option bufsize: 99999999999999 is out of range \(4k to 1g\)", ["-b", "99999999999999", "-n", "BEGIN { exit(0); }"]),
    (r"option bufsize: 900t is out of range \(4k to 1g\)", ["-x", "bufsize=900t", "-n", "BEGIN { exit(0); }"]),
    (r"option aggsize: 1 is out of range \(4k to 1g\)", ["-x", "aggsize=1", "-n", "BEGIN { exit(0); }"]),
    (r"option quiet: 'maybe' is not yes or no", ["-x", "quiet=maybe", "-n", "BEGIN { exit(0); }"]),
    (r"option exec: 'nobody' is not one of: kernel vm", ["-x", "exec=nobody", "-n", "BEGIN { exit(0); }"]),
    (r"failed to open output file '/no/such/file': No such file or directory", ["-o", "/no/such/file", "-n", "BEGIN { exit(0); }"]),
    (r"no probes specified", ["-q"]),
    (r"-c needs a command", ["-c", "  ", "-n", "BEGIN { exit(0); }"]),
])
def test_arguments(message, args):
    refused(message, "-x", "exec=vm", *args)


def test_full_output():
    refused(r"failed to write to /dev/full: No space left on device", "-q", "-x", "exec=vm", "-o", "/dev/full", "-n",
            "BEGIN { trace(1); exit(0); }")


def test_reader_gone():
    """`pydtrace | head` ends without a word."""
    done = subprocess.run(f"{harness.PYDTRACE} -x exec=vm -n 'tick-1ms {{ trace(n++); }} tick-2s {{ exit(0); }}' | head -n 3",
                          shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.PATIENCE)
    assert len(done.stdout.splitlines()) == 3
    assert "rite" not in done.stderr


# The process.

@pytest.mark.parametrize("message, pid", [
    (f"no process with pid {NEVER}", NEVER),
    ("'abc' is not a process ID", "abc"),
    ("'-1' is not a process ID", "-1"),
    ("'' is not a process ID", ""),
    ("'1x' is not a process ID", "1x"),
    ("process ID 0 is out of range", "0"),
    ("process ID 99999999999 is out of range", "99999999999"),
    ("process ID 99999999999999999999999 is out of range", "99999999999999999999999"),
])
def test_no_process(kernel, message, pid):
    refused(message, "-p", pid, "-n", "python$target:::function-entry { n++; }")


@pytest.mark.parametrize("message, pid", [
    (f"no process with pid {NEVER}", NEVER),
    ("-n:1:1: python needs a process ID: .*", ""),
    ("-n:1:1: 'abc' is not a process ID", "abc"),
    ("-n:1:1: '0' is not a process ID", "0"),
    ("-n:1:1: '99999999999' is not a process ID", "99999999999"),
])
def test_no_process_in_script(kernel, message, pid):
    done = harness.run("-n", f"python{pid}:::function-entry {{ n++; }}")
    assert re.fullmatch("pydtrace: " + message, done.stderr.splitlines()[0]), done.stderr
    assert done.returncode == 1


@pytest.fixture
def sleeper():
    """sleeper(argv) -> pid of a process that sleeps, and is ended with the test."""
    started = []

    def sleeper(*argv):
        started.append(subprocess.Popen(argv or ["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        harness.wait_for(lambda: pathlib.Path(f"/proc/{started[-1].pid}/wchan").read_text() not in ("", "0"), "it to sleep")
        return started[-1].pid

    yield sleeper
    for process in started:
        process.kill()
        process.wait()


def test_not_python(kernel, sleeper):
    pid = sleeper()
    refused(rf"process {pid} \(sleep\) is not a Python process", "-n", COUNT, pid)


def test_kernel_thread(kernel):
    refused(r"process 2 \(kthreadd\) is a kernel thread", "-n", COUNT, 2)


def test_itself_and_thread(kernel, start):
    target = start(harness.interpreters()[0].argv("busy.py"))
    tid = max(int(task.name) for task in pathlib.Path(f"/proc/{target.pid}/task").iterdir())
    refused(rf"{tid} is a thread of process {target.pid} \(python3\); give that pid", "-n", COUNT, tid)


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8"])
def test_old_python(kernel, sleeper, version):
    found = sorted(PYENV.glob(f"versions/{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} on this machine")
    pid = sleeper(found[0], "-c", "import time; time.sleep(60)")
    refused(rf"process {pid} \(python\): Python {re.escape(version)}\S* is not supported; pydtrace knows 3.9 to 3.15",
            "-n", COUNT, pid)


FUTURE = """
#include <unistd.h>
const unsigned long Py_Version = 0x03630000;
int _PyRuntime[1000];
int Py_AddPendingCall(void *f, void *arg) { return 0; }
int Py_IsInitialized(void) { return 1; }
int main(void) { return pause(); }
"""


def test_future_python(kernel, sleeper, tmp_path):
    """3.99 is refused with its version, never guessed at."""
    (tmp_path / "future.c").write_text(FUTURE)
    subprocess.run(["gcc", "-rdynamic", "-o", tmp_path / "future", tmp_path / "future.c"], check=True)
    pid = sleeper(tmp_path / "future")
    refused(rf"process {pid} \(future\): Python 3\.99\S* is not supported yet; pydtrace knows 3.9 to 3.15", "-n", COUNT, pid)


def test_stopped(kernel, start):
    target = start(harness.interpreters()[0].argv("one_thread.py"))
    os.kill(target.pid, signal.SIGSTOP)
    harness.wait_for(lambda: "T (stopped)" in pathlib.Path(f"/proc/{target.pid}/status").read_text(), "it to stop")
    refused(rf"process {target.pid} \(python3\) is stopped; continue it first \(kill -CONT {target.pid}\)", "-n", COUNT,
            target.pid)
    os.kill(target.pid, signal.SIGCONT)
    target.work()
    target.end()


def test_traced(kernel, start):
    target = start(harness.interpreters()[0].argv("one_thread.py"))
    strace = subprocess.Popen(["strace", "-o", "/dev/null", "-p", str(target.pid)], stderr=subprocess.PIPE, text=True)
    assert "attached" in strace.stderr.readline()
    refused(rf"process {target.pid} \(python3\) is traced by strace \(pid {strace.pid}\); end that first", "-n", COUNT,
            target.pid)
    strace.terminate()
    strace.communicate()
    target.work()
    target.end()


def test_zombie(kernel):
    process = subprocess.Popen([sys.executable, "-c", ""])
    harness.wait_for(lambda: "Z (zombie)" in pathlib.Path(f"/proc/{process.pid}/status").read_text(), "it to end")
    refused(rf"process {process.pid} \(python3\) is a zombie: it has ended and waits for its parent", "-n", COUNT, process.pid)
    process.wait()


# The machine.

def as_nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


@pytest.fixture
def anyones(tmp_path_factory):
    """pydtrace where every user can run it."""
    folder = pathlib.Path(harness.tempfile.mkdtemp(prefix="pydtrace-"))
    folder.chmod(0o755)
    shutil.copy(harness.PYDTRACE, folder / "pydtrace")
    (folder / "pydtrace").chmod(0o755)
    yield folder / "pydtrace"
    shutil.rmtree(folder)


def test_no_permission(kernel, anyones):
    done = subprocess.run([anyones, "-x", "exec=kernel", "-n", "BEGIN { exit(0); }"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          preexec_fn=as_nobody, cwd="/")
    assert re.fullmatch(r"pydtrace: tracing in the kernel needs (CAP_PERFMON and CAP_BPF|CAP_BPF and CAP_PERFMON): run as root \(sudo\)\n", done.stderr), done.stderr
    assert done.returncode == 1


def test_few_descriptors(kernel, start):
    """Whatever the limit is: it works, or it is said what the trouble is; and the target goes on."""
    target = start(harness.interpreters()[0].argv("one_thread.py"))
    for limit in (3, 5, 8, 12, 16, 20, 24, 30, 40):
        done = harness.run("-n", COUNT + " BEGIN, tick-50ms { exit(0); }", target.pid,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        if done.returncode:
            assert done.returncode in (1, 127) and len(done.stderr.splitlines()) == 1, (limit, done.stderr)
            assert "oo many open files" in done.stderr or "cannot open shared object" in done.stderr, (limit, done.stderr)
    target.work()
    target.end()


def test_help_and_version():
    done = harness.run("--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: pydtrace ") and "-x" in done.stdout
    done = harness.run("--version")
    assert (done.returncode, done.stdout[:9]) == (0, "pydtrace ")
    assert harness.run("-V").stdout == done.stdout
