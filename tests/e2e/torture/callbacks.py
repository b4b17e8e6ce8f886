# SPDX-License-Identifier: Apache-2.0
"""Called back from C: by qsort(), and from threads that C has started, each of which is new to Python."""
import ctypes

from torture import check, run

libc = ctypes.CDLL(None)
COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
START = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
THREADS = 5


def sorted_by(function):
    calls = []

    def compare(a, b):
        calls.append(None)
        return function(a[0]) - function(b[0])

    numbers = (ctypes.c_int * 10)(*range(9, -1, -1))
    libc.qsort(numbers, 10, ctypes.sizeof(ctypes.c_int), COMPARE(compare))
    check("sorted", list(numbers), list(range(10)))
    return 2 * len(calls)


def in_c_threads(function):
    start = START(lambda n: function(n or 0) + 1)
    threads = [ctypes.c_ulong() for _ in range(THREADS)]
    for n, thread in enumerate(threads):
        check("pthread_create", libc.pthread_create(ctypes.byref(thread), None, start, ctypes.c_void_p(n)), 0)
    for n, thread in enumerate(threads):
        result = ctypes.c_void_p()
        check("pthread_join", libc.pthread_join(thread, ctypes.byref(result)), 0)
        check("result", result.value, n + 2)
    return THREADS


def turn(function):
    return sorted_by(function) + in_c_threads(function)


run(turn)
