# SPDX-License-Identifier: Apache-2.0
"""Starts children in every way, in and outside of the function; each tells who traces it, and ends as it should."""
import os
import subprocess
import sys
import warnings

from workload import hear, inside, outside, say

warnings.simplefilter("ignore")
# Flushed, because os._exit() leaves behind what is still in the buffer of a pipe.
TELL = """import os, re
print(re.search(r'TracerPid:\\t(\\d+)', open('/proc/self/status').read())[1], flush=True)
os.getppid()
os._exit(9)
"""
COMMAND = [sys.executable, "-Sc", TELL]
tracers = []


def by_subprocess():
    done = subprocess.run(COMMAND, stdout=subprocess.PIPE, text=True)
    tracers.append((done.stdout.strip(), done.returncode))


def by(start):
    r, w = os.pipe()
    pid = start(w)
    os.close(w)
    with os.fdopen(r) as f:
        said = f.read().strip()
    tracers.append((said, os.WEXITSTATUS(os.waitpid(pid, 0)[1])))


def by_spawn():
    by(lambda w: os.posix_spawn(sys.executable, COMMAND, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, w, 1)]))


def by_fork():
    def start(w):
        pid = os.fork()
        if not pid:
            helper()
            with open("/proc/self/status") as f:
                tracer = [line.split()[1] for line in f if line.startswith("TracerPid")]
            os.write(w, tracer[0].encode())
            os._exit(9)
        return pid
    by(start)


def by_fork_and_exec():
    def start(w):
        pid = os.fork()
        if not pid:
            os.dup2(w, 1)
            os.execv(sys.executable, COMMAND)
        return pid
    by(start)


def helper():
    for _ in range(10):
        os.getpgid(0)


def target():
    inside()
    for way in (by_subprocess, by_spawn, by_fork, by_fork_and_exec):
        way()
    inside()


say(function="target")
hear()
for _ in range(3):
    target()
    outside()
for way in (by_subprocess, by_spawn, by_fork, by_fork_and_exec):
    way()
say(calls=3, flat={"getppid": 6, "getpgid": 0}, children=sorted(set(tracers)), n=len(tracers))
hear()
