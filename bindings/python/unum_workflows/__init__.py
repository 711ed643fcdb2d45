"""unum: serverless workflows without an orchestrator, as a library.

This module waits (`Loop`, `Store`, ...); `unum_workflows.aio` has the same for asyncio.

    import unum_workflows as unum

    with unum.Loop() as loop:
        loop.create_store("fs", "store")
        with loop.open_store("fs", "store") as store:
            session = store.create_session_context()
            store.write_return_value(session, "Greeter", '"hello"')
            print(store.read_input(session, ["Greeter"]))

A loop and all that is on it belong to the thread that made it. Values are bytes, or strings that go as UTF-8.
"""

from ._begin import FunctionHandle as Function
from ._begin import Refused
from ._blocking import Application, Loop, Runtime, Store
from ._engine import Op
from ._library import LIBRARY_PATH, LIBRARY_VERSION
from ._log import LogEvent, set_log
from ._version import __version__
from .errors import (Bug, Cancelled, Conflict, Corrupt, Delivery, Denied, Disconnected, Error, Exhausted, Invalid,
                     Kind, Lost, NotFound, Throttled, TimedOut)
from .types import (Committed, Context, Failure, FanIn, FanInState, FanInStatus, Finding, Handler, Identity,
                    Invocation, Invoker, Item, ItemKind, RawJson, Report, RunResult, RunStatus, StepStatus,
                    StoreOptions, Written)

__all__ = [
    "Application", "Bug", "Cancelled", "Committed", "Conflict", "Context", "Corrupt", "Delivery", "Denied",
    "Disconnected", "Error", "Exhausted", "Failure", "FanIn", "FanInState", "FanInStatus", "Finding", "Function",
    "Handler", "Identity", "Invalid", "Invocation", "Invoker", "Item", "ItemKind", "Kind", "LIBRARY_PATH",
    "LIBRARY_VERSION", "LogEvent", "Loop", "Lost", "NotFound", "Op", "RawJson", "Refused", "Report", "RunResult",
    "RunStatus", "Runtime", "StepStatus", "Store", "StoreOptions", "Throttled", "TimedOut", "Written", "__version__",
    "set_log",
]
