"""The blocking face: functions that wait. Ops that are to run at the same time are begun by `begin`."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, TypeVar

from . import _begin
from ._begin import (ApplicationHandle, BeginLoop, BeginRuntime, BeginStore, FunctionHandle, RuntimeHandle,
                     StoreHandle, Timeout)
from ._engine import Engine, Op
from ._library import OK, PENDING, Text, check, last_error, lib
from ._serving import Server
from .types import (Committed, FanIn, FanInState, Finding, Handler, Invoker, Item, Report, RunResult, StoreOptions,
                    Written)

T = TypeVar("T")
# How long a wait stays in C. Signals end it at once, but one that comes just before the kernel waits, or that another
# thread gets, is seen after this time only.
MAIN_THREAD_MS = 50
OTHER_THREAD_MS = 1000


class BlockingEngine(Engine):
    """Turned by those who wait."""

    def make_server(self) -> Server:
        return Server(self)

    def wait(self, op: Op[Any], timeout: Optional[float]) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        longest = MAIN_THREAD_MS if self.is_main else OTHER_THREAD_MS if self.calls_python else -1
        if op._serves and not op.done():
            self.ready()
            self.serve()
        while not op.done():
            self.ready()
            limit = longest
            if deadline is not None:
                left = int(1000 * (deadline - time.monotonic())) + 1
                if left <= 0:
                    raise TimeoutError(f"the op has not ended after {timeout} s")
                limit = left if longest < 0 else min(left, longest)
            if op._serves:
                self.run(limit)
                self.serve()
            elif self.in_turn(lib.unum_op_wait, op._handle, limit) not in (OK, PENDING) and not op.done():
                raise last_error()
            self.tell_lines()

    def run(self, limit_ms: int) -> bool:
        status = self.in_turn(lib.unum_loop_run, self.handle, limit_ms)
        if status not in (OK, PENDING):
            raise last_error()
        return status == OK


def _finish(op: Op[T]) -> T:
    try:
        return op.wait()
    except BaseException:
        op._drop()
        raise


class Loop:
    """A loop: one thread's, on which everything runs. Close it, or use it as a context manager.

    `backend` is "uring", "epoll" or "automatic": the environment variable UNUM_REACTOR, else io_uring where it is
    allowed."""

    def __init__(self, backend: str = "automatic", helper_threads_max: int = 0) -> None:
        self._engine = BlockingEngine(backend, _begin.fits(helper_threads_max, 32, "helper_threads_max"))
        self._begin = BeginLoop(self._engine)

    def __enter__(self) -> "Loop":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancels what runs, waits until it has ended, and frees everything of the loop."""
        self._engine.close()

    @property
    def backend(self) -> str:
        """"io_uring (...)" or "epoll: why"."""
        self._engine.ready()
        return str(lib.unum_loop_backend(self._engine.handle).decode())

    # --- Turns, for a program with a loop of its own ---

    def fileno(self) -> int:
        """A descriptor that is readable when `dispatch` has work."""
        self._engine.ready()
        return int(lib.unum_loop_fd(self._engine.handle))

    def next_timeout(self) -> Optional[float]:
        """In how many seconds `dispatch` must be called even if the descriptor is not readable; None: never."""
        self._engine.ready()
        ms = lib.unum_loop_timeout_ms(self._engine.handle)
        return None if ms < 0 else ms / 1000

    def dispatch(self) -> None:
        """One turn, which never waits: submits what was begun, ends what has come, runs handlers."""
        self._engine.ready()
        check(self._engine.in_turn(lib.unum_loop_dispatch, self._engine.handle))
        self._engine.serve()

    def run(self, timeout: Optional[float] = None) -> bool:
        """One turn, which waits up to so many seconds for something to happen, and runs handlers. False: the time is
        up, `wake` was called, or a signal was handled."""
        self._engine.ready()
        ran = self._engine.run(-1 if timeout is None else max(0, int(timeout * 1000)))
        self._engine.serve()
        return ran

    def wake(self) -> None:
        """Makes `run` return. May be called on any thread."""
        self._engine.wake()

    # --- What a loop has ---

    def create_store(self, type: str, name: str, timeout: Timeout = None) -> bool:
        """Creates a store unless it exists. True if it was created."""
        return _finish(self._begin.create_store(type, name, timeout))

    def open_store(self, type: str, name: str, options: Optional[StoreOptions] = None,
                   timeout: Timeout = None) -> "Store":
        """Opens a store: "fs" with a directory, "s3" with a bucket, "dynamodb" with a table, "redis" with HOST:PORT or
        a URL, "memory" with any name. Raises `NotFound` if there is none."""
        return Store(_finish(self._begin.open_store(type, name, options, timeout)))

    def parse_function(self, configuration: Any, source: str = "unum_config.json") -> FunctionHandle:
        """Reads a function's configuration: a dict, or the text of `unum_config.json`. `source` names it in errors."""
        return _begin.parse_function(self._engine, configuration, source)

    def entry_payload(self, input: Text, session: Text) -> bytes:
        """The payload that begins a session: `input` is any JSON, or a payload already."""
        return _begin.entry_payload(self._engine, input, session)

    def load_application(self, directory: Any) -> "Application":
        """Reads and checks an application's directory, as `unum check` does. Raises `Refused`, with the findings."""
        return Application(_begin.load_application(self._engine, directory))

    def parse_application(self, template: Text, configurations: Mapping[str, Any],
                          directory: Any = None) -> "Application":
        """The same of an application in memory: the text of `unum-template.yaml`, and each function's configuration (a
        dict or a text). `directory` is where a relative CodeUri or data store begins in a run."""
        return Application(_begin.parse_application(self._engine, template, configurations, directory))


class Store:
    """An open store. Close it, or use it as a context manager.

    Where a call has a `timeout`, it raises `TimedOut` after so many seconds."""

    def __init__(self, handle: StoreHandle) -> None:
        self._handle = handle
        self.begin = BeginStore(handle)
        """The same calls, begun and not waited for."""

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle.handle and self._handle.engine.handle:
            self.close()

    @property
    def type(self) -> str:
        """"fs", "redis", ..."""
        return self._handle.type

    @property
    def name(self) -> str:
        """Its name, without secrets."""
        return self._handle.name

    def close(self, timeout: Timeout = None) -> None:
        """Cancels what the store does and closes its connections."""
        _finish(self.begin.close(timeout))

    def create_session_context(self) -> str:
        """A new session's id. Does no I/O: a session exists once its first value is written."""
        return self._handle.create_session_context()

    def write_return_value(self, session: Text, instance: Text, value: Text, timeout: Timeout = None) -> Written:
        """Creates the result of an instance, unless there is one. Durable when it returns."""
        return _finish(self.begin.write_return_value(session, instance, value, timeout))

    def read_input(self, session: Text, instances: Sequence[Text], timeout: Timeout = None) -> List[bytes]:
        """The values, in the order of the names. Raises `NotFound`, naming them all, if some are missing."""
        return _finish(self.begin.read_input(session, instances, timeout))

    def read_input_stream(self, session: Text, instances: Sequence[Text], consume: Callable[[int, bytes], None],
                          timeout: Timeout = None) -> None:
        """Calls `consume(place, value)` for each value, in order; holds 64 at most. What it raises ends the stream,
        and is raised here. It must not wait for the loop."""
        _finish(self.begin.read_input_stream(session, instances, consume, timeout))

    def check_value_exist(self, session: Text, instance: Text, timeout: Timeout = None) -> bool:
        """True if the value exists."""
        return _finish(self.begin.check_value_exist(session, instance, timeout))

    def check_values_exist(self, session: Text, instances: Sequence[Text], timeout: Timeout = None) -> bool:
        """True if all values exist."""
        return _finish(self.begin.check_values_exist(session, instances, timeout))

    def get(self, session: Text, name: Text, kind: int = 0, timeout: Timeout = None) -> Optional[bytes]:
        """An item (`ItemKind`); None if there is no such item."""
        return _finish(self.begin.get(session, name, kind, timeout))

    def get_range(self, session: Text, name: Text, offset: int, size: int, kind: int = 0,
                  timeout: Timeout = None) -> Optional[bytes]:
        """The same of the bytes from `offset` on, `size` of them at most."""
        return _finish(self.begin.get_range(session, name, offset, size, kind, timeout))

    def create_item(self, session: Text, name: Text, value: Text, kind: int = 0, timeout: Timeout = None) -> Written:
        """Creates an item unless it exists."""
        return _finish(self.begin.create_item(session, name, value, kind, timeout))

    def put(self, session: Text, name: Text, value: Text, kind: int = 0, timeout: Timeout = None) -> None:
        """Writes an item, whether or not it exists."""
        _finish(self.begin.put(session, name, value, kind, timeout))

    def remove(self, session: Text, name: Text, kind: int = 0, timeout: Timeout = None) -> None:
        """Removes an item. It is no error if there is none."""
        _finish(self.begin.remove(session, name, kind, timeout))

    def list(self, session: Text, timeout: Timeout = None) -> List[Item]:
        """The session's items, in no order."""
        return _finish(self.begin.list(session, timeout))

    def list_sessions(self, timeout: Timeout = None) -> List[str]:
        """The ids of the store's sessions, in no order."""
        return _finish(self.begin.list_sessions(timeout))

    def commit(self, session: Text, instance: Text, value: Text, fan_ins: Sequence[FanIn] = (),
               timeout: Timeout = None) -> Committed:
        """Writes the result of an instance and joins its fan-ins, in as few round trips as the store can."""
        return _finish(self.begin.commit(session, instance, value, fan_ins, timeout))

    def join(self, session: Text, instance: Text, fan_ins: Sequence[FanIn],
             timeout: Timeout = None) -> List[FanInState]:
        """Joins fan-ins for a result that is stored already."""
        return _finish(self.begin.join(session, instance, fan_ins, timeout))

    def runtime(self, invoke: Invoker, *, payload_bytes_max: int = 0, delay_max: float = 0,
                invocations_in_flight: int = 0, collects_garbage: bool = False,
                application: "Optional[Application]" = None, keeps_every_delivery: bool = False) -> "Runtime":
        """A runtime on this store, whose platform is `invoke`.

        Results larger than `payload_bytes_max` go by reference (0: no limit). `delay_max`: the longest delay that the
        platform keeps, in seconds (0: none). `invocations_in_flight`: of one step, at once (0: 64).
        `collects_garbage`: sessions that begin here are collected. Sessions of another application are refused.
        `keeps_every_delivery`: the platform delivers each delivery that began again until it has ended itself, also
        where another one of the same invocation was acknowledged; otherwise a fan-in stores an item more."""
        return Runtime(RuntimeHandle(self._handle, invoke, payload_bytes_max, delay_max, invocations_in_flight,
                                     collects_garbage, None if application is None else application._handle,
                                     keeps_every_delivery))


class Runtime:
    """Processes deliveries on a store. Its handlers run on the loop's thread, while a step (or `Loop.run`) is waited
    for; they may wait themselves."""

    def __init__(self, handle: RuntimeHandle) -> None:
        self._handle = handle
        self.begin = BeginRuntime(handle)
        """The same calls, begun and not waited for."""

    def step(self, function: FunctionHandle, payload: Text, handler: Handler, attempt: int = 1,
             timeout: Timeout = None) -> Report:
        """Processes delivery number `attempt` (from 1) of a payload to a function. Acknowledge the delivery if it
        returns; an `Error`'s `delivery` says what becomes of it otherwise."""
        return _finish(self.begin.step(function, payload, handler, attempt, timeout))

    def give_up(self, function: FunctionHandle, payload: Text, error: str, cause: str, attempt: int = 1,
                timeout: Timeout = None) -> Report:
        """Ends a step whose deliveries all ended in `Delivery.BOUNDED` errors: the failure goes to the edge for
        errors, or is reported in the session."""
        return _finish(self.begin.give_up(function, payload, error, cause, attempt, timeout))

    def close(self) -> None:
        """Frees it; its steps go on to their end."""
        self._handle.close()


class Application:
    """An application that was checked."""

    def __init__(self, handle: ApplicationHandle) -> None:
        self._handle = handle

    @property
    def name(self) -> str:
        """As its template has it."""
        return self._handle.name

    @property
    def entry(self) -> str:
        """The function that it begins with."""
        return self._handle.entry

    @property
    def findings(self) -> List[Finding]:
        """What the check has to say, sorted by file and line."""
        return self._handle.findings

    def functions(self) -> Dict[str, FunctionHandle]:
        """Its functions by name, linked: with what depends on the other functions' edges."""
        return self._handle.functions()

    def run(self, input: Optional[Text] = None, *, session: Optional[Text] = None, store: Optional[Text] = None,
            store_options: Optional[StoreOptions] = None, workers: int = 0, resume: bool = False,
            accept_changes: bool = False, printed: Optional[Callable[[str, str], None]] = None,
            opened: Optional[Store] = None, handlers: Optional[Mapping[str, Handler]] = None,
            timeout: Timeout = None) -> RunResult:
        """Runs it in one session to its end, as `unum run` does. Its functions run in worker
        processes, but for those that have a handler in `handlers`.

        `input` is any JSON, or a payload; `store` TYPE:NAME, or `opened` one that is open. `resume` goes on with
        `session`, `accept_changes` also if functions have changed since. `printed(instance, line)` gets what user code
        prints. A workflow that fails is a result."""
        return _finish(self.begin_run(input, session=session, store=store, store_options=store_options,
                                      workers=workers, resume=resume, accept_changes=accept_changes, printed=printed,
                                      opened=opened, handlers=handlers, timeout=timeout))

    def begin_run(self, input: Optional[Text] = None, *, session: Optional[Text] = None,
                  store: Optional[Text] = None, store_options: Optional[StoreOptions] = None, workers: int = 0,
                  resume: bool = False, accept_changes: bool = False,
                  printed: Optional[Callable[[str, str], None]] = None, opened: Optional[Store] = None,
                  handlers: Optional[Mapping[str, Handler]] = None, timeout: Timeout = None) -> Op[RunResult]:
        """The same, begun and not waited for."""
        return _begin.begin_run(self._handle, input, session, store, store_options, workers, resume, accept_changes,
                                printed, None if opened is None else opened._handle, handlers, timeout)

    def close(self) -> None:
        """Frees it; runs of it go on."""
        self._handle.close()
