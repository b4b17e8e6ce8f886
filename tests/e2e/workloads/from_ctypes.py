# SPDX-License-Identifier: Apache-2.0
"""Called back from C code that ctypes called."""
from workload import inside, outside, ready, skip, truth

try:
    import ctypes
except ImportError as error:
    skip("no ctypes: " + str(error))

CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))


def target(a, b):
    inside()
    return a[0] - b[0]


callback = CALLBACK(target)
numbers = (ctypes.c_int * 2)(2, 1)
qsort = ctypes.CDLL(None).qsort
ready()
for _ in range(100):
    numbers[:] = [2, 1]
    qsort(numbers, 2, ctypes.sizeof(ctypes.c_int), callback)
    outside()
truth(calls=100, flat=100)
