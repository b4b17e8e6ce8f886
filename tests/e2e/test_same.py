# SPDX-License-Identifier: Apache-2.0
"""The same script prints the same, to the byte, whoever runs it: scripts/same/*.d, on workloads/steps.py.

The first comments of a script may be `flags: ...`, and `status: N` if it calls exit() itself; `lines: N` is how many it
prints at least. Only the number of a CPU may differ, which stands in the first column when there is no -q.
"""
import pathlib
import re

import pytest

import harness
from conftest import must_run

SCRIPTS = harness.SCRIPTS / "same"
VERSIONS = {"%d.%d" % i.minor: i for i in harness.interpreters()}
# BEGIN is printed once all probes are on, also with -q.
ON = 'BEGIN { printf("on\\n"); }'
OVER = "python$1:__main__:last:function-return { exit(0); }"  # not by a signal: where its newline stands is a matter of time


def said_in(text, what):
    found = re.search(rf"^/\* {what}: (.*?) \*/", text, re.M)
    return found[1].split() if found else []


def round_of(executor, target, pydtrace, path, text):
    """What tracing one round of the target's work says: (status, output, messages)."""
    over = [] if said_in(text, "status") else ["-n", OVER]
    tracer = pydtrace("-x", f"exec={executor}", *said_in(text, "flags"), "-n", ON, "-s", path, *over, target.pid)
    tracer.wait_said("on\n")
    target.work()
    tracer.wait()
    out = tracer.out if "option quiet" in text else re.sub(r"^ {0,2}\d{1,3}(?= )", "CPU", tracer.out, flags=re.M)
    faults = [line for line in tracer.err.splitlines() if re.search("error on|drop|lost|missed", line)]
    return tracer.status, out, faults


def innermost(pid):
    """The youngest of a line of single children: what bwrap and its like have started."""
    while True:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        if not children:
            return pid
        pid = int(children[0])


@pytest.mark.parametrize("script", ["builtins_python", "builtins_syscall", "calls_gated", "threads"])
def test_other_numbers(kernel, script, start, pydtrace):
    """A target in a pid namespace of its own: threads have other numbers there, and here the ones that are printed."""
    path = SCRIPTS / f"{script}.d"
    text = path.read_text(encoding="utf-8")
    place = ["bwrap", "--unshare-user", "--unshare-pid", "--die-with-parent", "--bind", "/", "/", "--proc", "/proc", "--dev",
             "/dev", "--"]
    must_run(place)
    target = start([*place, *harness.interpreters()[0].argv("steps.py")])
    target.pid = innermost(target.process.pid)
    by_kernel = round_of("kernel", target, pydtrace, path, text)
    assert round_of("vm", target, pydtrace, path, text) == by_kernel
    assert by_kernel[1].count("\n") >= int(said_in(text, "lines")[0]), by_kernel[1]


@pytest.mark.parametrize("script", sorted(path.stem for path in SCRIPTS.glob("*.d")))
@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_same(kernel, version, script, start, pydtrace):
    path = SCRIPTS / f"{script}.d"
    text = path.read_text(encoding="utf-8")
    target = start(VERSIONS[version].argv("steps.py"))
    by_kernel = round_of("kernel", target, pydtrace, path, text)
    by_vm = round_of("vm", target, pydtrace, path, text)
    assert by_vm == by_kernel
    assert by_kernel[0] == int((said_in(text, "status") or ["0"])[0])
    assert by_kernel[1].count("\n") >= int(said_in(text, "lines")[0]), by_kernel[1]
    target.process.stdin.close()
    assert target.process.wait(harness.PATIENCE) == 0
