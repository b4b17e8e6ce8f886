# SPDX-License-Identifier: Apache-2.0
"""Run inside of a place without privilege (test_unprivileged.py): target and tracer are both started there.

usage: place.py PYTHON WORKLOAD attach|command [FLAG ...]

Prints the truth and what the tracer said, as JSON.
"""
import json
import shlex
import subprocess
import sys

import harness


def attached(argv, flags):
    target = harness.Target(argv)
    tracer = harness.Tracer(*flags, "-Fs", harness.S4PYFUNC, target.pid, target.ready["function"])
    harness.wait_for(lambda: " matched " in tracer.err or tracer.process.poll() is not None, "probes to match")
    truth = target.work()
    if tracer.process.poll() is None:
        tracer.stop()
    with open(f"/proc/{target.pid}/status", encoding="utf-8") as f:
        after = [line.strip() for line in f if line.startswith(("State", "TracerPid"))]
    target.end()
    return tracer, truth, after


def commanded(argv, flags):
    tracer = harness.Tracer(*flags, "-Fs", harness.SCRIPTS / "s4pyfunc_target.d", "-c", shlex.join(argv), "get_link_actions",
                            stdin=subprocess.PIPE)
    tracer.process.communicate(b"\n\n", timeout=harness.PATIENCE)
    said = [json.loads(line) for line in tracer.out.splitlines() if line.startswith("{")]
    return tracer, said[1] if len(said) > 1 else None, None


def main(python, workload, how, *flags):
    argv = [python, "-B", str(harness.WORKLOADS / workload)]
    tracer, truth, after = {"attach": attached, "command": commanded}[how](argv, flags)
    json.dump({"truth": truth, "after": after, "status": tracer.status, "out": tracer.out, "err": tracer.err}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
