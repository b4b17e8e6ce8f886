# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a web application: five requests at the same time, each waits 0.3 s for its database; again and again."""
import asyncio


async def show_order(number):
    await asyncio.sleep(0.3)
    return sum(range(20000)) + number


async def main():
    while True:
        await asyncio.gather(*(show_order(number) for number in range(5)))


asyncio.run(main())
