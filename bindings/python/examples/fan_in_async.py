#!/usr/bin/env python3
"""A map over 1,000 elements whose fan-in sums, on asyncio: each delivery is a task, handlers are coroutines.

Usage: fan_in_async.py [TYPE:NAME [ELEMENTS]]    (without it, `fs` in a temporary directory)
"""

import asyncio
import sys
import tempfile

import unum_workflows as unum
from fan_in import FUNCTIONS
from unum_workflows import aio


async def make_range(event, context):
    return list(range(event))


async def square(event, context):
    await asyncio.sleep(0)  # as a request to somewhere would
    return event * event


async def add_up(event, context):
    return sum(event)


HANDLERS = {"Range": make_range, "Square": square, "Sum": add_up}


async def run(loop: aio.Loop, store: aio.Store, elements: int) -> int:
    functions = {each["Name"]: loop.parse_function(each) for each in FUNCTIONS}
    queue: "asyncio.Queue[unum.Invocation]" = asyncio.Queue()
    runtime = store.runtime(queue.put)
    result: "asyncio.Future[int]" = asyncio.get_running_loop().create_future()

    async def deliver(name: str, payload: bytes) -> None:
        report = await runtime.step(functions[name], payload, HANDLERS[name])
        if report.status != unum.StepStatus.SUCCEEDED:
            result.set_exception(RuntimeError(f"{report.instance}: {report.error}: {report.cause}"))
        elif report.result is not None:
            result.set_result(int(report.result))

    async def work() -> None:
        while True:
            invocation = await queue.get()
            await deliver(invocation.function, invocation.payload)

    workers = [asyncio.ensure_future(work()) for _ in range(100)]
    try:
        await deliver("Range", loop.entry_payload(str(elements), store.create_session_context()))
        return await result
    finally:
        for worker in workers:
            worker.cancel()


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = sys.argv[1] if len(sys.argv) > 1 else f"fs:{directory}/store"
        elements = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
        type_, _, name = place.partition(":")
        async with aio.Loop() as loop:
            await loop.create_store(type_, name)
            async with await loop.open_store(type_, name) as store:
                result = await run(loop, store, elements)
    assert result == sum(i * i for i in range(elements)), result
    print(f"the sum of {elements:,} squares is {result:,}")


if __name__ == "__main__":
    asyncio.run(main())
