# SPDX-License-Identifier: Apache-2.0
"""Exceptions that are caught inside the function, its own and those of what it calls, are no return."""
from workload import inside, outside, ready, truth


def target():
    try:
        raise ValueError
    except ValueError:
        inside()
    try:
        helper()
    except KeyError:
        inside()
    try:
        return inside()
    finally:
        inside()


def helper():
    try:
        {}["nothing"]
    finally:
        inside()


ready()
for _ in range(300):
    target()
    outside()
truth(calls=300, flat=300 * 5)
