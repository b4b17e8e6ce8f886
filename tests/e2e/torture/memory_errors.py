# SPDX-License-Identifier: Apache-2.0
"""Memory is limited, and used up again and again."""
import resource

from torture import check, run

LIMIT = 512 << 20
BLOCK = 64 << 20


def use_up():
    """All there is, in blocks down to 256 kB; how many MemoryErrors that took."""
    kept, errors, size = [], 0, BLOCK
    while size >= 256 << 10:
        try:
            kept.append(bytes(size))
        except MemoryError:
            errors += 1
            size //= 4
    return kept, errors


def turn(function):
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    try:
        bytes(2 * LIMIT)
        check("too much", "was given", "refused")
    except MemoryError:
        pass
    kept, errors = use_up()
    check("errors", errors, 5)
    for n in range(20):
        check("result", function(n), n + 1)
    del kept
    check("memory afterwards", len(bytes(BLOCK)), BLOCK)
    for n in range(20):
        check("result", function(n), n + 1)
    return 40


run(turn)
