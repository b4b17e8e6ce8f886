# SPDX-License-Identifier: Apache-2.0
"""A Python that is built against musl (tools/built-pythons): another loader, which unloads nothing, and code without call frame information."""
import pathlib
import subprocess

import pytest

import harness
import seccomp
import test_exact

pytestmark = pytest.mark.usefixtures("executor")

WORKLOADS = ["async_generator", "coroutine", "exception_out", "forks", "four_threads", "generator_closed", "generator_thrown",
             "kinds", "made_anew", "one_thread", "recursion", "thread_churn"]


@pytest.fixture(scope="module")
def musl():
    out = subprocess.run([harness.TOP / "tools/built-pythons", "--list"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                         check=False).stdout
    found = [harness.Interpreter(*line.split("\t")) for line in out.splitlines() if line.endswith("\tmusl")]
    if not found:
        pytest.skip("no Python with musl has been built; ./run test --all does that")
    return found[0]


def maps(pid):
    return [line for line in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines() if "pydtrace-" in line]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_2007(musl, workload, start, pydtrace):
    test_exact.test_2007(musl, workload, start, pydtrace)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_depth(musl, workload, start, pydtrace):
    test_exact.test_depth(musl, workload, start, pydtrace)


@pytest.mark.parametrize("workload", ["one_thread", "coroutine"])
def test_started_by_us(musl, workload, pydtrace):
    test_exact.test_started_by_us(musl, workload, pydtrace)


def test_again_and_again(musl, start, pydtrace):
    test_exact.test_again_and_again(musl, start, pydtrace)


SCRIPT = ["-q", "-n", """BEGIN { printf("on\\n"); } python$target:::function-entry /copyinstr(arg1) == "target"/ { n++; }
    END { printf("calls: %d\\n", n); }"""]


def test_nothing_stays(musl, start, pydtrace):
    """Each time the agent is unmapped, which musl's dlclose() would not do."""
    target = start(musl.argv("rounds.py"))
    for _ in range(10):
        tracer = pydtrace("-p", target.pid, *SCRIPT).wait_said("on\n")
        assert maps(target.pid)
        truth = target.work()
        tracer.stop()
        assert (tracer.status, tracer.err) == (0, "")
        assert tracer.number("calls") == truth["calls"]
        assert maps(target.pid) == []


def test_killed(musl, start, pydtrace):
    """The agent of a tracer that was killed goes inert, and stays; the next one counts right."""
    target = start(musl.argv("rounds.py"))
    for _ in range(3):
        pydtrace("-p", target.pid, *SCRIPT).wait_said("on\n").kill()
        target.work()
    tracer = pydtrace("-p", target.pid, *SCRIPT).wait_said("on\n")
    truth = target.work()
    tracer.stop()
    assert (tracer.status, tracer.err) == (0, "")
    assert tracer.number("calls") == truth["calls"]


def test_no_memory_file(musl, start, executor):
    target = start(musl.argv("one_thread.py"), preexec_fn=seccomp.deny(["memfd_create"]))
    said = harness.run("-x", "exec=" + executor, "-n", "python$target:::function-entry { }", "-p", target.pid)
    assert said.stderr == (f"pydtrace: process {target.pid} (python3.13): it can use no memory file, and its C library is musl, for which "
                           "the agent comes in no other\n")
    assert (said.returncode, said.stdout) == (1, "")
    target.work()
    target.end()
