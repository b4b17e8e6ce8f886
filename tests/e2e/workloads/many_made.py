# SPDX-License-Identifier: Apache-2.0
"""More functions of one name, each of a file of its own, than any table of ours has room for. All live until the end."""
from types import FunctionType

from workload import hear, ready, say


def target():
    pass


ready()
code = target.__code__
functions = [FunctionType(code.replace(co_filename="made %d" % n), {}) for n in range(70000)]
for function in functions:
    function()
for function in functions:
    function()
say(calls=140000)
hear()
