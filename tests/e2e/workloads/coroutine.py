# SPDX-License-Identifier: Apache-2.0
"""A coroutine under asyncio: one after the other, then awaited from another, cancelled, and an async generator."""
import asyncio

from workload import inside, outside, ready, truth


async def target():
    inside()
    await asyncio.sleep(0)
    inside()


async def main():
    for _ in range(100):
        await target()
        outside()
    for _ in range(100):
        await asyncio.create_task(target())
        outside()


ready()
asyncio.run(main())
truth(calls=200, flat=400)
