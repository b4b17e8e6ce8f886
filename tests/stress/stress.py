#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Applications under load, while tracers are attached, end, and are killed with kill -9 at random instants.

Checked all the while: each answer; that no question is lost; each process is alive, with the same number, and in the end has nothing of
ours in it, is not stopped, and has the memory, the threads and the signals that it had; that the application has called its
function as often as it was asked to, and that a tracer which was ended by Ctrl-C has counted just that. Prints a table, and exits
with 1 when anything was wrong, after saying how to see it again.
"""
import argparse
import collections
import concurrent.futures
import itertools
import os
import random
import re
import signal
import sys
import time
import traceback

import apps
import witness
from apps import harness
from load import Load

GAP = 2.0  # seconds for an answer that are too long, where without a tracer it takes less than a twentieth
GROWTH = 48 * 1024  # kB of memory that a process may have more in the end
ATTACHED = " matched "
GIVE_UP = 3.0  # seconds for an attach; then Ctrl-C gives it up, as its message says
# What a tracer may say of any process: it may be in a long call into C, or idle where nobody can enter it.
LATE = "did not come to a safe point in time|interrupted while waiting for the Python of process"

S4PYFUNC = ["-Fs", harness.S4PYFUNC]
GLOB = ["-n", """
python$1:$$3::function-entry { self->depth++; self->since = timestamp; }
python$1:$$3::function-return /self->since/ { @ns[copyinstr(arg1)] = max(timestamp - self->since); self->since = 0; self->depth--; }
python$1:$$3::function-entry /copyinstr(arg1) == $$2/ { calls++; }
END { printf("calls: %d", calls); }
"""]
GATED = ["-n", """
python$1:::function-entry /copyinstr(arg1) == $$2/ { self->t = 1; calls++; }
syscall::write:entry, syscall::write:return /self->t/ { @[strjoin(probefunc, probename)] = count(); }
python$1:::function-return /copyinstr(arg1) == $$2 && self->t/ { self->t = 0; }
END { printf("calls: %d", calls); }
"""]
# A script, and the row of its table that counts the calls of write(2) in target(), of which there is one in each.
SCRIPTS = {"2007": (S4PYFUNC, "write"), "glob": (GLOB, None), "gated": (GATED, "writeentry")}


class Failure(Exception):
    """Harm was done, or a count is wrong."""


class Row:
    """An application on an interpreter: what was done to it, and what came of it."""

    def __init__(self, app, interpreter, seed):
        self.app_class, self.interpreter = app, interpreter
        self.name = f"{app.name}, {interpreter}"
        self.dice = random.Random(f"{seed}/{self.name}")
        self.tally, self.refusals = collections.Counter(), collections.Counter()
        self.failures = []
        self.app = None  # while it runs
        self.history = collections.deque(maxlen=5)  # the last cycles, in words
        self.untraced = self.longest = 0.0  # seconds for an answer
        self.before, self.after = {}, {}  # of each process (when it was born, snapshot, kB)

    def run(self, more):
        """Cycles for as long as more() is true."""
        app = load = None
        try:
            app = self.app = self.app_class(self.interpreter)
            app.start()
            load = Load(app)
            asked = load.calls()  # until it was ready
            self.look_before(app, load)
            while more() and not load.wrong:
                self.cycle(app, load)
                self.longest_gap(load)
            load.pause()  # who waits for an answer gets it, or finds that there is none
            load.resume()
            if not load.wrong:
                self.look_after(app, load)
                load.end()
                self.settle(app, load, asked)
                app.finish()
        except (Failure, apps.Wrong) as error:
            self.failures.append(str(error))
        except Exception:  # whatever it is, the other applications go on, and what this one has started is stopped
            self.failures.append(traceback.format_exc())
        finally:
            if load:
                self.failures[:0] = load.wrong  # what else has failed may come of that
            if self.failures and app:
                self.explain(app, load)
            if app:
                app.stop()
                self.app = None
            if load:
                load.end()
        return self

    def explain(self, app, load):
        """What there is to be seen, and what was done."""
        self.failures += [f"the last cycles: {line}" for line in self.history]
        if not load or not load.wrong:  # that has its own
            self.failures.append(witness.evidence(app.pids))
        self.failures.append(f"its log: {app.tail()}")

    def look_before(self, app, load):
        load.resume()
        time.sleep(0.5)  # the load without a tracer, to compare with
        load.pause()
        self.untraced, load.longest = load.longest, 0.0
        self.before = {pid: (witness.born(pid), witness.settled(pid), witness.resident(pid)) for pid in app.pids}
        load.resume()

    def cycle(self, app, load):
        dice = self.dice
        pid = dice.choice(app.pids)
        script, executor = dice.choice(sorted(SCRIPTS)), dice.choice(["kernel", "vm"])
        end = dice.choices(["kill", "kill while tracing", "ctrl-c", "count"], [3, 1, 3, 3])[0]
        seconds = dice.uniform(0, 0.3) if end == "kill" else dice.uniform(0.01, 0.3)
        self.tally["cycles"] += 1
        self.history.append(f"{script} in the {executor} on process {pid}, then {end} after {seconds * 1000:.1f} ms")
        text, row = SCRIPTS[script]
        if end == "count":
            load.pause()
        calls_before = load.calls(pid)
        tracer = harness.Tracer("-x", "exec=" + executor, *text, pid, "target", *([app.module] if script == "glob" else []))
        tracer.calls_before = calls_before
        try:
            if end == "kill":
                time.sleep(seconds)
                self.kill(tracer)
            elif self.attached(app, tracer):
                getattr(self, {"kill while tracing": "kill_later", "ctrl-c": "roughly", "count": "exactly"}[end])(
                    load, tracer, pid, seconds, row)
        finally:
            tracer.kill()
            load.resume()
            for file in tracer.files:
                file.close()
        self.alive(pid)

    def attached(self, app, tracer):
        """True if it is; false where it was refused, or has not been let in, in a way that is known to happen."""
        deadline = time.monotonic() + GIVE_UP
        while ATTACHED not in tracer.err and tracer.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        if ATTACHED in tracer.err:
            self.tally["attached"] += 1
            return True
        tracer.stop()
        if not tracer.status and ATTACHED in tracer.err:
            return False  # just as it was told to end
        why = re.sub(r"\d+", "N", tracer.err.strip().splitlines()[-1] if tracer.err.strip() else "nothing")
        self.refusals[why] += 1
        if tracer.status != 1 or not re.match("pydtrace: .", why):
            raise Failure(f"a tracer ended with status {tracer.status}, and said {tracer.err!r}")
        if not re.search(app.refused or LATE, why):
            raise Failure(f"refused: {why}")
        return False

    def kill(self, tracer):
        if tracer.process.poll() is None:
            tracer.kill()
            self.tally["killed"] += 1

    def kill_later(self, load, tracer, pid, seconds, row):
        time.sleep(seconds)
        self.kill(tracer)

    def roughly(self, load, tracer, pid, seconds, row):
        """Under load: at least what the application has done since it was attached, at most what it did from the start, give or
        take what was being done at the two ends."""
        first = load.calls(pid)
        time.sleep(seconds)
        last = load.calls(pid)
        self.ended(tracer)
        doing = load.app.clients * load.app.calls
        least, most = last - first - doing, load.calls(pid) - tracer.calls_before + doing
        if not least <= tracer.number("calls") <= most:
            raise Failure(f"{least} to {most} calls were made, and counted as: {tracer.out}{tracer.err}")

    def exactly(self, load, tracer, pid, seconds, row):
        """Nobody asks when the counting begins and when it ends: it must give what the application itself has recorded."""
        load.resume()
        time.sleep(seconds)
        load.pause()
        self.ended(tracer)
        made = load.calls(pid) - tracer.calls_before
        counted = {"calls": tracer.number("calls")}
        if row:
            counted["its calls of write(2)"] = tracer.table().get(row, 0)
        for what, n in counted.items():
            if n != made:
                raise Failure(f"{made} calls were made; {what} are {n}: {tracer.out}{tracer.err}")
        self.tally["exact"] += made

    def ended(self, tracer):
        """By Ctrl-C, which must be the end of it with all that it has to say."""
        tracer.stop()
        if tracer.status == 1 and self.app.stays and re.search(self.app.stays, tracer.err):
            self.refusals[re.sub(r"\d+", "N", tracer.err.strip().splitlines()[-1])] += 1
            return
        if tracer.status or re.search("drop|lost|missed|error on", tracer.err):
            raise Failure(f"a tracer ended with status {tracer.status}, and said {tracer.err!r}")
        self.tally["ended"] += 1

    def alive(self, pid):
        """It is the same process as ever, and nobody holds a thread of it."""
        if witness.born(pid) != self.before[pid][0]:
            raise Failure(f"process {pid} has ended")
        try:
            harness.wait_for(lambda: not witness.held(pid), "it to be let go")
        except AssertionError:
            raise Failure(f"process {pid} is held: {witness.held(pid)}") from None

    def look_after(self, app, load):
        """One more tracer, which takes away what those that were killed have left; then all must be as it was."""
        for pid in app.pids:
            tracer = harness.Tracer(*S4PYFUNC, pid, "target")
            tracer.calls_before = load.calls(pid)
            try:
                if self.attached(app, tracer):
                    self.ended(tracer)
            finally:
                tracer.kill()
        if not self.tally["attached"] and not app.refused:
            raise Failure("no tracer has been let in")
        load.pause()
        for pid in app.pids:
            self.alive(pid)
            before = self.before[pid][1]
            try:
                harness.wait_for(lambda: witness.snapshot(pid) == before, "it to be as before")
            except AssertionError:
                after = witness.snapshot(pid)
                changed = [f"{key}: {before[key]} before, {after[key]} after" for key in before if before[key] != after[key]]
                raise Failure(f"process {pid} is not as it was: {'; '.join(changed)}") from None
            self.after[pid] = witness.resident(pid)
            if self.after[pid] > self.before[pid][2] + GROWTH:
                raise Failure(f"process {pid} had {self.before[pid][2]} kB of memory, and now has {self.after[pid]}")

    def settle(self, app, load, asked):
        """The accounts of both sides at the end."""
        made, wanted = load.calls() - asked, load.answered * app.calls
        if made != wanted:
            raise Failure(f"target() was to be called {wanted} times, and has been {made} times")
        if self.longest_gap(load) > GAP and self.longest > 20 * self.untraced:
            raise Failure(f"an answer took {self.longest:.2f} s; without a tracer at most {self.untraced:.2f}")

    def longest_gap(self, load):
        self.longest = max(self.longest, load.longest)
        return self.longest

    def line(self):
        def memory(of):
            return f"{sum(of) / 1024:.0f}" if of else "-"

        return [self.name, *(str(self.tally[n]) for n in ("cycles", "attached", "ended", "killed")), str(sum(self.refusals.values())),
                str(len(self.failures) and 1), f"{self.untraced * 1000:.0f}", f"{self.longest * 1000:.0f}",
                memory([b[2] for b in self.before.values()]), memory(self.after.values())]


HEAD = ["application", "cycles", "attached", "Ctrl-C", "kill -9", "refused", "wrong", "longest ms untraced", "traced", "MB before", "after"]


def table(rows):
    lines = [HEAD, *(row.line() for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEAD))]
    for line in lines:
        print("  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))]))
    refusals = sum((row.refusals for row in rows), collections.Counter())
    for why, n in refusals.most_common():
        print(f"refused {n} times: {why}")


def budget(args, n, row_number):
    """A function that is true for as long as the row with this number, of n, may begin another cycle. Its share is counted, or
    measured from its first cycle on."""
    if args.minutes is None:
        share = itertools.count(args.cycles // n + (row_number < args.cycles % n), -1)
        return lambda: next(share) > 0
    end = []

    def more():
        end[:] = end or [time.monotonic() + args.minutes * 60 * args.jobs / n]
        return time.monotonic() < end[0]

    return more


def report(row, args):
    if row.failures:
        app, interpreter = row.app_class.name, row.interpreter
        again = f"./run stress --seed {args.seed} --app {app!r} --python {interpreter} --cycles {row.tally['cycles']} --jobs 1"
        print(f"stress: {row.name}: WRONG\n" + "\n".join(row.failures) + f"\nagain: {again}", flush=True)
    else:
        print(f"stress: {row.name}: {row.tally['cycles']} cycles, all right", flush=True)


def give_up(running):
    """What is to be done when we are told to end: nothing of the applications may stay."""
    def handler(number, frame):
        for row in running:
            if row.app:
                row.app.stop()
        os._exit(128 + number)

    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, handler)


def main():
    parser = argparse.ArgumentParser(prog="stress", description="Real applications under load, tracers that come, go and are killed.")
    parser.add_argument("--cycles", type=int, default=300, help="over all applications; 300 when nothing is said")
    parser.add_argument("--minutes", type=float, help="for so long instead of so many cycles")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of the random choices")
    parser.add_argument("--app", action="append", help="only these")
    parser.add_argument("--python", action="append", help="only these interpreters, as the table names them")
    parser.add_argument("--jobs", type=int, default=4, help="applications at the same time")
    args = parser.parse_args()
    rows = [Row(app, interpreter, args.seed) for app, interpreter in apps.all_apps()
            if (app.name in args.app if args.app else not app.left_out) and (not args.python or str(interpreter) in args.python)]
    if not rows:
        parser.error("there is no such application or interpreter")
    random.Random(args.seed).shuffle(rows)  # so that where there are fewer cycles than applications it is not always the same
    give_up(rows)
    print(f"stress: seed {args.seed}", flush=True)
    for app in {app for app, _ in apps.all_apps() if app.left_out and not args.app}:
        print(f"stress: {app.name}: not without --app {app.name}: {app.left_out}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        running = [pool.submit(row.run, budget(args, len(rows), n)) for n, row in enumerate(rows)]
        for future in concurrent.futures.as_completed(running):
            report(future.result(), args)
    table(sorted(rows, key=lambda row: row.name))
    return any(row.failures for row in rows)


if __name__ == "__main__":
    sys.exit(main())
