# SPDX-License-Identifier: Apache-2.0
"""Says which events a tracer has switched on (3.12 and later), after generators have run."""
import sys

from workload import hear, ready, say


def target():
    yield 1
    yield 2


ready()
for _ in range(3):
    list(target())
events = sys.monitoring.events
names = [name for name in dir(events) if name.startswith("PY_")]
tools = [tool for tool in range(6) if sys.monitoring.get_tool(tool) == "pydtrace"]
say(**{which: [name[3:].lower() for name in names if any(get(tool) & getattr(events, name) for tool in tools)] for which, get in (
    ("all", sys.monitoring.get_events), ("own", lambda tool: sys.monitoring.get_local_events(tool, target.__code__)))})
hear()
