#!/usr/bin/env python3
"""A map over 1,000 elements whose fan-in sums, on a platform of a few lines: a queue.

Usage: fan_in.py [TYPE:NAME [ELEMENTS]]    (without it, `fs` in a temporary directory)
"""

import collections
import sys
import tempfile

import unum_workflows as unum

FUNCTIONS = [
    {"Name": "Range", "Start": True, "Next": {"Name": "Square", "InputType": "Map"}},
    {"Name": "Square", "Next": {"Name": "Sum", "InputType": {"Fan-in": {"Values": ["Square-unumIndex-*"]}},
                                "Payload Modifiers": ["Pop"]}},
    {"Name": "Sum"},
]
HANDLERS = {
    "Range": lambda event, context: list(range(event)),
    "Square": lambda event, context: event * event,
    "Sum": lambda event, context: sum(event),
}
AT_ONCE = 100  # steps under way


def run(loop: unum.Loop, store: unum.Store, elements: int) -> int:
    functions = {each["Name"]: loop.parse_function(each) for each in FUNCTIONS}
    session = store.create_session_context()
    queue = collections.deque([("Range", loop.entry_payload(str(elements), session))])
    runtime = store.runtime(lambda invocation: queue.append((invocation.function, invocation.payload)))
    running, result = collections.deque(), None
    while queue or running:
        while queue and len(running) < AT_ONCE:
            name, payload = queue.popleft()
            running.append(runtime.begin.step(functions[name], payload, HANDLERS[name]))
        report = running.popleft().wait()
        if report.status != unum.StepStatus.SUCCEEDED:
            raise SystemExit(f"{report.instance}: {report.error}: {report.cause}")
        if report.result is not None:
            result = int(report.result)
    assert result is not None
    return result


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, unum.Loop() as loop:
        place = sys.argv[1] if len(sys.argv) > 1 else f"fs:{directory}/store"
        elements = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
        type_, _, name = place.partition(":")
        loop.create_store(type_, name)
        with loop.open_store(type_, name) as store:
            result = run(loop, store, elements)
    assert result == sum(i * i for i in range(elements)), result
    print(f"the sum of {elements:,} squares is {result:,}")


if __name__ == "__main__":
    main()
