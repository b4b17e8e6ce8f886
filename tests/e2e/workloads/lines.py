# SPDX-License-Identifier: Apache-2.0
"""Knows the lines of its functions, and those that they are left from."""
from workload import hear, ready, say


def returns(early):  # first line 6
    if early:
        return 1     # line 8
    return 2         # line 9


def raises():        # first line 12
    return {}[0]     # line 13


@staticmethod
def decorated():     # first line: that of the decorator, 16
    pass             # line 18


def generates():     # first line 21
    yield 1
    yield 2          # line 23


ready()
returns(True)
returns(False)
try:
    raises()
except KeyError:
    pass
decorated.__func__()
list(generates())
say(done=True)
hear()
