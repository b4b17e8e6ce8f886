# SPDX-License-Identifier: Apache-2.0
"""Each way of waiting that Python has is known as one after which the thread takes the GIL: it can be borrowed."""
import subprocess

import harness

TOOL = harness.TOP / "build/tests/attach/attach_tool"


def command(interpreter, *args):
    return subprocess.Popen(interpreter.argv("waits.py", *args), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)


def doing(process):
    """What the main thread is taken to be doing; None: it has ended."""
    if process.poll() is not None:
        return None
    said = subprocess.run([TOOL, "doing", str(process.pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=harness.PATIENCE, check=False)
    return said.stdout.split("\n")[0]


def test_all_ways(interpreter):
    ways = command(interpreter).communicate()[0].split()
    assert len(ways) > 25
    waiting = {way: command(interpreter, way) for way in ways}
    try:
        for way, process in waiting.items():
            want = "elsewhere" if way == "sqlite" else "wait"
            harness.wait_for(lambda: doing(process) in (want, None), f"{way} to be seen as {want}")
            assert way == "sqlite" or process.poll() is None, way
    finally:
        for process in waiting.values():
            process.kill()
            process.communicate()
