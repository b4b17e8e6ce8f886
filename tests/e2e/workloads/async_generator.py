# SPDX-License-Identifier: Apache-2.0
"""An asynchronous generator, run out: each of its turns is left by an await and by a yield."""
import asyncio

from workload import inside, outside, ready, truth


async def target():
    for i in range(3):
        yield inside()
        await asyncio.sleep(0)


async def aside():
    while True:
        outside()
        await asyncio.sleep(0)


async def main():
    other = asyncio.create_task(aside())
    for _ in range(50):
        async for _ in target():
            outside()
        outside()
    other.cancel()


ready()
asyncio.run(main())
truth(calls=50 * 7, flat=150)
