# SPDX-License-Identifier: Apache-2.0
"""A Python that is built against musl (tools/built-pythons) is refused, and named rightly: the name of musl's file does not tell it on Debian."""
import pathlib
import subprocess

import pytest

import harness


@pytest.fixture
def musl():
    out = subprocess.run([harness.TOP / "tools/built-pythons", "--list"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                         check=False).stdout
    found = [harness.Interpreter(*line.split("\t")) for line in out.splitlines() if line.endswith("\tmusl")]
    if not found:
        pytest.skip("no Python with musl has been built; ./run test --all does that")
    return found[0]


def test_refused(musl, start, executor):
    target = start(musl.argv("one_thread.py"))
    said = harness.run("-x", "exec=" + executor, "-n", "python$target:::function-entry { }", "-p", target.pid)
    assert said.stderr == (f"pydtrace: process {target.pid} (python3.13): its C library is musl; pydtrace can enter processes with "
                           "glibc only\n")
    assert (said.returncode, said.stdout) == (1, "")
    assert "pydtrace-" not in pathlib.Path(f"/proc/{target.pid}/maps").read_text(encoding="utf-8")
    target.work()
    target.end()
