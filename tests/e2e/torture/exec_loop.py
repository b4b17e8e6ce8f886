# SPDX-License-Identifier: Apache-2.0
"""exec and eval in a loop: the function is a new one each time, and soon gone."""
from torture import check, run

TEXT = """
from torture import inside
def {0}(n):
    inside()
    return n + 1
def twice(n):
    return {0}(n) + {0}(n)
value = twice(VALUE)
"""


def turn(function):
    name = function.__code__.co_name
    for n in range(10):
        names = {"VALUE": n}
        exec(TEXT.format(name), names)
        check("value", names["value"], 2 * n + 2)
        check("eval", eval("[{}(n) for n in range(3)]".format(name), names), [1, 2, 3])
    return 50


run(turn)
