"""Begins ops and makes handles: what both faces call. Every method here returns at once."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import warnings
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from . import _give as give
from ._engine import Engine, Op, Stream, close_store_soon, to_ms
from ._library import (OK, SESSION_BYTES, CodeStruct, ConfigurationStruct, ContextOut, ContextStruct,
                       FunctionCodeStruct, RunOptions, RuntimeOptions,
                       StoreOptionsStruct, Text, TextOut, check, last_error, lib, new_handle, take, take_bytes,
                       take_str, text_in)
from ._names import FanIns, Names
from .errors import Bug, Invalid
from .types import (Committed, FanIn, FanInState, Finding, Handler, Identity, Invoker, Item, Report, RunResult,
                    StoreOptions, Written)

Timeout = Optional[float]


class Freed:
    """A handle that is freed when the last who uses it is gone."""

    def __init__(self, engine: Engine, handle: int, free: Any) -> None:
        self.engine = engine
        self.handle = handle
        self._free = free

    def close(self) -> None:
        """Frees it."""
        self.engine.ready()
        handle, self.handle = self.handle, 0
        if handle:
            check(self._free(handle))

    def __del__(self) -> None:
        handle, self.handle = getattr(self, "handle", 0), 0
        if handle and self.engine.handle:
            self.engine.discard(self._free, handle)


class FunctionHandle(Freed):
    """A function's configuration."""

    def __init__(self, engine: Engine, handle: int) -> None:
        super().__init__(engine, handle, lib.unum_function_free)
        self.name = take_str(lib.unum_function_name(handle))

    def configuration(self) -> bytes:
        """Its configuration as JSON, linked if it is of an application: what a deployment of it alone needs."""
        self.engine.ready()
        text = take(lib.unum_function_configuration(self.handle))
        if text is None:
            raise last_error()
        return text

    def identify(self, payload: Text) -> Identity:
        """The session and the instance that a payload to this function is for."""
        self.engine.ready()
        context = ContextOut()
        check(lib.unum_identify_payload(self.handle, text_in(payload), ctypes.byref(context)))
        return Identity(take_str(context.session), take_str(context.instance))


def fits(number: int, bits: int, what: str) -> int:
    """ctypes would cut off what is too large."""
    if not 0 <= number < 1 << bits:
        raise ValueError(f"{what}: {number} is not in 0 .. 2^{bits} - 1")
    return number


def _json_text(configuration: Any) -> Text:
    return json.dumps(configuration) if isinstance(configuration, dict) else configuration


def parse_function(engine: Engine, configuration: Any, source: str) -> FunctionHandle:
    engine.ready()
    status, handle = new_handle(lib.unum_function_parse, engine.handle, text_in(_json_text(configuration)),
                                text_in(source))
    check(status)
    return FunctionHandle(engine, handle)


def entry_payload(engine: Engine, data: Text, session: Text) -> bytes:
    engine.ready()
    payload = TextOut()
    check(lib.unum_entry_payload(engine.handle, text_in(data), text_in(session), ctypes.byref(payload)))
    return take_bytes(payload)


# --- Stores -----------------------------------------------------------------------------------------------------------

def _store_options(engine: Engine, options: Optional[StoreOptions], number: int) -> Optional[StoreOptionsStruct]:
    """`number` is the one that its listeners will be found by."""
    if options is None:
        return None
    struct = StoreOptionsStruct(struct_bytes=ctypes.sizeof(StoreOptionsStruct))
    struct.not_durable = not options.durable
    struct.eventual_reads = options.eventual_reads
    struct.in_flight_max = fits(options.in_flight_max, 32, "in_flight_max")
    struct.request_timeout_ms = to_ms(options.request_timeout) if options.request_timeout else 0
    struct.patience_ms = to_ms(options.patience) if options.patience else 0
    if options.warn is not None:
        engine.listen(number, "warn", options.warn)
        struct.warn = engine.on_warn
    if options.waiting is not None:
        engine.listen(number, "waiting", options.waiting)
        struct.waiting = engine.on_waiting
    struct.user = number
    return struct


def _context(session: Text, instance: Text) -> ContextStruct:
    return ContextStruct(text_in(session), text_in(instance))


class BeginLoop:
    """Ops of a loop, begun and not waited for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create_store(self, type: str, name: str, timeout: Timeout = None) -> Op[bool]:
        self._engine.ready()
        call = partial(lib.unum_store_create, self._engine.handle, text_in(type), text_in(name))
        return self._engine.begin(call, give.true, timeout)

    def open_store(self, type: str, name: str, options: Optional[StoreOptions] = None,
                   timeout: Timeout = None) -> "Op[StoreHandle]":
        self._engine.ready()
        engine, number, opened = self._engine, next(self._engine.ids), [False]
        struct = _store_options(engine, options, number)
        pointer = None if struct is None else ctypes.byref(struct)

        def finish(op: int) -> StoreHandle:
            opened[0] = True
            return StoreHandle(engine, lib.unum_op_store(op), number)

        def forget() -> None:
            if not opened[0]:
                engine.forget_listeners(number)

        call = partial(lib.unum_store_open, engine.handle, text_in(type), text_in(name), pointer)
        return engine.begin(call, finish, timeout, forget=forget)


class BeginStore:
    """Ops of a store, begun and not waited for: those that are begun before one is waited for run at the same time.
    The methods are those of the store, and return an `Op` each."""

    def __init__(self, store: "StoreHandle") -> None:
        self._store = store

    def _begin(self, call: Any, finish: Callable[[int], Any], timeout: Timeout,
               forget: Optional[Callable[[], Optional[BaseException]]] = None) -> Op[Any]:
        return self._store.engine.begin(call, finish, timeout, self._store, False, forget)

    def write_return_value(self, session: Text, instance: Text, value: Text, timeout: Timeout = None) -> Op[Written]:
        call = partial(lib.unum_write_return_value, self._store.handle, _context(session, instance), text_in(value))
        return self._begin(call, give.written, timeout)

    def read_input(self, session: Text, instances: Sequence[Text], timeout: Timeout = None) -> Op[List[bytes]]:
        names = Names(instances)
        call = partial(lib.unum_read_input, self._store.handle, text_in(session), names.pointer, names.count)
        return self._begin(call, give.values, timeout)

    def check_value_exist(self, session: Text, instance: Text, timeout: Timeout = None) -> Op[bool]:
        call = partial(lib.unum_check_value_exist, self._store.handle, text_in(session), text_in(instance))
        return self._begin(call, give.true, timeout)

    def check_values_exist(self, session: Text, instances: Sequence[Text], timeout: Timeout = None) -> Op[bool]:
        names = Names(instances)
        call = partial(lib.unum_check_values_exist, self._store.handle, text_in(session), names.pointer, names.count)
        return self._begin(call, give.true, timeout)

    def read_input_stream(self, session: Text, instances: Sequence[Text], consume: Callable[[int, bytes], None],
                          timeout: Timeout = None) -> Op[None]:
        engine = self._store.engine
        engine.calls_python = True
        names, number, stream = Names(instances), next(engine.ids), Stream(consume)

        def forget() -> Optional[BaseException]:
            engine.streams.pop(number, None)
            return stream.error

        call = partial(lib.unum_read_input_stream, self._store.handle, text_in(session), names.pointer, names.count,
                       engine.on_value, number)
        engine.streams[number] = stream
        return self._begin(call, give.nothing, timeout, forget)

    def get(self, session: Text, name: Text, kind: int = 0, timeout: Timeout = None) -> Op[Optional[bytes]]:
        call = partial(lib.unum_store_get, self._store.handle, text_in(session), text_in(name), fits(kind, 31, "kind"))
        return self._begin(call, give.value, timeout)

    def get_range(self, session: Text, name: Text, offset: int, size: int, kind: int = 0,
                  timeout: Timeout = None) -> Op[Optional[bytes]]:
        call = partial(lib.unum_store_get_range, self._store.handle, text_in(session), text_in(name),
                       fits(kind, 31, "kind"), fits(offset, 64, "offset"), fits(size, 64, "size"))
        return self._begin(call, give.value, timeout)

    def create_item(self, session: Text, name: Text, value: Text, kind: int = 0,
                    timeout: Timeout = None) -> Op[Written]:
        call = partial(lib.unum_store_create_item, self._store.handle, text_in(session), text_in(name),
                       fits(kind, 31, "kind"), text_in(value))
        return self._begin(call, give.written, timeout)

    def put(self, session: Text, name: Text, value: Text, kind: int = 0, timeout: Timeout = None) -> Op[None]:
        call = partial(lib.unum_store_put, self._store.handle, text_in(session), text_in(name),
                       fits(kind, 31, "kind"), text_in(value))
        return self._begin(call, give.nothing, timeout)

    def remove(self, session: Text, name: Text, kind: int = 0, timeout: Timeout = None) -> Op[None]:
        call = partial(lib.unum_store_remove, self._store.handle, text_in(session), text_in(name),
                       fits(kind, 31, "kind"))
        return self._begin(call, give.nothing, timeout)

    def list(self, session: Text, timeout: Timeout = None) -> Op[List[Item]]:
        call = partial(lib.unum_store_list, self._store.handle, text_in(session))
        return self._begin(call, give.items, timeout)

    def list_sessions(self, timeout: Timeout = None) -> Op[List[str]]:
        return self._begin(partial(lib.unum_store_list_sessions, self._store.handle), give.names, timeout)

    def commit(self, session: Text, instance: Text, value: Text, fan_ins: Sequence[FanIn] = (),
               timeout: Timeout = None) -> Op[Committed]:
        given = FanIns(fan_ins)
        call = partial(lib.unum_store_commit, self._store.handle, _context(session, instance), text_in(value),
                       given.array, given.count)
        return self._begin(call, give.committed, timeout)

    def join(self, session: Text, instance: Text, fan_ins: Sequence[FanIn],
             timeout: Timeout = None) -> Op[List[FanInState]]:
        given = FanIns(fan_ins)
        call = partial(lib.unum_store_join, self._store.handle, _context(session, instance), given.array, given.count)
        return self._begin(call, give.fan_ins, timeout)

    def close(self, timeout: Timeout = None) -> Op[None]:
        self._store.engine.ready()
        op: Op[None] = self._store.engine.begin(partial(lib.unum_store_close, self._store.handle), give.nothing,
                                                timeout)
        self._store.handle = 0
        return op


class StoreHandle:
    """An open store."""

    def __init__(self, engine: Engine, handle: int, number: int) -> None:
        self.engine = engine
        self.handle = handle
        self._number = number
        self.type = take_str(lib.unum_store_type(handle))
        self.name = take_str(lib.unum_store_name(handle))

    def create_session_context(self) -> str:
        self.engine.ready()
        buffer = ctypes.create_string_buffer(SESSION_BYTES)
        check(lib.unum_create_session_context(self.handle, buffer))
        return buffer.raw.decode()

    def __del__(self) -> None:
        handle, self.handle = getattr(self, "handle", 0), 0
        self.engine.forget_listeners(self._number)
        if handle and self.engine.handle:
            close_store_soon(self.engine, handle)
            if not sys.is_finalizing():
                warnings.warn(f"the store {self.type}:{self.name} was not closed", ResourceWarning, source=self)


# --- Runtimes ---------------------------------------------------------------------------------------------------------

class RuntimeHandle(Freed):
    """A runtime on a store."""

    def __init__(self, store: StoreHandle, invoke: Invoker, payload_bytes_max: int, delay_max: float,
                 invocations_in_flight: int, collects_garbage: bool,
                 application: "Optional[ApplicationHandle]", keeps_every_delivery: bool) -> None:
        if not callable(invoke):
            raise TypeError("a runtime needs a function that delivers invocations")
        engine = store.engine
        engine.ready()
        self._number = next(engine.ids)
        options = RuntimeOptions(ctypes.sizeof(RuntimeOptions), engine.on_invocation, self._number,
                                 fits(payload_bytes_max, 64, "payload_bytes_max"),
                                 to_ms(delay_max) if delay_max else 0,
                                 fits(invocations_in_flight, 32, "invocations_in_flight"), collects_garbage,
                                 None if application is None else application.handle, keeps_every_delivery)
        status, handle = new_handle(lib.unum_runtime_new, store.handle, ctypes.byref(options))
        check(status)
        super().__init__(engine, handle, lib.unum_runtime_free)
        self._kept = (store, application)
        engine.invokers[self._number] = invoke
        engine.serve_calls()

    def __del__(self) -> None:
        # Steps that are under way keep this object: nothing will be invoked any more.
        if getattr(self, "engine", None) is not None:
            self.engine.invokers.pop(self._number, None)
            super().__del__()


class BeginRuntime:
    """Steps, begun and not waited for."""

    def __init__(self, runtime: RuntimeHandle) -> None:
        self._runtime = runtime

    def step(self, function: FunctionHandle, payload: Text, handler: Handler, attempt: int = 1,
             timeout: Timeout = None) -> Op[Report]:
        if not callable(handler):
            raise TypeError("a step needs a function that is its user code")
        engine = self._runtime.engine
        number = next(engine.ids)
        code = CodeStruct(ctypes.sizeof(CodeStruct), engine.on_call, engine.on_cancel, number)
        call = partial(lib.unum_runtime_step, self._runtime.handle, function.handle, text_in(payload),
                       fits(attempt, 31, "attempt"),
                       ctypes.byref(code))
        engine.codes[number] = handler
        return engine.begin(call, give.report, timeout, self._runtime, True, lambda: _forget(engine.codes, number))

    def give_up(self, function: FunctionHandle, payload: Text, error: str, cause: str, attempt: int = 1,
                timeout: Timeout = None) -> Op[Report]:
        call = partial(lib.unum_runtime_give_up, self._runtime.handle, function.handle, text_in(payload),
                       fits(attempt, 31, "attempt"),
                       text_in(error), text_in(cause))
        return self._runtime.engine.begin(call, give.report, timeout, self._runtime, True)


def _forget(numbers: Dict[int, Any], number: int) -> None:
    numbers.pop(number, None)


# --- Applications -----------------------------------------------------------------------------------------------------

class Refused(Invalid):
    """An application that the check refuses: `findings` say why."""

    findings: List[Finding] = []


class ApplicationHandle(Freed):
    """An application that was checked."""

    def __init__(self, engine: Engine, handle: int) -> None:
        super().__init__(engine, handle, lib.unum_application_free)
        self.findings = [Finding(**finding) for finding in
                         json.loads(take_bytes(lib.unum_application_findings(handle)) or b"[]")]
        self.name = take_str(lib.unum_application_name(handle))
        self.entry = take_str(lib.unum_application_entry(handle))

    def functions(self) -> Dict[str, FunctionHandle]:
        self.engine.ready()
        found = {}
        for place in range(lib.unum_application_function_count(self.handle)):
            status, handle = new_handle(lib.unum_application_function, self.handle, place)
            check(status)
            function = FunctionHandle(self.engine, handle)
            found[function.name] = function
        return found


def load_application(engine: Engine, directory: Any) -> ApplicationHandle:
    engine.ready()
    return _checked(engine, *new_handle(lib.unum_application_load, engine.handle, text_in(os.fsencode(directory))))


def parse_application(engine: Engine, template: Text, configurations: Mapping[str, Any],
                      directory: Any) -> ApplicationHandle:
    engine.ready()
    structs = (ConfigurationStruct * max(len(configurations), 1))()
    for struct, (name, configuration) in zip(structs, configurations.items()):
        struct.struct_bytes = ctypes.sizeof(ConfigurationStruct)
        struct.function, struct.text = text_in(name), text_in(_json_text(configuration))
    return _checked(engine, *new_handle(
        lib.unum_application_parse, engine.handle, text_in(template), structs, len(configurations),
        text_in(None if directory is None else os.fsencode(directory))))


def _checked(engine: Engine, status: int, handle: int) -> ApplicationHandle:
    if status == OK:
        return ApplicationHandle(engine, handle)
    error = last_error()
    if not handle:
        raise error
    refused = Refused(error.message, code=error.code, origin=error.origin, kind=error.kind, delivery=error.delivery)
    refused.findings = ApplicationHandle(engine, handle).findings
    raise refused


def begin_run(application: ApplicationHandle, data: Optional[Text], session: Optional[Text], store: Optional[Text],
              store_options: Optional[StoreOptions], workers: int, resume: bool, accept_changes: bool,
              printed: Optional[Callable[[str, str], None]], opened: Optional[StoreHandle],
              handlers: Optional[Mapping[str, Handler]], timeout: Timeout) -> Op[RunResult]:
    engine = application.engine
    engine.ready()
    if opened is not None and opened.engine is not engine:
        raise Bug("the store belongs to another loop than the application", code="Unum.OtherLoop")
    options = RunOptions(struct_bytes=ctypes.sizeof(RunOptions))
    options.input, options.session, options.store = text_in(data), text_in(session), text_in(store)
    number = next(engine.ids)
    struct = _store_options(engine, store_options, number)
    if struct is not None:
        options.store_options = ctypes.pointer(struct)
    options.workers, options.resume = fits(workers, 32, "workers"), resume
    options.accept_changes = accept_changes
    if printed is not None:
        engine.listen(number, "printed", printed)
        options.printed, options.user = engine.on_printed, number
    if opened is not None:
        options.opened = opened.handle
    numbers = _set_codes(engine, options, handlers or {})

    def forget() -> None:
        engine.forget_listeners(number)
        for each in numbers:
            engine.codes.pop(each, None)

    call = partial(lib.unum_application_run, application.handle, ctypes.byref(options))
    return engine.begin(call, give.run_result, timeout, (application, opened), bool(numbers), forget)


def _set_codes(engine: Engine, options: RunOptions, handlers: Mapping[str, Handler]) -> List[int]:
    """The numbers under which the handlers are found."""
    numbers = []
    options.codes = structs = (FunctionCodeStruct * max(len(handlers), 1))()
    options.code_count = len(handlers)
    for struct, (name, handler) in zip(structs, handlers.items()):
        if not callable(handler):
            raise TypeError(f"the handler of {name} is no function")
        numbers.append(next(engine.ids))
        code = CodeStruct(ctypes.sizeof(CodeStruct), engine.on_call, engine.on_cancel, numbers[-1])
        struct.struct_bytes, struct.function = ctypes.sizeof(FunctionCodeStruct), text_in(name)
        struct.code = ctypes.pointer(code)
    engine.codes.update(zip(numbers, handlers.values()))
    engine.serve_calls()
    return numbers
