# SPDX-License-Identifier: Apache-2.0
"""Methods of all kinds, a property, a nested and a decorated function: each by its own name, not that of its wrapper."""
import functools

from workload import inside, outside, ready, truth


def decorate(function):
    @functools.wraps(function)
    def wrapper(*args):
        outside()
        return function(*args)
    return wrapper


class Plain:
    def target(self):
        inside()


class Class:
    @classmethod
    def target(cls):
        inside()


class Static:
    @staticmethod
    def target():
        inside()


class Property:
    @property
    def target(self):
        return inside()

    @target.setter
    def target(self, value):
        inside()


class Child(Plain):
    def target(self):
        super().target()
        inside()


class Call:
    def target(self):
        inside()

    __call__ = target
    __getitem__ = lambda self, key: inside()


def nested():
    def target():
        inside()
    return target


@decorate
def target(n):
    inside()


ready()
call, prop, child, plain, inner = Call(), Property(), Child(), Plain(), nested()
for _ in range(50):
    plain.target()
    Class.target()
    Static.target()
    prop.target
    prop.target = 1
    inner()
    nested()()
    target(1)
    call()
    call[0]
    outside()
for _ in range(50):
    child.target()  # two entries; what follows the inner return the script of 2007 does not see
    outside()
truth(calls=50 * 9 + 50 * 2, flat=50 * 9 + 50, deep=50 * 9 + 50 * 2)
