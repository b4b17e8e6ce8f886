# SPDX-License-Identifier: Apache-2.0
"""How the workloads make other interpreters in their process; not one itself."""
import os
import sys

if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters

FUNCTION = """
from os import getppid, geteuid

def target():
    getppid()

def many(n):
    for _ in range(n):
        target()
        geteuid()
"""


def create(own_gil):
    """Another interpreter, with the function; until 3.11 there is one GIL for all of them."""
    if sys.version_info >= (3, 13):
        number = interpreters.create("isolated" if own_gil else "legacy")
    elif sys.version_info >= (3, 10):
        number = interpreters.create(isolated=own_gil)
    else:
        number = interpreters.create()
    run(number, FUNCTION)
    return number


def run(number, text):
    error = interpreters.run_string(number, text)
    if error is not None:
        os.write(2, f"in the interpreter: {error}\n".encode())


def destroy(number):
    interpreters.destroy(number)
