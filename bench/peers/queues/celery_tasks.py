"""The tasks of compare.py's Celery, and who begins them: `-m celery_tasks WORKFLOWS WIDTH WORKERS` prints seconds."""

import os
import sys
import time

from celery import Celery, chord

app = Celery("celery_tasks", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app.conf.task_acks_late = True


@app.task(name="branch")
def branch(value):
    return value * 2


@app.task(name="total")
def total(values):
    return sum(values)


def run(workflows, width):
    """Begins them all, then waits for all."""
    results = [chord([branch.s(i) for i in range(width)])(total.s()) for _ in range(workflows)]
    for result in results:
        result.get(timeout=600)


if __name__ == "__main__":
    WORKFLOWS, WIDTH, WORKERS = map(int, sys.argv[1:])
    run(2 * WORKERS, WIDTH)
    BEGUN = time.monotonic()
    run(WORKFLOWS, WIDTH)
    print(time.monotonic() - BEGUN)
