# SPDX-License-Identifier: Apache-2.0
"""The same names in two modules, called a different number of times. package_a is imported before the tracer comes."""
import package_a
from workload import hear, ready, say

ready()
import package_b  # noqa: E402

for module, n in ((package_a, 1), (package_b, 10)):
    image, inner, local = module.Image(), module.Image.Inner(), module.outer()
    for _ in range(n):
        module.target()
    for _ in range(2 * n):
        image.target()
    for _ in range(3 * n):
        image.get_link_actions()
    for _ in range(4 * n):
        image.get_other()
    for _ in range(5 * n):
        inner.target()
    for _ in range(6 * n):
        local()
say(done=True)
hear()
