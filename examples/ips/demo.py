#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Find the bug of the 2007 script in a live client, mend it, and see what that was worth.

usage: demo.py [--manifests N] [--python PATH] PYDTRACE

Exits 1 where a count is not exactly what the client's code makes it (README.md has the arithmetic).
"""
import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SCRIPT = HERE / "s4pyfunc.d"
FUNCTION = "get_link_actions"
RUNS = 3


def expected(scans, manifests):
    """System calls of get_link_actions() when it scans the image `scans` times. stat is called newfstatat by the kernel."""
    return {
        "openat": scans * (manifests + 1),
        "newfstatat": scans * manifests,
        "read": scans * manifests,
        "close": scans * (manifests + 1),
    }


def trace(tracer, client):
    """Attach to a client that waits, let it run to its end, and return all that the tracer printed."""
    target = subprocess.Popen(client + ["--wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert target.stdout.readline() == "ready\n"
    argv = [str(tracer), "-Fs", str(SCRIPT), str(target.pid), FUNCTION]
    print("$ " + " ".join([str(tracer), "-Fs", "s4pyfunc.d"] + argv[3:]), flush=True)
    tracing = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    messages = []
    for line in tracing.stderr:
        messages.append(line)
        if " matched " in line:
            break
    target.stdin.write("\n")
    target.stdin.close()
    output, rest = tracing.communicate()
    status = target.wait()
    print("".join(messages) + rest + output, end="")
    print(target.stdout.read(), flush=True)
    if tracing.returncode or status:
        sys.exit(f"demo: the tracer exited with {tracing.returncode}, the client with {status}")
    return output


def check(output, calls, truth):
    """What of `output` differs from the truth, one line each."""
    wrong = []
    said = re.search(r"calls: (\d+)", output)
    if not said or int(said[1]) != calls:
        wrong.append(f"calls is {said and said[1]}, should be {calls}")
    table = {name: int(count) for name, count in re.findall(r"^\s+(\w+)\s+(\d+)$", output, re.M)}
    for name, count in truth.items():
        if table.get(name) != count:
            wrong.append(f"{name} is {table.get(name)}, should be {count}")
    return wrong


def run_time(client):
    out = subprocess.run(client, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(re.search(r"in ([0-9.]+) s", out)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifests", type=int, default=880, metavar="N")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="the interpreter of the client")
    parser.add_argument("tracer", metavar="PYDTRACE")
    args = parser.parse_args()

    wrong = []
    with tempfile.TemporaryDirectory(prefix="ips-") as folder:
        client = [args.python, str(HERE / "client.py"), "--manifests", str(args.manifests)]
        before, after = client + [folder + "/image"], client + ["--fixed", folder + "/image"]
        run_time(after)  # makes the image
        n = args.manifests
        print("== A client plans an installation. Which system calls does get_link_actions() cause?\n")
        wrong += check(trace(args.tracer, before), n, expected(n, n))
        print("== The cache is tested for truth, and {} is false: every call scans all manifests. Mended:\n")
        wrong += check(trace(args.tracer, after), n, expected(1, n))
        times = [(run_time(before), run_time(after)) for _ in range(RUNS)]
    slow, fast = (statistics.median(column) for column in zip(*times))
    print(f"== Untraced, median of {RUNS} runs: {slow:.3f} s before, {fast:.3f} s after: {slow / fast:.0f} times as fast")
    for line in wrong:
        print("demo: WRONG COUNT: " + line, file=sys.stderr)
    if not wrong:
        print(f"== All counts are exact: {n} x {n} = {n * n} stats, {n} x {n + 1} = {n * (n + 1)} closes")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
