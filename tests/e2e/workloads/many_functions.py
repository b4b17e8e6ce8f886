# SPDX-License-Identifier: Apache-2.0
"""5,000 functions, each called once."""
from workload import inside, outside, ready, truth

SOURCE = "def target():\n    inside()\n"

ready()
for n in range(5000):
    names = {"inside": inside}
    exec(SOURCE, names)
    names["target"]()
    if n % 100 == 0:
        outside()
truth(calls=5000, flat=5000)
