# SPDX-License-Identifier: Apache-2.0
"""C code with the same name as a Python function is not counted; a Python subclass that calls it is."""
from workload import inside, outside, ready, truth


class List(list):
    def append(self, item):
        inside()
        super().append(item)


mine, plain = List(), []
ready("append")
for n in range(100):
    mine.append(n)
    plain.append(n)
    outside()
truth(calls=100, flat=100)
