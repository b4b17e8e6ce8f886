# SPDX-License-Identifier: Apache-2.0
"""Calls of every kind, one after the other, in two threads, beside each other; says how often each function is begun and left
in which way: {function: [starts, resumes, throws, returns, yields, unwinds]}."""
import asyncio
import threading

from workload import hear, inside, ready, say

TIMES = 20


def plain(n):
    inside()
    if n == 0:
        raise KeyError
    return n if n == 1 else plain(n - 1)


def generator(n):
    for i in range(n):
        inside()
        try:
            yield i
        except KeyError:
            pass
    yield n


def delegating(n):
    yield from generator(n)


def raising():
    yield
    raise ValueError


async def agenerator(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


async def coroutine(n):
    inside()
    async for _ in agenerator(n):
        inside()
    await asyncio.sleep(0)


async def cancelled():
    await asyncio.sleep(3600)


async def gathered():
    await asyncio.gather(*[coroutine(3) for _ in range(TIMES)])
    task = asyncio.ensure_future(cancelled())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def expect(error, call, *args):
    try:
        call(*args)
    except error:
        return
    raise AssertionError(error)


def work():
    for _ in range(TIMES):
        plain(5)
        expect(KeyError, plain, 0)
        list(delegating(3))
        many = generator(2)
        next(many)
        many.throw(KeyError)
        expect(IndexError, many.throw, IndexError)
        expect(ValueError, list, raising())
    asyncio.run(gathered())


ready()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
say(**{function: [2 * n for n in counts] for function, counts in {
    "plain": [TIMES * (5 + 1), 0, 0, TIMES * 5, 0, TIMES],
    # Four yields of the three turns and the last; one, a throw that goes on, and one that does not.
    "generator": [TIMES * 2, TIMES * 4, TIMES * 2, TIMES, TIMES * (4 + 2), TIMES],
    "delegating": [TIMES, TIMES * 4, 0, TIMES, TIMES * 4, 0],
    "raising": [TIMES, TIMES, 0, 0, TIMES, TIMES],
    "agenerator": [TIMES, TIMES * 6, 0, TIMES, TIMES * 6, 0],
    "coroutine": [TIMES, TIMES * 4, 0, TIMES, TIMES * 4, 0],
    "cancelled": [1, 0, 1, 0, 1, 1],
}.items()})
hear()
