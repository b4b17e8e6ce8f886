# SPDX-License-Identifier: Apache-2.0
"""A program with a profile function of its own."""
import sys

from workload import inside, outside, ready, truth

seen = []


def profile(frame, event, arg):
    if event == "call" and frame.f_code.co_name == "target":
        seen.append(event)


def target():
    inside()


ready()
sys.setprofile(profile)
for _ in range(100):
    target()
    outside()
sys.setprofile(None)
for _ in range(100):
    target()
    outside()
assert len(seen) == 100
truth(calls=200, flat=200)
