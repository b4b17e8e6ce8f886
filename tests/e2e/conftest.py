# SPDX-License-Identifier: Apache-2.0
import os
import shlex
import subprocess

import pytest

import harness


def pytest_generate_tests(metafunc):
    """A test with an `interpreter` runs once for each that tools/interpreters finds."""
    if "interpreter" in metafunc.fixturenames:
        found = harness.interpreters()
        found += [harness.Interpreter(i.version, i.path, i.root, i.kind, proc=False) for i in found
                  if i.kind == "debian-trixie"]
        metafunc.parametrize("interpreter", found, ids=str)


def cannot(reason):
    """Skip for want of something on this machine; where everything must be there, fail."""
    if harness.CI:
        pytest.fail(reason)
    pytest.skip(reason)


def must_run(prefix, **popen):
    """Skip, with what was said, where no command can be run by `prefix`: found out by trying. Where everything must be
    there that fails, unless our root is a chroot's, in which the kernel and unshare(1) refuse to make namespaces."""
    try:
        tried = subprocess.run([*prefix, "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True, timeout=harness.PATIENCE, check=False, **popen)
        said = tried.stderr.strip() if tried.returncode else None
    except OSError as error:
        said = str(error)
    if said is None:
        return
    reason = f"cannot run anything by {shlex.join(map(str, prefix[:4]))} ...: {said}"
    if harness.chrooted():
        pytest.skip(reason + " (in a chroot)")
    cannot(reason)


@pytest.fixture(scope="session")
def kernel():
    """The test traces in the kernel."""
    if os.geteuid():
        cannot("not root: the kernel's probes are closed to us")
    said = harness.run("-q", "-x", "exec=kernel", "-n", "BEGIN { exit(0) }")
    if said.returncode:
        cannot("no tracing in the kernel: " + said.stderr.strip())


@pytest.fixture(params=["kernel", "vm"])
def executor(request):
    """Who runs the clauses. A test that uses it runs with each, and its `pydtrace` is told; for one alone, see only()."""
    if request.param == "kernel":
        request.getfixturevalue("kernel")
    return request.param


def only(name):
    """A module that is about one executor: `executor = only("vm")`."""
    @pytest.fixture(name="executor", params=[name])
    def executor(request):
        if name == "kernel":
            request.getfixturevalue("kernel")
        return name

    return executor


@pytest.fixture
def start():
    """start(argv) -> Target. Whatever is started is ended with the test."""
    started = []

    def start(argv, **popen):
        started.append(harness.Target(argv, **popen))
        return started[-1]

    yield start
    for target in started:
        target.kill()


@pytest.fixture
def pydtrace(request):
    """pydtrace(args ...) -> Tracer. Whatever is started is ended with the test."""
    started = []
    forced = ["-x", "exec=" + request.getfixturevalue("executor")] if "executor" in request.fixturenames else []

    def pydtrace(*args, **options):
        started.append(harness.Tracer(*forced, *args, **options))
        return started[-1]

    yield pydtrace
    for tracer in started:
        tracer.kill()


@pytest.fixture(scope="session")
def catch(tmp_path_factory):
    """workloads/catch.c, compiled."""
    library = tmp_path_factory.mktemp("catch") / "catch.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, harness.WORKLOADS / "catch.c"], check=True)
    return str(library)
