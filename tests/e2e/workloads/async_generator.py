# SPDX-License-Identifier: Apache-2.0
"""An asynchronous generator, run out."""
import asyncio

from workload import inside, outside, ready, truth


async def target():
    for i in range(3):
        yield inside()
        await asyncio.sleep(0)


async def main():
    for _ in range(50):
        async for _ in target():
            pass
        outside()


ready()
asyncio.run(main())
truth(calls=50, flat=150)
