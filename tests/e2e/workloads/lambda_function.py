# SPDX-License-Identifier: Apache-2.0
"""Lambda functions: their name is <lambda>."""
from workload import inside, outside, ready, truth

functions = [lambda: inside(), lambda n=1: inside() + n]
ready("<lambda>")
for _ in range(100):
    for function in functions:
        function()
    outside()
truth(calls=200, flat=200)
