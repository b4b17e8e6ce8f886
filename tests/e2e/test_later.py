# SPDX-License-Identifier: Apache-2.0
"""python* takes in Python processes that start later. In a pid namespace of its own, so that no others are met."""
import subprocess
import sys

from conftest import must_run
from harness import HERE

IN_NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
DRIVER = f"""
import subprocess, sys
sys.path.insert(0, {str(HERE)!r})
from harness import Tracer, WORKLOADS
tracer = Tracer(*sys.argv[1:], "-v", "-n", 'python*:::function-entry /copyinstr(arg1) == "target"/ {{ @["calls"] = count(); }}')
tracer.wait_matched()
subprocess.run([sys.executable, "-B", str(WORKLOADS / "launches.py"), "2"], check=True, stdout=subprocess.DEVNULL)
tracer.stop()
print(tracer.table(), tracer.status, tracer.err)
"""


def test_later(executor):
    must_run(IN_NAMESPACE)
    said = subprocess.run([*IN_NAMESPACE, sys.executable, "-B", "-c", DRIVER, "-x", "exec=" + executor], stdout=subprocess.PIPE,
                          text=True, timeout=60, check=True).stdout
    assert said.startswith(("{'calls': 6} 0 ", "{'calls': 7} 0 ")), said  # the parent of those may be faster than we are
    assert "matched 1 probe" in said
