# SPDX-License-Identifier: Apache-2.0
"""The bug of 2007 in little: get_link_actions() reads all manifests at every call, for {} is false."""
import os

from workload import hear, inside, outside, say

CALLS, MANIFESTS = 20, 15


class Image:
    def __init__(self):
        self.link_actions = {}

    def get_link_actions(self):
        if not self.link_actions:
            self.link_actions = self.collect()
        return self.link_actions

    def collect(self):
        inside()
        for _ in range(MANIFESTS):
            size = os.stat(__file__).st_size
            fd = os.open(__file__, os.O_RDONLY)
            os.read(fd, size)
            os.close(fd)
        return {}


say(function="get_link_actions")
hear()
image = Image()
for _ in range(CALLS):
    outside()
    image.get_link_actions()
    outside()
say(calls=CALLS, flat={"openat": CALLS * MANIFESTS, "read": CALLS * MANIFESTS, "close": CALLS * MANIFESTS, "getppid": CALLS,
                       "geteuid": 0})
hear()
