#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the program prints without tracing: lists, dumps, version. usage: cli_test.py PYDTRACE"""
import subprocess
import sys

TREE = """\
clause 0 syscall::read:entry
  predicate
    == : int
      pid : pid_t
      1 : int
  aggregate count
    @_ : <aggregation>
      probefunc : string
aggregation @_ #0[string (identity)] : count
"""
LIST = """\
   ID   PROVIDER            MODULE                          FUNCTION NAME
    1     dtrace                                                     BEGIN
    2     dtrace                                                     END
    3     dtrace                                                     ERROR
"""
ARGUMENTS = """
\tArgument Types
\t\targs[0]: int64_t
\t\targs[1]: int64_t

"""


def run(*args, status=0):
    done = subprocess.run([sys.argv[1], *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert done.returncode == status, (args, done)
    return done.stdout, done.stderr


def same(got, want):
    assert got == want, f"\ngot:\n{got}\nwant:\n{want}"


same(run("-x", "dump=tree", "-n", "syscall::read:entry /pid == 1/ { @[probefunc] = count(); }"), (TREE, ""))
same(run("-l", "-P", "dtrace"), (LIST, ""))
same(run("-l", "-n", "nothing", status=1),
     ("", "pydtrace: -n:1:1: probe description :::nothing does not match any probes\n    nothing\n    ^\n"))
same(run("-lZ", "-n", "nothing"), (LIST.splitlines(True)[0], ""))
assert run("-lv", "-n", "syscall::close:return")[0].endswith("close return\n" + ARGUMENTS)
assert {"BEGIN", "entry", "return", "tick-1000"} <= {line.split()[-1] for line in run("-l")[0].splitlines()}
same(run("-e", "-n", "BEGIN { trace(1); }"), ("", ""))
out, err = run("-x", "dump=insns", "-n", "BEGIN { exit(0); } END { trace(1); }")
assert "BEGIN:\n" in out and "END:\n" in out and out.rstrip().endswith("exit") and err == ""
assert "r" in run("-x", "dump=ir", "-n", "BEGIN { exit(0); }")[0]
assert run("-V")[0] == run("--version")[0] and run("-V")[0].startswith("pydtrace ")
assert run("--help")[0].startswith("usage: pydtrace ")
same(run("-V", "-l", status=2)[1],
     "pydtrace: only one of -l and -V can be given (pydtrace --help lists what there is)\n")
# A closed standard output is an error like a full one, and no other file is written to.
closed = subprocess.run(["sh", "-c", 'exec "$0" -l >&-', sys.argv[1]], capture_output=True, text=True, timeout=30)
assert (closed.returncode, closed.stderr) == (1, "pydtrace: failed to write to standard output: Bad file descriptor\n"), closed
