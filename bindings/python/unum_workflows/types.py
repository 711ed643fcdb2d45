"""What calls take and give: plain values."""

from __future__ import annotations

import dataclasses
import enum
import json
import time
import uuid
from typing import Any, Callable, List, NamedTuple, Optional, Sequence

__all__ = ["Committed", "Context", "Failure", "FanIn", "FanInState", "FanInStatus", "Finding", "Handler", "Identity",
           "Invocation", "Invoker", "Item", "ItemKind", "RawJson", "Report", "RunResult", "RunStatus", "StepStatus",
           "StoreOptions", "Written"]


class ItemKind(enum.IntEnum):
    """Kinds of items; session, name and kind are an item's key."""

    OUTCOME = 0
    """An instance's result or caught failure."""
    REPORT = 1
    """A failure that was not caught."""
    INPUT = 2
    """What the session was begun with."""
    CLAIM = 3
    """Who invokes an aggregator."""
    WANTED = 4
    """A fan-in that was requested, and its list."""
    GARBAGE = 5
    """What delivering an instance again needs."""
    APPLICATION = 6
    """The application that the session belongs to."""
    DELAYED = 7
    """The next attempt of a failed step."""
    INVOKED = 8
    """Who invoked an aggregator, once that is accepted."""


@dataclasses.dataclass(frozen=True)
class StoreOptions:
    """How a store is opened; all of it has a default. Times are seconds."""

    durable: bool = True
    """False: `fs` does not wait for the disk."""
    eventual_reads: bool = False
    """True: reads may miss what was just written, and are repeated then."""
    in_flight_max: int = 0
    """Values in flight while many are read; 0: 64."""
    request_timeout: float = 0
    """A request that takes longer is lost, and repeated; 0: 30 s."""
    patience: float = 0
    """How long a call goes on while the store is unreachable; 0: 60 s."""
    warn: Optional[Callable[[str], None]] = None
    """Called with a line for each setting of the server that puts values at risk."""
    waiting: Optional[Callable[[str], None]] = None
    """Called with a line every few seconds while a call waits for the store."""


class Written(NamedTuple):
    """What became of a value that was to be created. True if it was."""

    created: bool
    existing: Optional[bytes]
    """The value that is there already, unless it was created."""

    def __bool__(self) -> bool:
        return self.created


@dataclasses.dataclass(frozen=True)
class Item:
    """One item of a session."""

    name: str
    kind: int
    """An `ItemKind`."""
    bytes: int
    modified_ns: int
    """Nanoseconds since 1970, by the store's clock."""


@dataclasses.dataclass(frozen=True)
class FanIn:
    """A fan-in that an instance takes part in: when all of `instances` have results, one of them gets
    `FanInStatus.CLAIMED`, and must invoke the aggregator. All contributors give the same list in the same order."""

    aggregator: str
    instances: Sequence[str]


class FanInStatus(enum.IntEnum):
    """How a fan-in stands."""

    INCOMPLETE = 0
    """A result is missing; its instance will find the set complete."""
    CLAIMED = 1
    """Complete, and the caller's to go on from."""
    TAKEN = 2
    """Complete, and another instance's: `detail`."""
    MISMATCH = 3
    """Another instance has another list: `detail`."""


class FanInState(NamedTuple):
    """What an instance that joined a fan-in is told."""

    status: FanInStatus
    detail: str


class Committed(NamedTuple):
    """What became of a commit. True if the value was created."""

    created: bool
    existing: Optional[bytes]
    fan_ins: List[FanInState]
    """In the order of the call; none if another value is there already."""

    def __bool__(self) -> bool:
        return self.created


class Identity(NamedTuple):
    """Whom a payload is for."""

    session: str
    instance: str


@dataclasses.dataclass(frozen=True)
class Invocation:
    """What a runtime asks its platform to deliver."""

    function: str
    instance: str
    origin: str
    """Duplicates of one invocation have the same."""
    payload: bytes
    """What `Runtime.step` takes."""
    attempt: int
    """Of the function's `Retry`, from 1; it stands in the payload, too."""
    not_before: float
    """The delivery must not begin before this point of time (seconds since 1970); 0: at once."""


class Context:
    """The second argument of a handler: the fields that it has in a worker of `unum run`, and its input as it came."""

    def __init__(self, function: str, instance: str, session: str, input: bytes, traceparent: str, attempt: int,
                 timeout_ms: int) -> None:
        self.function_name = function
        self.unum_instance = instance
        self.unum_session = session
        self.unum_traceparent = traceparent
        """W3C trace context; may be empty."""
        self.unum_attempt = attempt
        """From 1; above 1 if the code may have run for this step before."""
        self.input = input
        """The event as JSON."""
        self._deadline = time.monotonic() + timeout_ms / 1000 if timeout_ms > 0 else None

    @property
    def aws_request_id(self) -> str:
        """The same for every delivery of one instance, so that it can serve as an idempotency key."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.unum_session}/{self.unum_instance}"))

    def get_remaining_time_in_millis(self) -> Optional[int]:
        """What is left of the function's `TimeoutSeconds`; None if it has none."""
        if self._deadline is None:
            return None
        return max(0, int(1000 * (self._deadline - time.monotonic())))


class RawJson(bytes):
    """The result of a handler that is JSON already."""


Handler = Callable[[Any, Context], Any]
"""A function's user code: it gets the event, decoded, and returns what JSON can hold, or `RawJson`. It may return a
`concurrent.futures.Future` of that to answer later; with `unum_workflows.aio` also any awaitable, so it may be an
`async def`. An exception is the failure of the call, under the name of its class; `Lost` says that the code did not
end by itself."""

Invoker = Callable[[Invocation], Any]
"""A platform: once it has returned (or the future or awaitable that it returned is done) the invocation must be safe.
An `Error` refuses it with the error's kind, another exception with `Kind.DISCONNECTED`: it is delivered again."""


class StepStatus(enum.IntEnum):
    """How a step ended."""

    SUCCEEDED = 1
    """It has a result, and its edges were followed."""
    CAUGHT = 2
    """It failed, and its edge for errors was followed."""
    FAILED = 3
    """It failed; a report was written to the session."""
    WILL_RETRY = 4
    """It failed, and the platform accepted another attempt."""


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of a step: acknowledge the delivery."""

    status: StepStatus
    attempt: int
    """Of the function's `Retry`, from 1."""
    session: str
    instance: str
    error: str
    """Of a step that failed: its name; `cause` has its message and traceback."""
    cause: str
    result: Optional[bytes]
    """JSON, if it invoked nothing, and no fan-in is known to need it."""
    result_bytes: int
    invocations: int
    """Instances that this step invoked."""
    not_before: float
    """If it will be retried: when (seconds since 1970)."""
    adopted: bool
    """The outcome is another delivery's."""
    user_code_ran: bool
    disagreements: List[str]
    """Contributors of a fan-in with different lists; the run as a whole has failed then."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check of an application has to say."""

    severity: str
    rule: str
    file: str
    line: int
    message: str


class RunStatus(enum.IntEnum):
    """How a run of an application ended."""

    SUCCEEDED = 1
    FAILED = 2
    """See the failures; it can be resumed once they are mended."""
    INTERRUPTED = 3
    """The op was cancelled."""
    TIMED_OUT = 4


@dataclasses.dataclass(frozen=True)
class Failure:
    """A failure of a run that was not caught."""

    instance: str
    """Empty: of the run as a whole."""
    error: str
    cause: str


@dataclasses.dataclass(frozen=True)
class RunResult:
    """How a run of an application ended. A workflow that fails is a result, too."""

    status: RunStatus
    session: str
    result: Optional[bytes]
    """JSON, if it succeeded."""
    instances: int
    user_code_runs: int
    failures: List[Failure]
    """Sorted by instance."""

    def value(self) -> Any:
        """The result, decoded; None if there is none."""
        return None if self.result is None else json.loads(self.result)
