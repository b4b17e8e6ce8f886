# SPDX-License-Identifier: Apache-2.0
"""What can be seen of a process from outside, as far as a tracer must leave it as it was."""
import os
import pathlib
import re
import subprocess
import time

REMAINDER = 64 * 1024  # bytes of ours that may stay until the next attach takes them away (docs/safety.md)
OURS = re.compile("memfd:|/pydtrace-")


def proc(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")


def born(pid):
    """When it was started, in the kernel's ticks, or None when it is gone: with its number, this names a process for good."""
    try:
        state, *fields = proc(pid, "stat").rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else int(fields[18])


def resident(pid):
    """kB of memory."""
    return int(re.search(r"^VmRSS:\s*(\d+)", proc(pid, "status"), re.M)[1])


def links(pid):
    found = []
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(fd))
        except OSError:  # closed meanwhile
            pass
    return found


def snapshot(pid):
    maps = [line.split(None, 5) for line in proc(pid, "maps").splitlines()]
    ours = [m for m in maps if len(m) == 6 and OURS.search(m[5])]
    return {
        "descriptors of ours": sorted(link for link in links(pid) if OURS.search(link)),
        "mappings of ours": [f"{m[0]} {m[1]} {m[5]}" for m in ours if size(m) > REMAINDER or "x" in m[1]],
        "writable code": [m[0] for m in maps if "w" in m[1] and "x" in m[1]],
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "signals": re.findall(r"^(?:Sig(?:Blk|Ign|Cgt)|Seccomp|NoNewPrivs):.*", proc(pid, "status"), re.M),
        "held": held(pid),
    }


def settled(pid):
    """A snapshot of when its threads have done what they were at."""
    seen = snapshot(pid)
    while True:
        time.sleep(0.1)
        before, seen = seen, snapshot(pid)
        if seen == before:
            return seen


def size(mapping):
    begin, end = (int(n, 16) for n in mapping[0].split("-"))
    return end - begin


def held(pid):
    """The threads that are stopped, or traced by somebody."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            status = proc(pid, f"task/{task}/status")
        except OSError:  # ended meanwhile
            continue
        state, tracer = re.search(r"^State:\t(.)", status, re.M)[1], re.search(r"^TracerPid:\t(\d+)", status, re.M)[1]
        if state in "tT" or tracer != "0":
            found.append(f"thread {task}: state {state}, TracerPid {tracer}")
    return found


def evidence(pids):
    """Of processes that do not go on: where each thread is, for who has to find out why."""
    return "\n".join(f"process {pid}:\n{threads(pid)}" for pid in pids)


def threads(pid):
    try:
        tasks = sorted(os.listdir(f"/proc/{pid}/task"), key=int)
    except OSError:
        return "  it has ended"
    lines = []
    for task in tasks:
        try:
            facts = ", ".join(re.findall(r"^((?:State|TracerPid|SigBlk):.*)", proc(pid, f"task/{task}/status"), re.M))
            call = proc(pid, f"task/{task}/syscall").strip()
            lines.append(f"  thread {task}: {facts}, in {proc(pid, f'task/{task}/wchan')}, call {call}".replace("\t", " "))
        except OSError as error:
            lines.append(f"  thread {task}: {error}")
    try:
        done = subprocess.run(["gdb", "-nx", "-batch", "-p", str(pid), "-ex", "thread apply all bt 24"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60, check=False)
        lines += [line for line in done.stdout.splitlines() if line.startswith(("#", "Thread"))]
    except (OSError, subprocess.SubprocessError):
        pass  # gdb is a help, no need
    return "\n".join(lines)
