# SPDX-License-Identifier: Apache-2.0
"""What all workloads do: say when they are ready, work when told to, say what the truth is, and end when told to.

The truth is known from how a workload is built, never measured:

  calls    entries of the function
  returns  its ends, by return or by exception; None: the version may do either
  flat     system calls between an entry and the next return in one thread: what the script of 2007 counts
  deep     system calls while more entries than returns were seen in the thread
  skip     why this interpreter cannot run it

In flat and deep only the named system calls are known: the interpreter may make others for memory and locks.
"""
import json
import os
import sys

# What the function that is traced calls, and what all others call. One system call each.
inside = os.getppid
outside = os.geteuid


def say(**what):
    print(json.dumps(what), flush=True)


def hear():
    os.read(0, 1)


def ready(function="target"):
    say(function=function)
    hear()


def truth(calls, returns="calls", flat=0, deep=None, outside_flat=0, outside_deep=0):
    """flat and deep: calls of inside(); outside_*: calls of outside() that the scripts count."""
    say(calls=calls, returns=calls if returns == "calls" else returns,
        flat=None if flat is None else {"getppid": flat, "geteuid": outside_flat},
        deep=None if flat is None else {"getppid": flat if deep is None else deep, "geteuid": outside_deep})
    hear()
    sys.stdout.flush()


def skip(why):
    say(function="target", skip=why)
    hear()
    sys.exit(0)
