# SPDX-License-Identifier: Apache-2.0
"""Functions of exec() with file names that no file has."""
from workload import inside, outside, ready, truth

SOURCE = """
def target():
    inside()
target()
"""

ready()
for name in ("<made up>", "", "/no/such/file.py", "<string>", "\u00e9\u20ac\U0001f40d.py"):
    for _ in range(20):
        exec(compile(SOURCE, name, "exec"), {"inside": inside})
        outside()
truth(calls=100, flat=100)
