# SPDX-License-Identifier: Apache-2.0
"""Gives tasks to Celery's workers, and waits for their results."""
import celery

import counter
import tasks


def answer(number):
    results = celery.group(tasks.target.s(n) for n in range(number, number + counter.CALLS)).apply_async().get(timeout=60)
    return sum(results)


counter.serve(answer, [])
