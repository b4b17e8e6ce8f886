# SPDX-License-Identifier: Apache-2.0
"""Generators and a coroutine that were begun before anybody came are seen from their next resume on."""
from workload import inside, outside, ready, truth


def target(n):
    for i in range(n):
        yield inside()
    try:
        yield
    except KeyError:
        inside()


class Awaited:
    def __await__(self):
        yield


def coroutine():
    async def target():
        await Awaited()
        inside()
        await Awaited()
        inside()
    return target()


begun = [target(3) for _ in range(10)]
coroutines = [coroutine() for _ in range(10)]
for generator in begun:
    next(generator)
for each in coroutines:
    each.send(None)
ready()
for generator in begun:
    for _ in range(3):
        outside()
        next(generator)
    outside()
    try:
        generator.throw(KeyError)
    except StopIteration:
        outside()
for each in coroutines:
    outside()
    each.send(None)
    outside()
    try:
        each.send(None)
    except StopIteration:
        outside()
truth(calls=10 * 4 + 10 * 2, flat=10 * 3 + 10 * 2)
