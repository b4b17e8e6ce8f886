# SPDX-License-Identifier: Apache-2.0
"""Two coroutines that wait for each other, and a generator."""
import asyncio

from workload import hear, ready, say


def generate():
    yield 1
    yield 2


async def inner():
    await asyncio.sleep(0)
    step()


async def outer():
    await inner()


def step():
    pass


async def both():
    await asyncio.gather(outer(), outer())


ready()
list(generate())
asyncio.run(both())
say(done=True)
hear()
