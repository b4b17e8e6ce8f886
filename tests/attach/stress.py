#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attach and detach, over every interpreter found and every state of its threads (workload.py).

usage: stress.py TOOL [--cycles N] [--kills N] [--starts N] [--python WORD]... [--state NAME]...

A target passes when its own checks hold, and its descriptors, maps and threads are the same before and after.
With --kills, the tracer is killed at random instants first; the one that comes after must clean up.
With --starts, short programs are attached to at random instants of their lives, the loader's work and the end included.
"""
import argparse
import glob
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import workload  # noqa: E402

CACHE = "/var/cache/pydtrace"


def interpreters():
    """(name, command prefix, root) of each."""
    found = [("system", ["/usr/bin/python3"], "")]
    versions = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3")))
    for path in versions:
        version = path.split("/")[-3]
        if int(version.split(".")[1]) >= 9:
            found.append((version, [path], ""))
    for path in sorted(glob.glob(f"{CACHE}/*/usr/bin/python3.*")):
        if re.fullmatch(r"python3\.\d+", os.path.basename(path)):
            root = path[: path.index("/usr/bin/")]
            found.append((f"{os.path.basename(root)}:{os.path.basename(path)}",
                          ["chroot", root, "/usr/bin/" + os.path.basename(path)], root))
    return found


def state_of(pid):
    maps = set()
    with open(f"/proc/{pid}/maps") as f:
        for line in f:
            fields = line.split(None, 5)
            if len(fields) > 5 and not fields[5].startswith("["):
                maps.add((fields[0], fields[1], fields[5].strip()))
    fds = sorted(os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd"))
    # 3.12 opens this for a moment when it forks: no descriptor of ours, before or after.
    return {"fds": [fd for fd in fds if fd != f"/proc/{pid}/stat"], "maps": maps}


def differences(before, after):
    out = []
    if before["fds"] != after["fds"]:
        out.append(f"descriptors {before['fds']} became {after['fds']}")
    new = after["maps"] - before["maps"]
    if any("pydtrace" in m[2] for m in new):
        out.append(f"maps left: {sorted(new)}")
    return out


def settled_differences(before, pid):
    """What stays different: Python itself opens a file for a moment now and then."""
    for _ in range(20):
        now = differences(before, state_of(pid))
        if not now:
            break
        time.sleep(0.01)
    return now


def start(command, root, name):
    script = str(HERE / "workload.py")
    if root:
        script = "/tmp/pydtrace-workload.py"
        shutil.copy(HERE / "workload.py", root + script)
    p = subprocess.Popen(command + [script, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if p.stdout.readline() != "ready\n":
        raise RuntimeError(f"{command}: did not start")
    time.sleep(0.1)
    return p


def kill_at_random(tool, pid, n):
    """Kill the tracer at instants from before the first stop to after the last."""
    for _ in range(n):
        t = subprocess.Popen([tool, "cycle", str(pid), "1", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.random() * 0.015)
        t.kill()
        t.wait()
        if not os.path.exists(f"/proc/{pid}/maps"):
            return


def starts(tool, command, n):
    """Every one must print its number and end well, whatever the tracer is told."""
    program = "import json, email.message; print(sum(range(1000)))"
    problems = []
    for _ in range(n):
        p = subprocess.Popen(command + ["-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(random.random() * 0.08)
        t = subprocess.run([tool, "cycle", str(p.pid), "1", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=60)
        said, _ = p.communicate(timeout=60)
        if p.returncode or said != "499500\n":
            problems.append(f"{p.returncode} {said.strip()}; tracer: {t.stdout.strip()}")
    return problems


def run(tool, command, root, name, args):
    p = start(command, root, name)
    problems, out = [], ""
    try:
        before = state_of(p.pid)
        if args.kills:
            kill_at_random(tool, p.pid, args.kills)
            time.sleep(8)  # dead tracers are known to be dead
        if p.poll() is None:
            n = 1 if args.kills else args.cycles
            t = subprocess.run([tool, "cycle", str(p.pid), str(n), "2"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=300)
            out = t.stdout
            if t.returncode:
                problems.append(f"tracer: {out.strip().splitlines()[-1] if out else t.returncode}")
        time.sleep(0.2)
        if p.poll() is not None:
            problems.append(f"target ended: {p.returncode}: {p.stdout.read()}")
        else:
            problems += settled_differences(before, p.pid)
            p.send_signal(signal.SIGTERM)
            said, _ = p.communicate(timeout=20)
            if said != "OK\n":
                problems.append(f"target: {said.strip()[:300]}")
    except subprocess.TimeoutExpired:
        problems.append("timed out")
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
    times = [(float(a), float(b)) for a, b in re.findall(r"attach ([\d.]+) ms detach ([\d.]+) ms", out)]
    return problems, times


def spread(v):
    v = sorted(v)
    return f"{v[len(v) // 2]:.1f}/{v[int(len(v) * 0.95)]:.1f}" if v else "-"


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("tool")
    ap.add_argument("--cycles", type=int, default=20)
    ap.add_argument("--kills", type=int, default=0)
    ap.add_argument("--starts", type=int, default=0)
    ap.add_argument("--python", action="append", default=[])
    ap.add_argument("--state", action="append", default=[])
    args = ap.parse_args()
    failed = 0
    for label, command, root in interpreters():
        if args.python and not any(w in label for w in args.python):
            continue
        if args.starts:
            problems = starts(args.tool, command, args.starts)
            failed += bool(problems)
            print(f"{'FAIL' if problems else 'ok  '} {label:22} starts {'; '.join(problems)}", flush=True)
            continue
        for name in args.state or workload.STATES:
            problems, times = run(args.tool, command, root, name, args)
            failed += bool(problems)
            print(f"{'FAIL' if problems else 'ok  '} {label:22} {name:10} attach p50/p95 {spread([t[0] for t in times])}"
                  f" detach {spread([t[1] for t in times])} ms {'; '.join(problems)}", flush=True)
    print(f"{failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
