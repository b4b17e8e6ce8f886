#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tracing costs, as ratios (medians of pairs), traced and untraced runs alternating on this machine.

usage: bench.py [--quick] BUILD

Each row: what is measured, the ratio (or time), the bound, and what it was made of. Exits 1 where a bound is missed.
"""
import argparse
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from benchlib import TOP, Table, Worker, harness, ratio, tracer
from bench_vm import bench_vm

CLIENT = TOP / "examples/ips/client.py"
STATS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")


# The 2007 script on its program, the floor, and nothing, in turns.

def run_client(python, image, args, attach):
    """Seconds that the plan takes. attach(pid) gives something with an end()."""
    client = subprocess.Popen([python, str(CLIENT), "--wait", *args, image], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    assert client.stdout.readline() == "ready\n"
    end = attach(client.pid)
    out = client.communicate("\n")[0]
    end()
    return float(re.search(r"in ([0-9.]+) s", out)[1])


def attach_nothing(pid):
    return lambda: None


def attach_floor(build):
    def attach(pid):
        floor = subprocess.Popen([build / "bench/floor"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert floor.stdout.readline() == "ready\n"
        return lambda: floor.communicate("")
    return attach


def attach_tracer(pid):
    running = tracer(pid, "get_link_actions")
    return running.wait


def bench_2007(table, build, python, quick):
    args = ["--manifests", "300" if quick else "600"]
    ways = {"untraced": attach_nothing, "floor": attach_floor(build), "traced": attach_tracer}
    times = {way: [] for way in ways}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for _ in range(3 if quick else 7):
            for way, attach in ways.items():
                times[way].append(run_client(python, folder + "/image", args, attach))
    table.row("the 2007 script on its program", ratio(times["traced"], times["untraced"]), 1.25,
              f"untraced {statistics.median(times['untraced']):.3f} s, floor {ratio(times['floor'], times['untraced']):.3f}x")


# Python calls: what is not matched, what is, and what is left after detach.

def bench_calls(table, interpreter, quick):
    version, minor = interpreter.version, interpreter.minor
    calls, rounds = (200_000, 9) if quick else (1_000_000, 15)
    unmatched, matched = (Worker(*interpreter.argv("calls.py", what, str(calls), folder=TOP / "bench"))
                          for what in ("unmatched", "matched"))
    plain, attached, after, few, counted = [], [], [], [], []
    for _ in range(rounds):
        plain.append(unmatched.number())
        running = tracer(unmatched.pid)
        attached.append(unmatched.number())
        running.stop()
        after.append(unmatched.number())
        few.append(matched.number())
        running = tracer(matched.pid)
        counted.append(matched.number())
        running.stop()
    unmatched.end()
    matched.end()
    table.row(f"{version}: unmatched calls, attached", ratio(attached, plain), 1.02 if minor >= (3, 12) else None,
              f"{statistics.median(plain):.1f} ns a call untraced")
    table.row(f"{version}: the same calls after detach", ratio(after, plain), 1.02)
    table.row(f"{version}: a matched entry and return", statistics.median(counted) - statistics.median(few), None,
              f"{statistics.median(few):.1f} ns a call untraced", unit=" ns")


# From the start of the command until it says that probes matched.

def bench_start(table, python, quick):
    target = Worker(python, TOP / "bench/calls.py", "matched", 1)
    times = []
    for _ in range(15 if quick else 40):
        begin = time.perf_counter()
        running = subprocess.Popen([harness.PYDTRACE, "-Fs", harness.S4PYFUNC, str(target.pid), "target"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert " matched " in running.stderr.readline()
        times.append(1000 * (time.perf_counter() - begin))
        running.send_signal(signal.SIGINT)
        running.communicate()
    target.end()
    times.sort()
    table.row("start to tracing, 95th percentile", times[int(len(times) * 0.95) - 1], 150,
              f"median {statistics.median(times):.1f} ms of {len(times)}", unit=" ms")


# What the kernel itself says that our programs cost.

def bench_programs(table, python, quick):
    before = STATS.read_text()
    STATS.write_text("1")
    try:
        worker = Worker(python, TOP / "bench/calls.py", "syscalls", 20_000)
        running = tracer(worker.pid)
        worker.number()
        for fdinfo in pathlib.Path(f"/proc/{running.process.pid}/fdinfo").iterdir():
            facts = dict(re.findall(r"^(\w+):\s+(\S+)$", fdinfo.read_text(), re.M))
            runs = int(facts.get("run_cnt", 0))
            if runs > 10_000:
                table.row(f"kernel: program {facts['prog_tag']}", int(facts["run_time_ns"]) / runs, None, f"{runs} runs",
                          unit=" ns")
        running.stop()
        worker.end()
    finally:
        STATS.write_text(before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("build", type=pathlib.Path)
    args = parser.parse_args()
    found = harness.interpreters()
    system = next(i for i in found if i.kind == "system").path
    table = Table()
    bench_2007(table, args.build, system, args.quick)
    bench_start(table, system, args.quick)
    bench_programs(table, system, args.quick)
    bench_vm(table, system, args.quick)
    for interpreter in {i.minor: i for i in reversed(found)}.values():
        bench_calls(table, interpreter, args.quick)
    return bool(table.missed)


if __name__ == "__main__":
    sys.exit(main())
