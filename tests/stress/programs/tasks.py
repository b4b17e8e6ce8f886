# SPDX-License-Identifier: Apache-2.0
"""For Celery. STRESS_REDIS is the path of the broker's socket."""
import os

import celery

import counter

url = "redis+socket://" + os.environ["STRESS_REDIS"]
app = celery.Celery("tasks", broker=url, backend=url)
app.conf.update(broker_connection_retry_on_startup=True, worker_send_task_events=False)


@app.task
def target(number):
    counter.count()
    return number ** 2
