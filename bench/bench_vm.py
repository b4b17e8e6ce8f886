# SPDX-License-Identifier: Apache-2.0
"""What it costs where there is no eBPF: outside of the traced function, inside of it beside strace, and a Python event."""
import signal
import statistics
import subprocess

from benchlib import TOP, Worker, harness, ratio, tracer

VM = ("-x", "exec=vm")
COUNT_CALLS = "python$1:::function-entry /copyinstr(arg1) == $$2/ { calls++; }"


class Strace:
    """strace -c -f on a process, from when it has attached to stop()."""

    def __init__(self, pid):
        self.process = subprocess.Popen(["strace", "-c", "-f", "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        assert "attached" in self.process.stderr.readline()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()


def bench_outside(table, python, calls, rounds):
    """Each round is inside once, so that the thread has been stopped, and then outside."""
    worker = Worker(python, TOP / "bench/calls.py", "outside", calls)
    plain, attached, after = [], [], []
    for _ in range(rounds):
        plain.append(worker.number())
        running = tracer(worker.pid, flags=VM)
        attached.append(worker.number())
        running.stop()
        after.append(worker.number())
    worker.end()
    table.row("no eBPF: system calls outside the function", ratio(attached, plain), 1.02,
              f"{statistics.median(plain):.0f} ns a call untraced")
    table.row("no eBPF: the same after detach", ratio(after, plain), 1.02)


def bench_inside(table, python, calls, rounds):
    worker = Worker(python, TOP / "bench/calls.py", "inside", calls)
    plain, ours, strace = [], [], []
    for _ in range(rounds):
        plain.append(worker.number())
        running = tracer(worker.pid, flags=VM)
        ours.append(worker.number())
        running.stop()
        running = Strace(worker.pid)
        strace.append(worker.number())
        running.stop()
    worker.end()
    table.row("no eBPF: a system call inside, beside strace", ratio(ours, strace), 1.0,
              f"{statistics.median(ours) / 1000:.1f} us a call, strace -c -f {statistics.median(strace) / 1000:.1f} us, "
              f"untraced {statistics.median(plain) / 1000:.2f} us")


def bench_event(table, python, calls, rounds):
    worker = Worker(python, TOP / "bench/calls.py", "matched", calls)
    plain, events, pairs = [], [], []
    for _ in range(rounds):
        plain.append(worker.number())
        running = harness.Tracer(*VM, "-n", COUNT_CALLS, worker.pid, "target").wait_matched()
        events.append(worker.number())
        running.stop()
        running = tracer(worker.pid, flags=VM)
        pairs.append(worker.number())
        running.stop()
    worker.end()
    base = statistics.median(plain)
    table.row("no eBPF: one Python event", (statistics.median(events) - base) / 1000, 15, "function-entry, counted", unit=" us")
    table.row("no eBPF: entry and return, calls watched", (statistics.median(pairs) - base) / 1000, None,
              "the 2007 script on a function that makes no system call", unit=" us")


def bench_vm(table, python, quick):
    rounds = 5 if quick else 11
    bench_outside(table, python, 100_000 if quick else 500_000, rounds)
    bench_inside(table, python, 5 if quick else 20, rounds)
    bench_event(table, python, 5_000 if quick else 20_000, rounds)
