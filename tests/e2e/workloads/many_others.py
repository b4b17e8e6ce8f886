# SPDX-License-Identifier: Apache-2.0
"""5,000 functions of other names around one of ours, all kept."""
from workload import inside, outside, ready, truth


def target():
    inside()


ready()
names = {"outside": outside, "target": target}
for n in range(5000):
    exec("def f{0}():\n    outside()\n    target()\n".format(n), names)
for n in range(5000):
    names["f%d" % n]()
truth(calls=5000, flat=5000)
