# SPDX-License-Identifier: Apache-2.0
"""Together with other tools: tracing, sys.monitoring, audit hooks, subinterpreters."""
import errno
import functools
import operator
import sys

from agentlib import FAILED, Agent, Refused, names
from caselib import NEW, case, run, same


@case
def settrace_active():
    seen = []

    def tracer(frame, event, arg):
        if frame.f_code.co_name == "f":
            seen.append(event)
        return tracer

    def f():
        return 1

    def work():
        sys.settrace(tracer)
        for _ in range(5):
            f()
        sys.settrace(None)
        for _ in range(5):
            f()
        sys.setprofile(lambda *a: None)
        for _ in range(5):
            f()
        sys.setprofile(None)
    same(run(work, "f"), {"f": (15, 15)})
    same((seen.count("call"), seen.count("return"), seen.count("line")), (5, 5, 5))


@case
def settrace_before():
    events = []

    def f():
        return 1

    def tracer(frame, event, arg):
        if frame.f_code.co_name == "f":
            events.append(event)
        return tracer
    a = Agent([names("f")])
    sys.settrace(tracer)
    a.init()
    for _ in range(5):
        f()
    a.fini()
    f()
    sys.settrace(None)
    same(a.counts(), {"f": (5, 5)})
    same((events.count("call"), events.count("return")), (6, 6))


if NEW:
    @case
    def monitoring_tools():
        """A tool that has DISABLEd everything, and one that is active, keep their counts and we ours."""
        mon = sys.monitoring
        E = mon.events
        seen = {"start": 0, "return": 0}

        def on_start(code, off):
            if code.co_name == "f":
                seen["start"] += 1

        def on_return(code, off, v):
            if code.co_name == "f":
                seen["return"] += 1
        mon.use_tool_id(0, "debugger")
        mon.use_tool_id(1, "coverage")
        mon.register_callback(0, E.PY_START, on_start)
        mon.register_callback(0, E.PY_RETURN, on_return)
        mon.register_callback(1, E.PY_START, lambda *a: mon.DISABLE)
        mon.register_callback(1, E.LINE, lambda *a: mon.DISABLE)
        mon.set_events(0, E.PY_START | E.PY_RETURN)
        mon.set_events(1, E.PY_START | E.LINE)

        def f():
            return 1
        f()

        def work():
            for _ in range(10):
                f()
        same(run(work, "f"), {"f": (10, 10)})
        f()
        same(seen, {"start": 12, "return": 12})

    @case
    def disabled_before():
        """The id that we get had DISABLEd what we want to see."""
        mon = sys.monitoring
        mon.use_tool_id(4, "x")
        mon.register_callback(4, mon.events.PY_START, lambda *a: mon.DISABLE)
        mon.set_events(4, mon.events.PY_START)

        def f():
            return 1
        f()
        mon.set_events(4, 0)
        mon.register_callback(4, mon.events.PY_START, None)
        mon.free_tool_id(4)

        def work():
            for _ in range(10):
                f()
        same(run(work, "f"), {"f": (10, 10)})

    @case
    def ids_taken():
        for i in range(6):
            sys.monitoring.use_tool_id(i, "x")
        a = Agent([names("f")])
        try:
            a.init()
        except Refused as e:
            same(e.args, (-16, "all six sys.monitoring tool ids are in use"))
        else:
            raise AssertionError("not refused")
        same((a.page.state, a.page.error), (FAILED, 16))
        for i in (0, 1, 2, 5, 3, 4):
            sys.monitoring.free_tool_id(i)
            with a:
                same(a.page.tool_id, i)

    @case
    def recursion_limit():
        """Where the interpreter makes hardly any call of a C function more, we neither come nor go; where it does again, we do."""
        def deepest(call):
            """What the first call() says that can be made on the way back from too deep, with as many calls in C before it as can be."""
            said = []

            class Deep:
                def __eq__(self, other):
                    try:
                        return self == other
                    except RecursionError:
                        pass
                    for more in range(30, -1, -1):
                        try:
                            said.append(operator.call(*[operator.call] * more, call))
                            return True
                        except Exception:  # RecursionError, or ctypes.ArgumentError because of one
                            pass
                    raise RecursionError
            same(Deep() == 1, True)
            return said

        def f():
            return 1
        sys.setrecursionlimit(1000000)
        a = Agent([names("f")])
        same(deepest(functools.partial(a.init_, a.address, a.dlsym, sys.hexversion)), [-errno.EAGAIN])
        same(a.page.message.decode(), "the thread has reached its recursion limit; try again")
        a.init()
        f()
        same(deepest(a.fini_), [-errno.EAGAIN])
        same(deepest(a.lib.pydtrace_agent_bury), [-errno.EBUSY])
        same(sys.monitoring.get_tool(4), "pydtrace")
        same(a.fini(), 0)
        same(sys.monitoring.get_tool(4), None)
        same(a.counts(), {"f": (1, 1)})

    @case
    def id_stolen():
        """The program frees our id, and gives it to another: that one is left alone."""
        a = Agent([names("f")])
        a.init()
        sys.monitoring.free_tool_id(4)
        sys.monitoring.use_tool_id(4, "other")
        a.fini()
        same(sys.monitoring.get_tool(4), "other")

    @case
    def restarted_by_others():
        def f():
            return 1

        def g():
            return 1

        def work():
            for _ in range(10):
                f()
                g()
                sys.monitoring.restart_events()
        same(run(work, "f"), {"f": (10, 10)})

    @case
    def unmatched_is_free():
        """Nothing of ours is called for what does not match."""
        def f():
            return 1
        a = Agent([names("nothing")])
        with a:
            f()
            seen = a.page.seen
            for _ in range(10000):
                f()
            same(a.page.seen, seen)

    @case
    def instrumented_after():
        """Another tool sets and clears events on the same code while we trace it."""
        mon = sys.monitoring

        def f(x):
            for i in range(3):
                x += i
            return x

        def work():
            mon.use_tool_id(2, "other")
            for i in range(20):
                mon.set_local_events(2, f.__code__, mon.events.LINE | mon.events.PY_START if i % 2 else 0)
                mon.set_events(2, mon.events.PY_RETURN | mon.events.INSTRUCTION if i % 3 else 0)
                f(1)
            mon.set_events(2, 0)
            mon.set_local_events(2, f.__code__, 0)
            mon.free_tool_id(2)
            f(1)
        same(run(work, "f"), {"f": (21, 21)})


@case
def subinterpreter():
    try:
        import _interpreters as interp
    except ImportError:
        import _xxsubinterpreters as interp

    def f():
        return 1

    def work():
        i = interp.create()
        src = "def f():\n    return 1\nfor _ in range(100):\n    f()\n"
        if hasattr(interp, "exec"):
            interp.exec(i, src)
        else:
            interp.run_string(i, src)
        interp.destroy(i)
        f()
    same(run(work, "f"), {"f": (1, 1)})


@case
def audit_hook():
    """A program that watches itself by an audit hook is not disturbed; one that forbids is obeyed."""
    events = []
    forbid = []

    def hook(event, args):
        events.append(event)
        if forbid and event.startswith("sys.monitoring"):
            raise RuntimeError("no")
    sys.addaudithook(hook)

    def f():
        return 1
    same(run(lambda: f(), "f"), {"f": (1, 1)})
    if NEW:
        forbid.append(1)
        a = Agent([names("f")])
        try:
            a.init()
        except Refused as e:
            same(e.args[1], "sys.monitoring refused: an audit hook of the program may forbid it")
        else:
            raise AssertionError("not refused")
        same(sys.monitoring.get_tool(4), None)
