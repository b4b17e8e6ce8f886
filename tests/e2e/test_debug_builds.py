# SPDX-License-Identifier: Apache-2.0
"""Debug builds of Python (--with-pydebug): every use of its interface that the agent makes is checked there by assertions, and
memory by canaries. So what is about getting in and out and about generators, whose frames the agent looks into, is tested with them too."""
import subprocess

import pytest

import test_exact

pytestmark = pytest.mark.usefixtures("executor")

WORKLOADS = ["async_generator", "coroutine", "exception_out", "forks", "four_threads", "generator_closed", "generator_delegating",
             "generator_not_begun", "generator_run_out", "generator_thrown", "kinds", "made_anew", "recursion"]


def test_is_a_debug_build(debug_interpreter):
    """Its name says so, and it has the word that the interpreter says it by."""
    root = [] if debug_interpreter.root == "/" else ["chroot", debug_interpreter.root]
    said = subprocess.run([*root, debug_interpreter.path, "-c", "import sys; print(sys.abiflags, hasattr(sys, 'gettotalrefcount'))"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said == "d True\n"


@pytest.mark.parametrize("workload", WORKLOADS)
def test_depth(debug_interpreter, workload, start, pydtrace):
    test_exact.test_depth(debug_interpreter, workload, start, pydtrace)


def test_2007(debug_interpreter, start, pydtrace):
    test_exact.test_2007(debug_interpreter, "one_thread", start, pydtrace)


@pytest.mark.parametrize("workload", ["one_thread", "coroutine"])
def test_started_by_us(debug_interpreter, workload, pydtrace):
    test_exact.test_started_by_us(debug_interpreter, workload, pydtrace)


def test_again_and_again(debug_interpreter, start, pydtrace):
    test_exact.test_again_and_again(debug_interpreter, start, pydtrace)
