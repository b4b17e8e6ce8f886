#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small package client: plans the installation of packages into a new image.

usage: client.py [--fixed] [--manifests N] [--wait] IMAGE

IMAGE is a directory; it is made, with N manifests (880) in it, where it does not exist. With --wait the client says
"ready" and begins when it reads a line on standard input, so that a tracer can be attached before.
"""
import argparse
import os
import sys
import time

import image

MANIFEST = "set name=fmri value=pkg:/package-{0:04d}@1.0\nfile path=usr/lib/package-{0:04d}.so mode=0555\n"


def create_image(root, manifests):
    os.makedirs(root)
    for number in range(manifests):
        with open(os.path.join(root, "package-{:04d}".format(number)), "w") as f:
            f.write(MANIFEST.format(number))


def create_plan(img):
    """Evaluate each package: which links of those installed does it touch?"""
    return [(name, len(img.get_link_actions())) for name in img.manifests]


def main():
    parser = argparse.ArgumentParser(description="plan the installation of packages into a new image")
    parser.add_argument("--fixed", action="store_true", help="the image with the bug mended")
    parser.add_argument("--manifests", type=int, default=880, metavar="N")
    parser.add_argument("--wait", action="store_true", help="say when ready, and begin when a line comes on standard input")
    parser.add_argument("image")
    args = parser.parse_args()
    if not os.path.isdir(args.image):
        create_image(args.image, args.manifests)
    img = (image.FixedImage if args.fixed else image.Image)(args.image)
    if args.wait:
        print("ready", flush=True)
        sys.stdin.readline()
    start = time.perf_counter()
    plan = create_plan(img)
    seconds = time.perf_counter() - start
    print("planned {} packages, {} hard links, in {:.3f} s".format(len(plan), sum(n for _, n in plan), seconds))


if __name__ == "__main__":
    main()
