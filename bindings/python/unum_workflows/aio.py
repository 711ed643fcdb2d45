"""The asyncio face: the same as the blocking one, with coroutines, on the running event loop.

Cancelling a task cancels the op that it awaits. Handlers and platforms may be `async def`.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from . import _begin
from ._begin import (ApplicationHandle, BeginLoop, BeginRuntime, BeginStore, FunctionHandle, RuntimeHandle,
                     StoreHandle, Timeout)
from ._engine import Engine, Op
from ._library import Start, Text, check, lib
from ._serving import Server
from .errors import Cancelled, Kind
from .types import (Committed, FanIn, FanInState, Finding, Handler, Invoker, Item, Report, RunResult, StoreOptions,
                    Written)

__all__ = ["Application", "Loop", "Runtime", "Store"]


class AsyncServer(Server):
    """Runs handlers that are coroutines as tasks."""

    def answer_awaitable(self, result: Any, answer: Callable[[Callable[[], Any]], None], handle: int) -> None:
        task = asyncio.ensure_future(result)
        self.waiting[handle] = task
        task.add_done_callback(lambda ended: self.answer_late(answer, ended.result))


class AsyncEngine(Engine):
    """Turned by asyncio: when the loop's descriptor is readable, when its time has come, and after ops were begun."""

    def __init__(self, backend: str, helper_threads: int) -> None:
        self.aio = asyncio.get_running_loop()
        self.ops: Dict[int, Op[Any]] = {}
        self.is_due = False
        self.timer: Optional[asyncio.TimerHandle] = None
        super().__init__(backend, helper_threads)
        self.start = Start(ctypes.sizeof(Start), 0, self.on_ended, None)
        self.begin_with = ctypes.byref(self.start)
        self.fd = int(lib.unum_loop_fd(self.handle))
        self.aio.add_reader(self.fd, self.turn)
        self.begun()

    def make_server(self) -> Server:
        return AsyncServer(self)

    def begun(self, op: Optional[Op[Any]] = None) -> None:
        if op is not None:
            self.ops[op._handle] = op
        if not self.is_due:
            self.is_due = True
            self.aio.call_soon(self.turn)

    def wake(self) -> None:
        try:
            self.aio.call_soon_threadsafe(self.turn)
        except RuntimeError:  # the event loop was closed
            pass

    async def wait_async(self, op: Op[Any]) -> None:
        waiter = self.aio.create_future()
        op._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            op.cancel()
            raise

    def turn(self) -> None:
        self.is_due = False
        if not self.handle:
            return
        try:
            check(self.in_turn(lib.unum_loop_dispatch, self.handle))
            self.serve()
        finally:
            if self.handle:
                self.end_ops()
                self.rearm()

    def end_ops(self) -> None:
        for handle in list(self.ended):
            del self.ended[handle]
            op = self.ops.pop(handle, None)
            if op is not None and op.done():
                _wake_all(op)

    def rearm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        ms = lib.unum_loop_timeout_ms(self.handle)
        if ms == 0:
            self.begun()
        elif ms > 0:
            self.timer = self.aio.call_later(min(ms / 1000, 86400.0), self.turn)

    def tell_lines(self) -> None:
        try:
            super().tell_lines()
        except Exception as error:  # pylint: disable=broad-except
            self.aio.call_exception_handler({"message": "a listener of unum_workflows failed", "exception": error})

    def close(self) -> None:
        if not self.handle:
            return
        self.check_thread()
        if not self.aio.is_closed():
            self.aio.remove_reader(self.fd)
        if self.timer is not None:
            self.timer.cancel()
        super().close()
        ops, self.ops = self.ops, {}
        for op in ops.values():
            op._error = Cancelled("the loop was closed", code="Unum.Closed", kind=Kind.CANCELLED)
            op._handle = 0
            _wake_all(op)


def _wake_all(op: Op[Any]) -> None:
    waiters, op._waiters = op._waiters, []
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)


class Loop:
    """The library's loop on the running event loop. Close it, or use it as a context manager (`async with`).

    `backend` is "uring", "epoll" or "automatic": the environment variable UNUM_REACTOR, else io_uring where it is
    allowed."""

    def __init__(self, backend: str = "automatic", helper_threads_max: int = 0) -> None:
        self._engine = AsyncEngine(backend, _begin.fits(helper_threads_max, 32, "helper_threads_max"))
        self._begin = BeginLoop(self._engine)

    async def __aenter__(self) -> "Loop":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancels what runs, waits until it has ended, and frees everything of the loop. Who awaits an op of it gets
        `Cancelled`."""
        self._engine.close()

    @property
    def backend(self) -> str:
        """"io_uring (...)" or "epoll: why"."""
        self._engine.ready()
        return str(lib.unum_loop_backend(self._engine.handle).decode())

    async def create_store(self, type: str, name: str, timeout: Timeout = None) -> bool:
        """Creates a store unless it exists. True if it was created."""
        return await self._begin.create_store(type, name, timeout)

    async def open_store(self, type: str, name: str, options: Optional[StoreOptions] = None,
                         timeout: Timeout = None) -> "Store":
        """Opens a store: "fs" with a directory, "s3" with a bucket, "dynamodb" with a table, "redis" with HOST:PORT or
        a URL, "memory" with any name. Raises `NotFound` if there is none."""
        return Store(await self._begin.open_store(type, name, options, timeout))

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
    """An open store. Close it, or use it as a context manager (`async with`).

    Where a call has a `timeout`, it raises `TimedOut` after so many seconds."""

    def __init__(self, handle: StoreHandle) -> None:
        self._handle = handle
        self.begin = BeginStore(handle)
        """The same calls, begun and not waited for."""

    async def __aenter__(self) -> "Store":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._handle.handle and self._handle.engine.handle:
            await self.close()

    @property
    def type(self) -> str:
        """"fs", "redis", ..."""
        return self._handle.type

    @property
    def name(self) -> str:
        """Its name, without secrets."""
        return self._handle.name

    async def close(self, timeout: Timeout = None) -> None:
        """Cancels what the store does and closes its connections."""
        await self.begin.close(timeout)

    def create_session_context(self) -> str:
        """A new session's id. Does no I/O: a session exists once its first value is written."""
        return self._handle.create_session_context()

    async def write_return_value(self, session: Text, instance: Text, value: Text, timeout: Timeout = None) -> Written:
        """Creates the result of an instance, unless there is one. Durable when it returns."""
        return await self.begin.write_return_value(session, instance, value, timeout)

    async def read_input(self, session: Text, instances: Sequence[Text], timeout: Timeout = None) -> List[bytes]:
        """The values, in the order of the names. Raises `NotFound`, naming them all, if some are missing."""
        return await self.begin.read_input(session, instances, timeout)

    async def read_input_stream(self, session: Text, instances: Sequence[Text], consume: Callable[[int, bytes], None],
                                timeout: Timeout = None) -> None:
        """Calls `consume(place, value)` for each value, in order; holds 64 at most. What it raises ends the stream,
        and is raised here. It is a plain function."""
        await self.begin.read_input_stream(session, instances, consume, timeout)

    async def check_value_exist(self, session: Text, instance: Text, timeout: Timeout = None) -> bool:
        """True if the value exists."""
        return await self.begin.check_value_exist(session, instance, timeout)

    async def check_values_exist(self, session: Text, instances: Sequence[Text], timeout: Timeout = None) -> bool:
        """True if all values exist."""
        return await self.begin.check_values_exist(session, instances, timeout)

    async def get(self, session: Text, name: Text, kind: int = 0, timeout: Timeout = None) -> Optional[bytes]:
        """An item (`ItemKind`); None if there is no such item."""
        return await self.begin.get(session, name, kind, timeout)

    async def get_range(self, session: Text, name: Text, offset: int, size: int, kind: int = 0,
                        timeout: Timeout = None) -> Optional[bytes]:
        """The same of the bytes from `offset` on, `size` of them at most."""
        return await self.begin.get_range(session, name, offset, size, kind, timeout)

    async def create_item(self, session: Text, name: Text, value: Text, kind: int = 0,
                          timeout: Timeout = None) -> Written:
        """Creates an item unless it exists."""
        return await self.begin.create_item(session, name, value, kind, timeout)

    async def put(self, session: Text, name: Text, value: Text, kind: int = 0, timeout: Timeout = None) -> None:
        """Writes an item, whether or not it exists."""
        await self.begin.put(session, name, value, kind, timeout)

    async def remove(self, session: Text, name: Text, kind: int = 0, timeout: Timeout = None) -> None:
        """Removes an item. It is no error if there is none."""
        await self.begin.remove(session, name, kind, timeout)

    async def list(self, session: Text, timeout: Timeout = None) -> List[Item]:
        """The session's items, in no order."""
        return await self.begin.list(session, timeout)

    async def list_sessions(self, timeout: Timeout = None) -> List[str]:
        """The ids of the store's sessions, in no order."""
        return await self.begin.list_sessions(timeout)

    async def commit(self, session: Text, instance: Text, value: Text, fan_ins: Sequence[FanIn] = (),
                     timeout: Timeout = None) -> Committed:
        """Writes the result of an instance and joins its fan-ins, in as few round trips as the store can."""
        return await self.begin.commit(session, instance, value, fan_ins, timeout)

    async def join(self, session: Text, instance: Text, fan_ins: Sequence[FanIn],
                   timeout: Timeout = None) -> List[FanInState]:
        """Joins fan-ins for a result that is stored already."""
        return await self.begin.join(session, instance, fan_ins, timeout)

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
    """Processes deliveries on a store. Its handlers run on the event loop: as tasks, if they are coroutines."""

    def __init__(self, handle: RuntimeHandle) -> None:
        self._handle = handle
        self.begin = BeginRuntime(handle)
        """The same calls, begun and not waited for."""

    async def step(self, function: FunctionHandle, payload: Text, handler: Handler, attempt: int = 1,
                   timeout: Timeout = None) -> Report:
        """Processes delivery number `attempt` (from 1) of a payload to a function. Acknowledge the delivery if it
        returns; an `Error`'s `delivery` says what becomes of it otherwise."""
        return await self.begin.step(function, payload, handler, attempt, timeout)

    async def give_up(self, function: FunctionHandle, payload: Text, error: str, cause: str, attempt: int = 1,
                      timeout: Timeout = None) -> Report:
        """Ends a step whose deliveries all ended in `Delivery.BOUNDED` errors: the failure goes to the edge for
        errors, or is reported in the session."""
        return await self.begin.give_up(function, payload, error, cause, attempt, timeout)

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

    async def run(self, input: Optional[Text] = None, *, session: Optional[Text] = None, store: Optional[Text] = None,
                  store_options: Optional[StoreOptions] = None, workers: int = 0, resume: bool = False,
                  accept_changes: bool = False, printed: Optional[Callable[[str, str], None]] = None,
                  opened: Optional[Store] = None, handlers: Optional[Mapping[str, Handler]] = None,
                  timeout: Timeout = None) -> RunResult:
        """Runs it in one session to its end, as `unum run` does. Its functions run in worker
        processes, but for those that have a handler in `handlers`.

        `input` is any JSON, or a payload; `store` TYPE:NAME, or `opened` one that is open. `resume` goes on with
        `session`, `accept_changes` also if functions have changed since. `printed(instance, line)` gets what user code
        prints. A workflow that fails is a result."""
        return await self.begin_run(input, session=session, store=store, store_options=store_options,
                                      workers=workers, resume=resume, accept_changes=accept_changes, printed=printed,
                                      opened=opened, handlers=handlers, timeout=timeout)

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
