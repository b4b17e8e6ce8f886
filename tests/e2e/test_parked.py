# SPDX-License-Identifier: Apache-2.0
"""Each way of waiting that Python has is known as one after which the thread takes the GIL: it can be borrowed."""
import subprocess

import harness

# How each is seen. Locks of the interpreter's are waited for with the GIL held, too, and so are writes: these do not tell for sure. In some
# builds the call with a timeout stands in a part of its function that is apart from the rest, which is not followed.
LOCKS = ("lock", "lock_timeout", "event", "event_timeout", "join", "queue", "simple_queue")
# What a bare root may lack: a module, and a place for semaphores.
LACKING = ("sqlite", "semaphore", "semaphore_timeout")
WANT = {**dict.fromkeys((*LOCKS, "write"), ("wait",)), "handler": ("python",), "sqlite": ("elsewhere",), "semaphore_timeout": ("released", "elsewhere")}
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
            want = WANT.get(way, ("released",))
            harness.wait_for(lambda: doing(process) in (*want, None), f"{way} to be seen as {want}")
            assert way in LACKING or process.poll() is None, way
    finally:
        for process in waiting.values():
            process.kill()
            process.communicate()
