# SPDX-License-Identifier: Apache-2.0
"""A module of places.py."""
from workload import inside


def target():
    inside()


class Image:
    def target(self):
        inside()

    def get_link_actions(self):
        inside()

    def get_other(self):
        inside()

    class Inner:
        def target(self):
            inside()


def outer():
    def target():
        inside()
    return target
