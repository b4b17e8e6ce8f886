# SPDX-License-Identifier: Apache-2.0
"""The main thread runs another interpreter and never comes back to its own."""
import sys

import subinterpreter as sub
from workload import say

number = sub.create(own_gil=sys.argv[1] == "own")
say(function="target")
sub.run(number, "while True: many(1000)")
