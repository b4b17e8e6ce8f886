# SPDX-License-Identifier: Apache-2.0
"""`yield from` between two generators of the name, with send()."""
from workload import inside, outside, ready, truth


class Outer:
    def target(self):
        inside()
        got = yield from Inner().target()
        inside()
        yield got


class Inner:
    def target(self):
        got = yield inside()
        return got


ready()
for _ in range(100):
    generator = Outer().target()
    next(generator)
    outside()
    assert generator.send(7) == 7
    outside()
    assert list(generator) == []
    outside()
# Inner returns at send(): from there to the end of Outer the script of 2007 sees nothing.
truth(calls=200, flat=100 * 2, deep=100 * 3, outside_flat=100, outside_deep=200)
