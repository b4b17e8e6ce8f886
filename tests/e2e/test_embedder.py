# SPDX-License-Identifier: Apache-2.0
"""A program that embeds Python, has one thread, and holds the GIL while it waits outside of Python: it is entered and left there
(src/python/outside.c). Where it is not certain that nothing is in the middle of anything, it is not."""
import os
import pathlib
import signal
import subprocess

import pytest

import harness

SCRIPT = """
python$target:::function-entry /copyinstr(arg1) == "target"/ { calls++; }
END { printf("calls: %d\\n", calls); }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embeds")
    folder.chmod(0o755)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", folder / "embeds.so", harness.WORKLOADS / "embeds.c", "-ldl", "-lpthread"],
                   check=True)
    return folder


@pytest.fixture
def embeds(library, start):
    def embeds(interpreter, way):
        here = interpreter.root == "/"
        home = pathlib.Path(interpreter.path).resolve().parent.parent if here else pathlib.Path("/usr")
        return start(interpreter.argv("none", folder=library), stderr=subprocess.DEVNULL, env={
            **os.environ, "EMBEDS": way, "PYTHONHOME": str(home), "LD_PRELOAD": str(library if here else "/mnt") + "/embeds.so"})
    return embeds


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def is_clean(target):
    return "pydtrace-" not in pathlib.Path(f"/proc/{target.pid}/maps").read_text(encoding="utf-8")


def test_idle(embeds, pydtrace, executor, interpreter):
    """It gets no request while we come, nor while we go."""
    target = embeds(interpreter, "plain")
    for n in (1, 3):
        tracer = pydtrace("-n", SCRIPT, "-p", target.pid).wait_matched()
        assert target.work() == {"calls": n}
        assert target.work() == {"calls": n + 1}
        tracer.stop()
        assert tracer.status == 0 and tracer.number("calls") == 2, tracer.out + tracer.err
        assert "waiting" not in tracer.err and threads(target.pid) == 1
        assert is_clean(target)


@pytest.mark.parametrize("way", ["qsort", "thread"])
def test_not_certain(embeds, pydtrace, executor, way):
    """The next request lets us in, and the one after that out."""
    target = embeds(harness.interpreters()[0], way)
    tracer = pydtrace("-n", SCRIPT, "-p", target.pid)
    tells = (f"pydtrace: process {target.pid} (python3.11): waiting for its Python to come to a safe point (it may be in a long call into C); "
             "Ctrl-C gives up\n").replace("python3.11", pathlib.Path(f"/proc/{target.pid}/comm").read_text(encoding="utf-8").strip())
    harness.wait_for(lambda: tells in tracer.err, "a line for who waits")
    assert target.work() == {"calls": 1}
    tracer.wait_matched()
    assert target.work() == {"calls": 2}
    tracer.process.send_signal(signal.SIGINT)
    harness.wait_for(lambda: tracer.out.endswith("calls: 1\n") or "calls: 1\n" in tracer.out, "the result")
    harness.wait_for(lambda: "waiting to take the agent out" in tracer.err, "a line for who takes long")
    harness.wait_for(lambda: target.work() and tracer.process.poll() is not None, "the end")
    assert tracer.status == 0 and is_clean(target), tracer.err
