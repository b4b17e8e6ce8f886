# SPDX-License-Identifier: Apache-2.0
"""Two functions of one name in two modules: by name alone both are counted."""
import late_module
from workload import inside, outside, ready, truth


def target():
    inside()
    inside()


ready()
for _ in range(100):
    target()
    late_module.target()
    outside()
truth(calls=200, flat=300)
