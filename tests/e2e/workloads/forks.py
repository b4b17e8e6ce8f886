# SPDX-License-Identifier: Apache-2.0
"""A process that forks, also inside the function: the child is not counted, and ends as it should."""
import os
import warnings

from workload import inside, outside, ready, truth

warnings.simplefilter("ignore")


def child(status):
    for _ in range(20):
        target(False)
    os._exit(status)


def target(fork):
    inside()
    if fork:
        pid = os.fork()
        if not pid:
            child(7)
        assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 7
    inside()


ready()
for _ in range(10):
    target(True)
    outside()
for _ in range(10):
    pid = os.fork()
    if not pid:
        child(3)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 3
    target(False)
    outside()
truth(calls=20, flat=40)
