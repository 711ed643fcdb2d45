"""The log of the library, for the whole process."""

from __future__ import annotations

import atexit
import dataclasses
import sys
from typing import Any, Callable, Optional

from ._library import LOG, check, lib, take_bytes, take_str, text_in

__all__ = ["LogEvent", "set_log"]


@dataclasses.dataclass(frozen=True)
class LogEvent:
    """One event of the log."""

    level: str
    area: str
    session: str
    instance: str
    line: str


_handler: Optional[Callable[[LogEvent], None]] = None


def _on_log(level: Any, area: Any, session: Any, instance: Any, line: Any, _: Any) -> None:
    handler = _handler
    if handler is None:
        return
    try:
        handler(LogEvent(take_str(level), take_str(area), take_str(session), take_str(instance),
                         take_bytes(line).decode("utf-8", "replace")))
    except Exception as error:  # pylint: disable=broad-except
        print(f"unum_workflows: the log's handler failed: {type(error).__name__}: {error}", file=sys.stderr)


# One for ever: another thread may be in it while the handler is changed.
_callback = LOG(_on_log)


def set_log(levels: Optional[str] = None, handler: Optional[Callable[[LogEvent], None]] = None) -> None:
    """Sets what is logged: "warn", "info,redis=trace", "off", as the environment variable UNUM_LOG has it; None leaves
    it. Events go to `handler`, or to stderr if that is None. It is called on the thread where they occur, one at a
    time, and must not call this package."""
    global _handler  # pylint: disable=global-statement
    before, _handler = _handler, handler
    try:
        check(lib.unum_set_log(text_in(levels), None if handler is None else _callback, None))
    except BaseException:
        _handler = before
        raise


def _end_log() -> None:
    """No thread of the library may call Python once it has ended."""
    if _handler is not None:
        lib.unum_set_log(text_in("off"), None, None)


atexit.register(_end_log)
