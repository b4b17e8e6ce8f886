# SPDX-License-Identifier: Apache-2.0
"""A function of a module that is imported after the tracer has come."""
from workload import outside, ready, truth

ready()
import late_module  # noqa: E402

for _ in range(100):
    late_module.target()
    outside()
truth(calls=100, flat=100)
