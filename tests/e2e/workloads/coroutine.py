# SPDX-License-Identifier: Apache-2.0
"""A coroutine under asyncio: one after the other, then awaited from another. At its await another part of the program runs."""
import asyncio

from workload import inside, outside, ready, truth


async def target():
    inside()
    await asyncio.sleep(0)
    inside()


async def aside():
    while True:
        outside()
        await asyncio.sleep(0)


async def main():
    other = asyncio.create_task(aside())
    for _ in range(100):
        await target()
        outside()
    for _ in range(100):
        await asyncio.create_task(target())
        outside()
    other.cancel()


ready()
asyncio.run(main())
truth(calls=200 * 2, flat=400)
