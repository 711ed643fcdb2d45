"""Takes what an op gave, once it ended well, as plain values."""

from __future__ import annotations

from typing import List, Optional

from ._library import lib, take, take_bytes, take_str
from .types import (Committed, Failure, FanInState, FanInStatus, Item, ItemKind, Report, RunResult, RunStatus,
                    StepStatus, Written)

ITEM_KINDS = {int(kind): kind for kind in ItemKind}


def nothing(_: int) -> None:
    return None


def true(op: int) -> bool:
    return bool(lib.unum_op_number(op))


def value(op: int) -> Optional[bytes]:
    return take(lib.unum_op_value(op, 0))


def values(op: int) -> List[bytes]:
    get = lib.unum_op_value
    return [take_bytes(get(op, place)) for place in range(lib.unum_op_count(op))]


def names(op: int) -> List[str]:
    return [take_str(lib.unum_op_value(op, place)) for place in range(lib.unum_op_count(op))]


def written(op: int) -> Written:
    created = true(op)
    return Written(created, None if created else value(op))


def items(op: int) -> List[Item]:
    found = []
    for place in range(lib.unum_op_count(op)):
        item = lib.unum_op_item(op, place).contents
        found.append(Item(take_str(item.name), ITEM_KINDS.get(item.kind, item.kind), item.bytes, item.modified_ns))
    return found


def fan_ins(op: int) -> List[FanInState]:
    states = []
    for place in range(lib.unum_op_count(op)):
        state = lib.unum_op_fan_in(op, place).contents
        states.append(FanInState(FanInStatus(state.status), take_str(state.detail)))
    return states


def committed(op: int) -> Committed:
    created = true(op)
    return Committed(created, None if created else value(op), fan_ins(op))


def report(op: int) -> Report:
    given = lib.unum_op_report(op).contents
    return Report(StepStatus(given.status), given.attempt, take_str(given.session), take_str(given.instance),
                  take_str(given.error), _text(given.cause), take(given.result), given.result_bytes,
                  given.invocations, given.not_before / 1000, bool(given.adopted), bool(given.user_code_ran),
                  _text(given.disagreements).splitlines())


def run_result(op: int) -> RunResult:
    given = lib.unum_op_run_result(op).contents
    result = RunResult(RunStatus(given.status), take_str(given.session), take(given.result), given.instances,
                       given.user_code_runs, [])
    # Only now: asking for a failure overwrites what the pointer above leads to.
    for place in range(lib.unum_op_count(op)):
        failure = lib.unum_op_failure(op, place).contents
        result.failures.append(Failure(take_str(failure.instance), take_str(failure.error), _text(failure.cause)))
    return result


def _text(text: object) -> str:
    return take_bytes(text).decode("utf-8", "replace")
