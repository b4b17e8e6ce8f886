# SPDX-License-Identifier: Apache-2.0
"""Coroutines that are suspended at once, in one thread; some are cancelled."""
import asyncio

from workload import ready, truth


async def target(forever):
    await asyncio.sleep(3600 if forever else 0)


async def main():
    tasks = [asyncio.create_task(target(i % 2)) for i in range(200)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


ready()
asyncio.run(main())
truth(calls=200, flat=None)
