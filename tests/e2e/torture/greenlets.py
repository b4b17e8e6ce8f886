# SPDX-License-Identifier: Apache-2.0
"""Greenlets: the function is entered in one and left after others have entered and left it; exceptions go from one to another."""
import greenlet
from torture import check, counted_like, in_thread, inside, run

N = 10


def target(hub, n):
    inside()
    if hub:
        n = hub.switch(n)
    inside()
    return n + 1


def fails():
    raise KeyError("on purpose")


def switches(function):
    hub = greenlet.getcurrent()
    all_ = [greenlet.greenlet(function) for _ in range(N)]
    check("first", [each.switch(hub, n) for n, each in enumerate(all_)], list(range(N)))
    check("last", [each.switch(n) for n, each in enumerate(all_)], list(range(1, N + 1)))
    check("ended", [each.dead for each in all_], [True] * N)
    thrown = greenlet.greenlet(function)
    thrown.switch(hub, 0)
    try:
        thrown.throw(ValueError("thrown"))
    except ValueError as error:
        check("thrown", error.args, ("thrown",))
    dropped = greenlet.greenlet(function)
    dropped.switch(hub, 0)
    del dropped
    try:
        greenlet.greenlet(fails).switch()
    except KeyError as error:
        check("raised", error.args, ("on purpose",))


def turn(function):
    switches(function)
    in_thread(switches, function)
    for n in range(10):
        check("result", function(None, n), n + 1)
    return 2 * (N + 2) + 10


# Those that are thrown into or dropped make one of the two calls of inside().
run(turn, (target, counted_like(target)), inside_each=None, flat=False)
