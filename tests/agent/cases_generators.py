# SPDX-License-Identifier: Apache-2.0
"""Generators and coroutines: entered each time that a thread begins to run them, left each time that it no longer does, and the
same call all the time."""
import asyncio
import contextlib
import ctypes
import signal
import threading

from agentlib import Agent
from caselib import case, close_runs_nothing, lives, names, run, run_lives, same

GOES_ON = "resume yield"
THROWN_OUT = "throw unwind"


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
    long, short = (" ".join(["start yield"] + [GOES_ON] * (n - 1) + ["resume return"]) for n in (100, 5))
    same(run_lives(work, "gen"), [("gen", long)] * 10 + [("gen", short)])


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
    same(run_lives(work, "gen"), [("gen", "start yield throw unwind")] * 20)


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
        for _ in range(10):
            g = gen()
            next(g)
            next(g)
            del g
    end = [] if close_runs_nothing() else [THROWN_OUT]
    same(run_lives(work, "gen"), [("gen", " ".join(["start yield"] + end))] * 10 +
         [("gen", " ".join(["start yield", GOES_ON] + end))] * 10)


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
    same(run_lives(work, "gen", "catching", "swallowing"),
         [("gen", "start yield throw unwind")] * 10 + [("catching", "start yield throw return")] * 10 +
         [("swallowing", " ".join(["start yield"] + ["throw yield"] * 10 + [THROWN_OUT]))])


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
    same(run_lives(work, "gen"), [])


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
    same(run_lives(work, "gen", "delegating"), [("delegating", "start yield resume unwind"),
                                                ("gen", "start yield resume unwind")] * 10)


@case
def generator_yield_from():
    """Each of the chain is entered and left at each step."""
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
    same(run_lives(work, "leaf", "middle", "top"),
         [("top", "start yield resume yield resume return"), ("middle", "start yield resume return"),
          ("leaf", "start yield resume return")] * 50)


@case
def generator_yield_from_closed():
    """The innermost is closed or thrown into first, and then, when it has ended, the one that waited for it."""
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
    once, twice = "start yield throw unwind", "start yield resume yield throw unwind"
    same(run_lives(work, "leaf", "top"),
         [("top", once), ("leaf", once), ("top", once), ("leaf", once), ("top", twice), ("leaf", twice)] * 10)


@case
def generator_yield_from_caught():
    """What the innermost catches does not run the others."""
    def leaf():
        while True:
            try:
                yield 1
            except KeyError:
                pass

    def top():
        yield from leaf()

    def work():
        g = top()
        next(g)
        for _ in range(10):
            g.throw(KeyError())
        next(g)
        with contextlib.suppress(ValueError):
            g.throw(ValueError())
    same(run_lives(work, "leaf", "top"),
         [("top", "start yield resume yield throw unwind"),
          ("leaf", " ".join(["start yield"] + ["throw yield"] * 10 + ["resume yield throw unwind"]))])


@case
def generator_expression():
    def work():
        for _ in range(10):
            same(sum(x for x in range(10)), 45)
    same(run_lives(work, "<genexpr>"), [("<genexpr>", " ".join(["start yield"] + [GOES_ON] * 9 + ["resume return"]))] * 10)


@case
def generator_recursive():
    """Each of a tower of generators is a call of its own."""
    def tower(n):
        yield n
        if n:
            yield from tower(n - 1)

    def work():
        same(list(tower(20)), list(range(20, -1, -1)))

    want = [("tower", " ".join(["start yield"] + [GOES_ON] * n + ["resume return"])) for n in range(20, -1, -1)]
    same(run_lives(work, "tower"), want)


@case
def generators_side_by_side():
    """A call's number is that of no other call that lives: those of one function, suspended at the same time, too."""
    def gen():
        yield
        plain(3)
        yield

    def plain(n):
        return n and plain(n - 1)

    def work():
        many = [gen() for _ in range(500)]
        for _ in range(3):
            for g in many:
                next(g, None)

    with Agent([names("gen", "plain")]) as a:
        work()
    first = [call for name, kind, call in a.runs() if (name, kind) == ("gen", "start")]
    same(len(set(first)), 500)
    plain = {call for name, _, call in a.runs() if name == "plain"}
    same((plain & set(first), len(plain)), (set(), 4))
    same([x for x in lives(a.runs()) if x[0] == "gen"], [("gen", "start yield resume yield resume return")] * 500)
    same([x for x in lives(a.runs()) if x[0] == "plain"], [("plain", "start return")] * 2000)


@case
def generator_in_many_threads():
    """Begun in one thread, resumed in others, ended in another: the same call."""
    def gen():
        for _ in range(20):
            yield

    def work():
        g = gen()
        next(g)
        for _ in range(20):
            t = threading.Thread(target=next, args=(g, None))
            t.start()
            t.join()
    same(run_lives(work, "gen"), [("gen", " ".join(["start yield"] + [GOES_ON] * 19 + ["resume return"]))])


@case
def generator_begun_before():
    """It is seen from its next resume on, and not before; also where its function is not called again."""
    def resumed():
        for _ in range(5):
            yield

    def thrown():
        yield

    def caught():
        try:
            yield
        except KeyError:
            yield

    def closed():
        try:
            yield
        finally:
            pass

    def idle():
        yield

    def unbegun():
        yield
    gs = [f() for f in (resumed, thrown, caught, closed, idle)]
    for g in gs:
        next(g)
    new = unbegun()

    def work():
        list(gs[0])
        with contextlib.suppress(KeyError):
            gs[1].throw(KeyError())
        gs[2].throw(KeyError())
        list(gs[2])
        gs[3].close()
        with contextlib.suppress(KeyError):
            new.throw(KeyError())
    same(run_lives(work, "resumed", "thrown", "caught", "closed", "idle", "unbegun"),
         [("resumed", " ".join([GOES_ON] * 4 + ["resume return"])), ("thrown", THROWN_OUT),
          ("caught", "throw yield resume return"), ("closed", THROWN_OUT)])


@case
def signal_as_it_starts():
    """The handler of a signal raises where the body was to begin or to go on: what is entered is left, and nothing else is."""
    class Raised(Exception):
        pass

    def handler(number, frame):
        raise Raised
    kill = getattr(ctypes.PyDLL(None), "raise")  # runs no handler: the next instruction of Python's that looks for one does

    def plain(_):
        return 1

    def gen():
        yield 1
        yield 2

    def catching():
        for _ in range(3):
            try:
                yield 1
            except Raised:
                pass

    def caught(step):
        with contextlib.suppress(Raised, StopIteration):
            list(map(step, map(kill, [signal.SIGUSR1])))

    def work():
        for _ in range(10):
            caught(plain)
            plain(0)
            for make in gen, catching:
                g = make()
                next(g)
                caught(g.send)
                list(g)
                list(make())
    old = signal.signal(signal.SIGUSR1, handler)
    got = run_lives(work, "plain", "gen", "catching")
    signal.signal(signal.SIGUSR1, old)
    for name, life in ("plain", "start return"), ("gen", "start yield resume yield resume return"), (
            "catching", "start yield resume yield resume yield resume return"):
        same(got.count((name, life)) >= 10, True, got)


@case
def generator_left_alone():
    """A call that is suspended when the agent goes has been left as often as it was entered."""
    def gen():
        for _ in range(5):
            yield
    g = gen()

    def work():
        next(g)
        next(g)
    same(run_lives(work, "gen"), [("gen", "start yield resume yield")])
    same(run_lives(work, "gen", copy=True), [("gen", "resume yield resume yield")])
    same(len(list(g)), 1)


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
    got = run_lives(work, "child", "agen", "parents", "main", "forever")
    # The error of the one that it has cancelled is thrown into it.
    same([life for name, life in got if name == "main"], ["start yield resume yield resume yield throw return"])
    same([life for name, life in got if name == "forever"], ["start yield throw unwind"])
    # It is suspended once by its child, and five times by the generator.
    same([life for name, life in got if name == "parents"],
         [" ".join(["start yield"] + [GOES_ON] * 5 + ["resume return"])] * 30)
    same([life for name, life in got if name == "child"],
         ["start yield resume unwind" if n % 3 == 0 else "start yield resume return" for n in range(30)])
    # At each of its turns it is left by the await, and then by the yield.
    same([life for name, life in got if name == "agen"],
         [" ".join(["start yield resume yield"] + [GOES_ON] * 8 + ["resume return"])] * 30)


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
    same(run_lives(work, "agen"), [("agen", "start yield throw yield resume unwind")] * 20)


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
    same(run(work, "helper", "gen", "__exit__"), {"helper": (3, 3), "gen": (6, 6), "__exit__": (3, 3)})
