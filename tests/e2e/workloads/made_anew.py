# SPDX-License-Identifier: Apache-2.0
"""Functions of one name, with large constants, made by exec, called and dropped again and again."""
from workload import inside, outside, ready, truth


def made(n):
    names = {"inside": inside}
    exec("def target():\n    inside()\n    return {!r}\n".format("x " * 20000 + str(n)), names)
    return names["target"]


ready()
for n in range(2000):
    function = made(n)
    function()
    outside()
    function()
truth(calls=4000, flat=4000)
