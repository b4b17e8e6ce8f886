# SPDX-License-Identifier: Apache-2.0
"""Coroutines that are suspended at once, in one thread; half of them are cancelled."""
import asyncio

from workload import inside, outside, ready, truth


async def target(forever):
    try:
        inside()
        await asyncio.sleep(3600 if forever else 0)
    finally:
        inside()


async def main():
    tasks = [asyncio.create_task(target(i % 2)) for i in range(200)]
    await asyncio.sleep(0.01)
    outside()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    outside()


ready()
asyncio.run(main())
truth(calls=200 * 2, flat=200 * 2)
