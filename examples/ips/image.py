# SPDX-License-Identifier: Apache-2.0
"""An image: the packages installed under a directory, one manifest file each.

Modelled on the image of the Image Packaging System as it was in 2007, with the bug that the DTrace script beside
this file was written to find. Runs on every Python since 3.9.
"""
import os


class Action:
    """One line of a manifest: `file path=usr/bin/x`, `hardlink path=usr/bin/y target=x`."""

    __slots__ = ("name", "attrs")

    def __init__(self, line):
        self.name, _, rest = line.partition(" ")
        self.attrs = rest

    def get_target_path(self):
        return dict(pair.split("=", 1) for pair in self.attrs.split())["target"]


class Image:
    def __init__(self, root):
        self.root = root
        self.manifests = sorted(os.listdir(root))
        self.link_actions = {}

    def gen_installed_actions(self):
        """Generate every action of every installed package, by reading all the manifests."""
        where = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        for name in self.manifests:
            size = os.stat(name, dir_fd=where).st_size
            fd = os.open(name, os.O_RDONLY, dir_fd=where)
            text = os.read(fd, size)
            os.close(fd)
            for line in text.decode().splitlines():
                yield Action(line)
        os.close(where)

    def get_link_actions(self):
        """The hardlink actions by the file that they link to. The cache is {} until it is filled: here is the bug."""
        if self.link_actions:
            return self.link_actions
        self.link_actions = self.collect_link_actions()
        return self.link_actions

    def collect_link_actions(self):
        links = {}
        for action in self.gen_installed_actions():
            if action.name == "hardlink":
                links.setdefault(action.get_target_path(), []).append(action)
        return links


class FixedImage(Image):
    """As it should be: a new image has no hard links, and {} is an answer too."""

    def __init__(self, root):
        super().__init__(root)
        self.link_actions = None

    def get_link_actions(self):
        if self.link_actions is not None:
            return self.link_actions
        self.link_actions = self.collect_link_actions()
        return self.link_actions
