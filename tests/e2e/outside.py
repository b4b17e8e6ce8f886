# SPDX-License-Identifier: Apache-2.0
"""What /proc tells of a process, and that it is the same after tracing as before."""
import os
import pathlib
import re

import harness


def seen_from_outside(pid):
    """What /proc tells of a process, as far as it must be the same before and after."""
    proc = pathlib.Path(f"/proc/{pid}")
    status = (proc / "status").read_text(encoding="utf-8")
    maps = [line.split(None, 5) for line in (proc / "maps").read_text(encoding="utf-8").splitlines()]
    return {
        "fds": sorted(os.readlink(fd) for fd in (proc / "fd").iterdir()),
        "threads": len(list((proc / "task").iterdir())),
        # The kernel keeps its own page for uprobes ([uprobes-trampoline]) for as long as the process lives.
        "maps": sorted({m[5] for m in maps if len(m) == 6 and m[5] != "[heap]" and not m[5].startswith("[uprobes")}),
        "writable code": [m for m in maps if "w" in m[1] and "x" in m[1]],
        "status": re.findall(r"^(?:TracerPid|Sig[^Q]\w+|Shd\w+|Seccomp|NoNewPrivs):.*", status, re.M),
    }


def same_as(before, pid, seconds=harness.PATIENCE):
    """The agent is gone some moments after its tracer."""
    harness.wait_for(lambda: seen_from_outside(pid)["maps"] == before["maps"], "the agent to go", seconds)
    after = seen_from_outside(pid)
    different = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    assert not different, different
