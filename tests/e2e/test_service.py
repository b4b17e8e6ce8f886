# SPDX-License-Identifier: Apache-2.0
"""A web service as people run it: Debian's gunicorn and Flask, under requests, with strace to compare with."""
import http.client
import re
import shutil
import socket
import subprocess

import pytest

import harness

pytestmark = pytest.mark.usefixtures("executor")

REQUESTS = 200
PER_REQUEST = {"getppid": 3, "openat": 1, "read": 1, "close": 1}  # as service.py says
# What the worker does as often for each connection, and for nothing else: what strace counts, we must count.
PER_CONNECTION = ["recvfrom", "sendto", "getsockname", "openat", "read"]

SCRIPT = """
python$1:::function-entry /copyinstr(arg1) == "target"/ { self->t = 1; calls++; }
python$1:::function-return /copyinstr(arg1) == "target" && self->t/ { self->t = 0; }
syscall:::entry /self->t/ { @function[probefunc] = count(); }
syscall:::entry /pid == $1/ { @process[probefunc] = count(); }
END
{
	printf("calls: %d\\n", calls);
	printa("function %s %@d\\n", @function);
	printa("process %s %@d\\n", @process);
}
"""


@pytest.fixture
def service():
    """(port, pid of the worker) of a gunicorn."""
    if not shutil.which("gunicorn"):
        pytest.fail("gunicorn is not installed: ./run test installs it")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    master = subprocess.Popen(["gunicorn", "--chdir", str(harness.WORKLOADS), "-w", "1", "-b", f"127.0.0.1:{port}",
                               "--log-level", "error", "service:app"], env={"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"})
    try:
        harness.wait_for(lambda: answers(port), "gunicorn to answer")
        children = subprocess.run(["pgrep", "-P", str(master.pid)], stdout=subprocess.PIPE, text=True, check=True).stdout
        yield port, int(children)
    finally:
        master.terminate()
        master.wait(harness.PATIENCE)


def request(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.PATIENCE)
    connection.request("GET", "/")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def answers(port):
    try:
        return request(port)[0] == 200
    except OSError:
        return False


def table(text, name):
    return {key: int(value) for key, value in re.findall(rf"^{name} (\S+) (\d+)$", text, re.M)}


def requests(port):
    for _ in range(REQUESTS):
        assert request(port) == (200, b"# SPDX-Lic")


def test_against_strace(service, pydtrace):
    """One after the other: `strace -c` loses count where the kernel makes a system call of its own for a uprobe."""
    port, worker = service
    tracer = pydtrace("-n", SCRIPT, worker).wait_matched()
    requests(port)
    tracer.stop()
    assert tracer.status == 0, tracer.err

    strace = subprocess.Popen(["strace", "-f", "-c", "-U", "calls,name", "-p", str(worker)], stderr=subprocess.PIPE, text=True)
    assert "attached" in strace.stderr.readline()
    requests(port)
    strace.terminate()
    summary = strace.communicate(timeout=harness.PATIENCE)[1]
    theirs = {name: int(calls) for calls, name in re.findall(r"^\s*(\d+) ([a-z_0-9]+)$", summary, re.M)}

    function, process = table(tracer.out, "function"), table(tracer.out, "process")
    assert tracer.number("calls") == REQUESTS
    assert {name: function.get(name) for name in PER_REQUEST} == {name: n * REQUESTS for name, n in PER_REQUEST.items()}
    assert {name: process.get(name) for name in PER_CONNECTION} == {name: theirs.get(name) for name in PER_CONNECTION}, summary
