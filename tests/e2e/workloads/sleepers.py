# SPDX-License-Identifier: Apache-2.0
"""Five coroutines that sleep three times, 0.12 s in all, at the same time."""
import asyncio

from workload import hear, ready, say


async def slow():
    for _ in range(3):
        await asyncio.sleep(0.04)


async def all_of_them():
    await asyncio.gather(*[slow() for _ in range(5)])


ready()
asyncio.run(all_of_them())
say(done=True)
hear()
