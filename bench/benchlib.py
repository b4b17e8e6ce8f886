# SPDX-License-Identifier: Apache-2.0
"""What the benches share: a worker that is timed, the table of results, medians of pairs."""
import pathlib
import statistics
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/e2e"))
import harness  # noqa: E402


class Worker:
    """A program that says "ready", and a number for each line it is told."""

    def __init__(self, *argv):
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid

    def number(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Table:
    def __init__(self):
        self.missed = 0
        print(f"{'what':44} {'measured':>10} {'bound':>10}  details", flush=True)

    def row(self, what, value, bound=None, details="", unit="x"):
        missed = bound is not None and value > bound
        self.missed += missed
        limit = "" if bound is None else f"<= {bound:g}{unit}"
        print(f"{what:44} {value:9.3f}{unit} {limit:>10}  {details}{'  MISSED' if missed else ''}", flush=True)


def ratio(these, those):
    """The median of the ratios of neighbours: what else the machine does hits both of a pair."""
    return statistics.median(a / b for a, b in zip(these, those))


def tracer(pid, function="target", script=harness.S4PYFUNC, flags=()):
    return harness.Tracer(*flags, "-Fs", script, pid, function).wait_matched()
