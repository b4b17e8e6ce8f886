#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent's exactness cases, each of which knows its counts from how it is built.

usage: cases.py --list | NAME ...
"""
import sys

import cases_calls  # noqa: F401
import cases_filters  # noqa: F401
import cases_forked  # noqa: F401
import cases_generators  # noqa: F401
import cases_life  # noqa: F401
import cases_mail  # noqa: F401
import cases_memory  # noqa: F401
import cases_sources  # noqa: F401
import cases_tools  # noqa: F401
import cases_weak  # noqa: F401
from caselib import CASES


def main():
    if sys.argv[1:] == ["--list"]:
        for name, f in CASES.items():
            print(f.__module__, name)
        return
    for name in sys.argv[1:] or CASES:
        CASES[name]()
        print("ok", name)


if __name__ == "__main__":
    main()
