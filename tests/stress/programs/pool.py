# SPDX-License-Identifier: Apache-2.0
"""A multiprocessing pool; parent and children may be traced."""
import multiprocessing
import sys

import counter


def target(number):
    counter.count()
    return number ** 2


def main():
    # fork, also where it is not the default any more: the children then run the code that the parent has loaded.
    with multiprocessing.get_context("fork").Pool(2) as pool:
        def answer(number):
            return sum(pool.map(target, range(number, number + counter.CALLS), chunksize=2))

        counter.serve(answer, [process.pid for process in pool._pool])
        pool.close()
        pool.join()


if __name__ == "__main__":
    sys.exit(main())
