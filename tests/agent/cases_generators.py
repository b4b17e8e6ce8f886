# SPDX-License-Identifier: Apache-2.0
"""Generators and coroutines: entered when their body first runs, left when it ends."""
import asyncio
import contextlib
import sys

from caselib import case, run, same


@case
def generator_run_out():
    def gen(n):
        for i in range(n):
            yield i

    def work():
        for _ in range(10):
            same(sum(gen(100)), 4950)
        for x in gen(5):
            pass
        [gen(3) for _ in range(7)]  # never begun
    same(run(work, "gen"), {"gen": (11, 11)})


@case
def generator_closed():
    def gen():
        try:
            yield 1
            yield 2
        finally:
            pass

    def work():
        for _ in range(10):
            g = gen()
            next(g)
            g.close()
        for _ in range(10):
            g = gen()
            next(g)
            del g
        g = gen()
        g.close()
    same(run(work, "gen"), {"gen": (20, 20)})


def close_runs_nothing():
    """3.13 closes a generator that cannot catch it without running it; gh-140373 made that seen again."""
    return (3, 13) <= sys.version_info < (3, 13, 10) or (3, 14) <= sys.version_info < (3, 14, 1)


@case
def generator_closed_bare():
    def gen():
        yield 1
        yield 2

    def work():
        for _ in range(10):
            g = gen()
            next(g)
            g.close()
    same(run(work, "gen"), {"gen": (10, 0 if close_runs_nothing() else 10)})


@case
def generator_thrown():
    def gen():
        yield 1
        yield 2

    def catching():
        while True:
            try:
                yield 1
            except ValueError:
                return

    def swallowing():
        while True:
            try:
                yield 1
            except ValueError:
                pass

    def work():
        for make in (gen, catching):
            for _ in range(10):
                g = make()
                next(g)
                with contextlib.suppress(ValueError, StopIteration):
                    g.throw(ValueError())
        g = swallowing()
        next(g)
        for _ in range(10):
            g.throw(ValueError())
        with contextlib.suppress(KeyError):
            g.throw(KeyError())
        for _ in range(10):  # never begun: neither entered nor left
            g = gen()
            with contextlib.suppress(ValueError):
                g.throw(ValueError())
    same(run(work, "gen", "catching", "swallowing"), {"gen": (10, 10), "catching": (10, 10), "swallowing": (1, 1)})


@case
def generator_never_begun_only():
    """What is thrown into before anything of it ran is not entered and not left."""
    def gen():
        yield 1

    def work():
        for _ in range(10):
            g = gen()
            with contextlib.suppress(ValueError):
                g.throw(ValueError())
            gen().close()
    same(run(work, "gen").get("gen", (0, 0)), (0, 0))


@case
def generator_raises():
    def gen():
        yield 1
        raise KeyError

    def delegating():
        yield from gen()

    def work():
        for _ in range(10):
            with contextlib.suppress(KeyError):
                list(delegating())
    same(run(work, "gen", "delegating"), {"gen": (10, 10), "delegating": (10, 10)})


@case
def generator_yield_from():
    def leaf():
        got = yield 1
        return got

    def middle():
        return (yield from leaf())

    def top():
        yield (yield from middle())

    def work():
        for _ in range(50):
            g = top()
            next(g)
            same(g.send(5), 5)
            list(g)
    same(run(work, "leaf", "middle", "top"), {n: (50, 50) for n in ("leaf", "middle", "top")})


@case
def generator_yield_from_closed():
    def leaf():
        try:
            yield 1
            yield 2
        finally:
            pass

    def top():
        try:
            yield from leaf()
        finally:
            pass

    def work():
        for _ in range(10):
            g = top()
            next(g)
            g.close()
            g = top()
            next(g)
            with contextlib.suppress(KeyError):
                g.throw(KeyError())
            g = top()
            next(g)
            next(g)
            del g
    same(run(work, "leaf", "top"), {"leaf": (30, 30), "top": (30, 30)})


@case
def generator_expression():
    def work():
        for _ in range(10):
            same(sum(x for x in range(10)), 45)
    same(run(work, "<genexpr>"), {"<genexpr>": (10, 10)})


@case
def coroutines():
    async def child(n):
        await asyncio.sleep(0)
        if n % 3 == 0:
            raise KeyError
        return n

    async def agen():
        for i in range(5):
            await asyncio.sleep(0)
            yield i

    async def parents(n):
        with contextlib.suppress(KeyError):
            await child(n)
        return [x async for x in agen()]

    async def forever():
        await asyncio.sleep(1000)

    async def main():
        await asyncio.gather(*[parents(i) for i in range(30)])
        t = asyncio.ensure_future(forever())
        await asyncio.sleep(0)
        t.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await t
        child(1).close()

    def work():
        asyncio.run(main())
    same(run(work, "child", "agen", "parents", "main", "forever"),
         {"child": (30, 30), "agen": (30, 30), "parents": (30, 30), "main": (1, 1), "forever": (1, 1)})


@case
def async_generator_closed():
    async def agen():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)

    async def main():
        for _ in range(10):
            g = agen()
            await g.__anext__()
            await g.aclose()
        for _ in range(10):
            g = agen()
            await g.asend(None)
            with contextlib.suppress(ValueError):
                await g.athrow(ValueError())

    def work():
        asyncio.run(main())
    same(run(work, "agen"), {"agen": (20, 20)})


@case
def exception_kept():
    """An exception that is in flight while a decision is made stays what it was."""
    class Odd(Exception):
        pass

    def gen():
        try:
            yield
        except Odd as e:
            e.seen = True
            helper()
            raise

    def helper():
        pass

    class Ctx:
        def __exit__(self, t, v, tb):
            same(v.seen, True)
            return True

        def __enter__(self):
            pass

    def work():
        for _ in range(3):
            g = gen()
            next(g)
            with Ctx():
                g.throw(Odd())
    same(run(work, "helper", "gen", "__exit__"), {"helper": (3, 3), "gen": (3, 3), "__exit__": (3, 3)})
