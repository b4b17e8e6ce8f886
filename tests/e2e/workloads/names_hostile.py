# SPDX-License-Identifier: Apache-2.0
"""Whatever a process can name itself is meant for the terminal of who traces it: function, module, file and process."""
import ctypes
import sys
import types

from workload import inside, ready, truth

FUNCTION = "\x1b]0;owned\x07\n  0  1  forged:entry\t\x7f\u0085\u202e\u2066\u2028\u200b_\u540d"
MODULE = "mod\n\x1b[2J\u202e"
FILE = "/tmp/\x1b[31m\ndir/f\udcff\udc9b.py"  # with bytes that are no UTF-8
COMM = b"\x1b[2Jx\nmatched\xff"

if "named" in sys.argv:
    ctypes.CDLL(None).prctl(15, COMM, 0, 0, 0)  # PR_SET_NAME


def plain():
    inside()


names = {"co_name": FUNCTION, "co_filename": FILE}
if sys.version_info >= (3, 11):
    names["co_qualname"] = FUNCTION
hostile = types.FunctionType(plain.__code__.replace(**names), {"__name__": MODULE, "inside": inside}, FUNCTION)
hostile.__qualname__ = FUNCTION
# Only what stands in a module is found by name up to 3.10.
module = types.ModuleType(MODULE)
hostile.__module__ = MODULE
setattr(module, FUNCTION, hostile)
sys.modules[MODULE] = module


def main():
    ready("hostile")
    for _ in range(10):
        hostile()
    truth(calls=10, flat=10)


main()
