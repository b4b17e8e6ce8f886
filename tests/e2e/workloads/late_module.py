# SPDX-License-Identifier: Apache-2.0
"""Imported by imported_late.py and two_modules.py."""
from workload import inside


def target():
    inside()
