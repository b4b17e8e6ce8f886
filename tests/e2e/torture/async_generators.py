# SPDX-License-Identifier: Apache-2.0
"""Asynchronous generators and tasks: run out, left early, thrown into, cancelled, collected."""
import asyncio

from torture import check, run


async def numbers(function, n, ends):
    try:
        for i in range(n):
            await asyncio.sleep(0)
            yield function(i)
    finally:
        ends.append(n)


async def early(function, ends):
    generator = numbers(function, 10, ends)
    async for i in generator:
        if i == 3:
            break
    await generator.aclose()


async def thrown(function, ends):
    generator = numbers(function, 10, ends)
    check("first", await generator.__anext__(), 1)
    try:
        await generator.athrow(KeyError("on purpose"))
    except KeyError as error:
        return error.args[0]


async def for_ever(function, ends):
    generator = numbers(function, 1000000, ends)
    try:
        async for _ in generator:
            await asyncio.sleep(3600)
    finally:
        await generator.aclose()


async def everything(function):
    ends = []
    check("comprehension", [i async for i in numbers(function, 10, ends)], list(range(1, 11)))
    check("gathered", await asyncio.gather(*(thrown(function, ends) for _ in range(5)), early(function, ends)),
          ["on purpose"] * 5 + [None])
    task = asyncio.ensure_future(for_ever(function, ends))
    for _ in range(10):  # now it sleeps
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        ends.append("cancelled")
    check("ends", sorted(map(str, ends)), sorted(["10"] * 7 + ["1000000", "cancelled"]))
    return 10 + 5 + 3 + 1


def turn(function):
    return asyncio.run(everything(function))


run(turn)
