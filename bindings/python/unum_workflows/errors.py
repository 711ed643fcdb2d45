"""What can go wrong: one exception class for each kind of error, which says what the caller can do."""

from __future__ import annotations

import enum
from typing import Any, Dict, Tuple, Type

__all__ = ["Bug", "Cancelled", "Conflict", "Corrupt", "Delivery", "Denied", "Disconnected", "Error", "Exhausted",
           "Invalid", "Kind", "Lost", "NotFound", "Throttled", "TimedOut"]


class Kind(enum.IntEnum):
    """What the caller can do about an error. The numbers never change."""

    NOT_FOUND = 1
    CONFLICT = 2
    INVALID = 3
    DENIED = 4
    THROTTLED = 5
    TIMEOUT = 6
    DISCONNECTED = 7
    CANCELLED = 8
    CORRUPT = 9
    EXHAUSTED = 10
    BUG = 11


class Delivery(enum.IntEnum):
    """What becomes of a delivery whose step ended in an error."""

    FINAL = 1
    """Acknowledge it: another one would fail the same way."""
    AGAIN = 2
    """Do not acknowledge it; deliver it again until the error is gone."""
    BOUNDED = 3
    """The same, up to a limit of the platform's; then `Runtime.give_up`."""


class Error(Exception):
    """An error of the library. Its classes below are the kinds; catch this one for all of them."""

    kind: Kind
    """What the caller can do; a number that this version does not know is `Kind.BUG`."""
    origin: str
    """Where it comes from: "fs", "redis", "ir", "reactor", "capi", ..."""
    code: str
    """Stable, for people and their scripts: "ENOSPC", "Unum.MissingInput", ..."""
    message: str
    """What happened, and what is involved."""
    delivery: Delivery

    def __init__(self, message: str, *, code: str = "", origin: str = "python", kind: Kind = Kind.BUG,
                 delivery: Delivery = Delivery.FINAL) -> None:
        super().__init__(message)
        self.kind = kind
        self.origin = origin
        self.code = code
        self.message = message
        self.delivery = delivery

    def __str__(self) -> str:
        return f"{self.message} [{self.origin}: {self.code}]" if self.code else self.message

    def __reduce__(self) -> Tuple[Any, ...]:
        fields = {"kind": self.kind, "origin": self.origin, "code": self.code, "delivery": self.delivery}
        return type(self), (self.message,), fields


class NotFound(Error, LookupError):
    """What was named does not exist: create it, or correct the name."""


class Conflict(Error):
    """Someone wrote something different: do not retry unchanged."""


class Invalid(Error, ValueError):
    """The input is wrong: correct it."""


class Denied(Error, PermissionError):
    """Not permitted: change credentials or permissions."""


class Throttled(Error):
    """The service asks for fewer requests: retry later."""


class TimedOut(Error, TimeoutError):
    """The time is up; it may or may not have taken effect."""


class Disconnected(Error, ConnectionError):
    """The peer is lost; it may or may not have taken effect."""


class Cancelled(Error):
    """The op was cancelled; it may or may not have taken effect."""


class Corrupt(Error):
    """Stored or received data is damaged."""


class Exhausted(Error):
    """A limit was reached, or disk, memory or descriptors ran out."""


class Bug(Error):
    """The library or its caller broke a rule: a call from another thread, of what was closed, in a callback, ..."""


class Lost(Exception):
    """Raised by a handler: the code did not end by itself (its process died, say). The step is delivered again a
    few times."""


CLASSES: Dict[int, Type[Error]] = {
    Kind.NOT_FOUND: NotFound, Kind.CONFLICT: Conflict, Kind.INVALID: Invalid, Kind.DENIED: Denied,
    Kind.THROTTLED: Throttled, Kind.TIMEOUT: TimedOut, Kind.DISCONNECTED: Disconnected,
    Kind.CANCELLED: Cancelled, Kind.CORRUPT: Corrupt, Kind.EXHAUSTED: Exhausted, Kind.BUG: Bug,
}


def make_error(status: int, message: str, *, code: str = "", origin: str = "python", delivery: int = 0) -> Error:
    """The exception of a status of the C interface."""
    known = status in CLASSES
    say = delivery if delivery in (1, 2, 3) else 1
    return CLASSES[status if known else Kind.BUG](
        message, code=code, origin=origin, kind=Kind(status) if known else Kind.BUG, delivery=Delivery(say))
