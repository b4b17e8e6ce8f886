# SPDX-License-Identifier: Apache-2.0
"""A process that starts others, by fork and exec and by posix_spawn, in and outside of the function."""
import os
import subprocess
import sys

from workload import inside, outside, ready, truth


def target():
    inside()
    out = subprocess.run([sys.executable, "-c", "import os; os.getppid(); print(6 * 7)"], stdout=subprocess.PIPE, check=True)
    assert out.stdout == b"42\n"
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "raise SystemExit(9)"], os.environ)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 9


ready()
for _ in range(4):
    target()
    outside()
truth(calls=4, flat=None)
