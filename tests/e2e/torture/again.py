# SPDX-License-Identifier: Apache-2.0
"""What replaced.py loads again and again."""


def call(function):
    return function(10) + 1
