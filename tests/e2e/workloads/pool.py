# SPDX-License-Identifier: Apache-2.0
"""`python pool.py METHOD CALLS`: a multiprocessing.Pool of four, whose workers are made by that method, calls the function so many
times; its parent calls it once more."""
import multiprocessing
import sys
import warnings

from workload import inside, say

warnings.simplefilter("ignore")


def target(_):
    inside()


if __name__ == "__main__":
    calls = int(sys.argv[2])
    with multiprocessing.get_context(sys.argv[1]).Pool(4) as pool:
        pool.map(target, range(calls), chunksize=1)
    target(0)
    say(calls=calls + 1)
