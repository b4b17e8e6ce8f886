# SPDX-License-Identifier: Apache-2.0
"""What a process calls itself, its functions and files reaches nobody's terminal as it is: see workloads/names_hostile.py."""
import os
import re
import shutil
import subprocess
import unicodedata

import harness

FUNCTION = (r"\x1b]0;owned\x07\x0a  0  1  forged:entry\x09\x7f\xc2\x85\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xe2\x80\x8b_"
            "\u540d")
RAW_FUNCTION = "\x1b]0;owned\x07\n  0  1  forged:entry\t\x7f\u0085\u202e\u2066\u2028\u200b_\u540d".encode()
MODULE = r"mod\x0a\x1b[2J\xe2\x80\xae"
FILE = r"/tmp/\x1b[31m\x0adir/f\xff\x9b.py"
COMM = r"\x1b[2Jx\x0amatched\xff"
HOSTILE = "python$1:mod*::function-entry"


def assert_printable(data):
    """Nothing but characters that a terminal shows, and newlines."""
    text = data.decode()
    assert not [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")], text


def trace(start, pydtrace, interpreter, *args, raw=False):
    """Trace the workload; what was printed, as bytes."""
    target = start(interpreter.argv("names_hostile.py", "named"))
    tracer = pydtrace(*args, target.pid).wait_matched()
    target.work()
    tracer.stop()
    target.end()
    assert tracer.status == 0, tracer.err
    assert_printable(tracer.read_bytes(1))
    if not raw:
        assert_printable(tracer.read_bytes(0))
    return tracer.read_bytes(0).decode() if not raw else tracer.read_bytes(0)


def test_printf(executor, interpreter, start, pydtrace):
    said = trace(start, pydtrace, interpreter, "-x", "switchrate=100ms", "-n", HOSTILE + """ /!n++/ {
        printf("[%s|%s|%s|%s|%s|%s|%C]\\n", probemod, probefunc, copyinstr(arg1), copyinstr(arg0), execname,
            strjoin("<", copyinstr(arg1)), 10);
        }""")
    assert len([line for line in said.splitlines() if line]) == 2, said  # the header and ours
    assert f"[{MODULE}|{FUNCTION}|{FUNCTION}|{FILE}|{COMM}|<{FUNCTION}|\\n]\n" in said


def test_trace_and_columns(executor, start, pydtrace):
    python = harness.interpreters()[0]
    said = trace(start, pydtrace, python, "-n", HOSTILE + " /!n++/ { trace(copyinstr(arg1)); trace(execname); }")
    lines = [line for line in said.splitlines() if line and not line.startswith("CPU")]
    assert len(lines) == 1, said
    assert re.fullmatch(rf" *\d+ +\d+ {re.escape(FUNCTION)}:function-entry   {re.escape(FUNCTION)}"
                        rf"  {re.escape(COMM)} +", lines[0]), lines


def test_flow(executor, start, pydtrace):
    python = harness.interpreters()[0]
    said = trace(start, pydtrace, python, "-F", "-n", "python$1:mod*:: /n++ < 2/ { trace(execname); }")
    lines = [line for line in said.splitlines() if line and not line.startswith("CPU")]
    assert [re.sub(r"^ *\d+ +", "", line).split("  " + COMM)[0].rstrip() for line in lines] == [
        "-> " + FUNCTION, "<- " + FUNCTION]


def test_aggregations(executor, interpreter, start, pydtrace):
    said = trace(start, pydtrace, interpreter, "-n", HOSTILE + """ {
        @one[probefunc] = count(); @two[execname, copyinstr(arg0)] = count(); @three[probemod] = count();
        }
        END { printa("three: %s %@d\\n", @three); printa(@two); }""")
    assert f"\n  {FUNCTION}" in said
    assert re.search(rf"^  {re.escape(FUNCTION)} +10$", said, re.M)
    assert re.search(rf"^  {re.escape(COMM)} +{re.escape(FILE)} +10$", said, re.M)
    assert f"three: {MODULE} 10\n" in said


def test_rawbytes(executor, start, pydtrace):
    """Who wants the bytes has them, in the output; messages stay as they are."""
    said = trace(start, pydtrace, harness.interpreters()[0], "-x", "rawbytes", "-n", HOSTILE + """ /!n++/ {
        printf("[%s]\\n", copyinstr(arg1)); trace(copyinstr(arg1)); @[probefunc] = count(); }""", raw=True)
    assert b"[" + RAW_FUNCTION + b"]\n" in said
    assert said.count(RAW_FUNCTION) == 4


def test_script_is_trusted(executor):
    """Formats and constants are the author's own."""
    done = harness.run("-q", "-x", f"exec={executor}", "-n", r"""BEGIN {
        printf("\033[1m%s%c|", "\t\033[0m", '\n'); trace("\001"); @["\002\n"] = count(); printa("%s", @);
        x = "a\tb\\"; printf("[%s]\n", x); exit(0); }""")
    assert (done.stdout, done.returncode) == ("\033[1m\t\033[0m\n|\001\002\n[a\\x09b\\]\n\n", 0), done.stderr


def test_a_process_that_is_refused(executor, tmp_path):
    """A message about a process that is no Python: it is one line, and shows its name."""
    program = os.fsencode(tmp_path) + b"/a\x1b[2J\nmatched\xff"
    shutil.copy("/bin/cat", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE) as cat:
        done = subprocess.run([harness.PYDTRACE, "-x", f"exec={executor}", "-n", "python$1:::function-entry", str(cat.pid)],
                              capture_output=True, timeout=harness.PATIENCE, check=False)
        cat.stdin.close()
    assert (done.stdout, done.returncode) == (b"", 1)
    assert_printable(done.stderr)
    assert done.stderr.decode().splitlines() == [
        rf"pydtrace: process {cat.pid} (a\x1b[2J\x0amatched\xff) is not a Python process"]


def test_a_description_of_several_lines(executor):
    done = harness.run("-x", f"exec={executor}", "-n", "\n  BEGIN,\n\tEND { exit(0); }")
    assert (done.stderr, done.returncode) == ("pydtrace: description 'BEGIN,  END ' matched 2 probes\n", 0)
