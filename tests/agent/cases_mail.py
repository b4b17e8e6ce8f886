# SPDX-License-Identifier: Apache-2.0
"""Events by mail (struct wire_mail): who answers, who does not, and what the program notices of it."""
import contextlib
import ctypes
import os
import signal
import threading
import time

from agentlib import ACTIVE, ENTRY, GONE, INERT, RETURN, Agent, names
from caselib import case, same

ANSWER, DIE, SHUT, NOTHING = range(4)


def native_id():
    return threading.get_native_id()


@contextlib.contextmanager
def traced(*wanted, **kw):
    a = Agent([names(*wanted)], mail=True, **kw)
    with a:
        yield a
    same(a.page.state, GONE)
    same(a.counter.bad, 0)
    a.c.counter_serve_end(a.server)


def timed(f):
    begin = time.monotonic()
    f()
    return time.monotonic() - begin


@case
def mail_says_all():
    def f(x):
        return x
    with traced("f") as a:
        f(1)
        f(2)
    events = a.events()
    line = f.__code__.co_firstlineno
    same([(e.event, e.fid, e.line, e.filters, e.tid) for e in events],
         [(ENTRY, 1, line, 1, os.getpid()), (RETURN, 1, line + 1, 1, os.getpid())] * 2)
    same(max(e.cpu for e in events) < os.cpu_count(), True)
    same((a.mail.asked, a.mail.answered, a.mail.waits), (4, 4, 0))


@case
def mail_threads():
    """Each event is of the thread that it is said to be of; both sides sleep and wake all the time."""
    def f(x):
        return x

    def loop(ids, i):
        ids[i] = native_id()
        for k in range(2000):
            f(k)
            if k % 50 == 0:
                time.sleep(0.0001)
    for spin, look in ((300, 1000), (0, 0), (300, 0), (0, 1000)):
        ids = [0] * 8
        with traced("f") as a:
            a.mail.spin, a.counter.look = spin, look
            threads = [threading.Thread(target=loop, args=(ids, i)) for i in range(8)]
            [t.start() for t in threads]
            [t.join() for t in threads]
        same(a.total(), (16000, 16000))
        seen = {}
        for e in a.events():
            seen[e.tid] = seen.get(e.tid, 0) + 1
        same(seen, {i: 4000 for i in ids})


@case
def mail_shut():
    """Nobody serves: nothing is handed over, and nobody waits."""
    def f(x):
        return x
    with traced("f") as a:
        a.mail.open = 0
        a.counter.then = NOTHING
        same(timed(lambda: [f(1) for _ in range(1000)]) < 1, True)
        same((a.mail.asked, tuple(a.page.events)), (0, (1000, 1000)))


@case
def mail_shut_while_waiting():
    def f(x):
        return x
    with traced("f") as a:
        a.counter.then, a.counter.hold_ms = SHUT, 300
        same(0.25 < timed(lambda: f(1)) < 1, True)
        same((a.page.state, a.mail.asked, tuple(a.page.events)), (ACTIVE, 1, (1, 1)))


@case
def mail_tracer_dies_while_waiting():
    def f(x):
        return x
    with traced("f", owner=os.getpid()) as a:
        a.counter.then, a.counter.hold_ms = DIE, 300
        same(0.25 < timed(lambda: f(1)) < 0.5, True)
        same((a.page.state, a.page.message), (INERT, b"the tracer has gone without leaving"))
        same((a.mail.waits, tuple(a.page.events)), (0, (1, 0)))
        f(1)


def silence(least, most):
    def f(x):
        return x
    with traced("f", owner=os.getpid()) as a:
        a.counter.then = NOTHING
        took = timed(lambda: f(1))
        same(least < took < most, True, took)
        same((a.page.state, a.page.error), (INERT, 110))
        same(a.page.message, b"the tracer did not answer within 2 s; tracing of Python stopped there")
        same(timed(lambda: f(1)) < 0.5, True)
        same(tuple(a.page.events), (1, 0))


@case
def mail_deadline():
    silence(1.9, 3)


@case
def mail_deadline_under_signals():
    """Signals that come all the time neither end the wait nor make it longer without end."""
    came = []
    for interval in (0.007, 0.0005):
        signal.signal(signal.SIGALRM, lambda *_: came.append(1))
        signal.setitimer(signal.ITIMER_REAL, interval, interval)
        try:
            silence(1.2, 12)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    same(len(came) > 0, True)


@case
def mail_answer_under_signals():
    def f(x):
        return x
    came = []
    signal.signal(signal.SIGALRM, lambda *_: came.append(1))
    with traced("f") as a:
        a.mail.spin, a.counter.hold_ms = 0, 20
        signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
        for _ in range(10):
            f(1)
        signal.setitimer(signal.ITIMER_REAL, 0)
        same(a.page.state, ACTIVE)
    same(a.total(), (10, 10))
    same(len(came) > 0, True)


@case
def mail_leaves_errors_alone():
    """Neither errno nor the exception that is on its way is another after an event that was waited for."""
    libc = ctypes.PyDLL(None)
    libc.__errno_location.restype = ctypes.c_void_p
    errno = ctypes.c_int.from_address(libc.__errno_location())

    def f(x):
        return x

    def leaves():
        raise KeyError("mine")
    with traced("f", "leaves") as a:
        a.mail.spin = a.counter.look = 0
        a.counter.hold_ms = 5
        errno.value = 77
        f(1)
        got = errno.value
        try:
            leaves()
        except KeyError as e:
            same(e.args, ("mine",))
            f(2)
    same(got, 77)
    same(a.counts(), {"f": (2, 2), "leaves": (1, 1)})


@case
def mail_fork():
    """A child waits for nobody, and says nothing."""
    def f(x):
        return x

    def forks():
        pid = os.fork()
        if pid == 0:
            for _ in range(100):
                f(1)
            os._exit(7)
        return os.waitpid(pid, 0)[1]
    with traced("f", "forks") as a:
        a.mail.spin = a.counter.look = 0
        status = forks()
        f(1)
    same(status, 7 << 8)
    same(a.counts(), {"f": (1, 1), "forks": (1, 1)})
