# SPDX-License-Identifier: Apache-2.0
"""gevent: greenlets that sleep, wait for each other and time out in the function."""
import gevent
import gevent.event
import gevent.queue
from torture import check, counted_like, inside, run

N = 10


def target(n):
    inside()
    gevent.sleep(0.0005)
    inside()
    return n + 1


def times_out(function, event):
    with gevent.Timeout(0.001, False):
        function(0)
        event.wait()
        return "no time-out"
    return "time-out"


def turn(function):
    all_ = [gevent.spawn(function, n) for n in range(N)]
    gevent.joinall(all_)
    check("values", [each.value for each in all_], list(range(1, N + 1)))
    queue = gevent.queue.Queue(1)
    gets = gevent.spawn(lambda: [queue.get() for _ in range(5)])
    for n in range(5):
        queue.put(function(n))
    check("queue", gets.get(), [1, 2, 3, 4, 5])
    check("time-out", times_out(lambda n: None, gevent.event.Event()), "time-out")
    return N + 5


run(turn, (target, counted_like(target)), inside_each=2, flat=False)
