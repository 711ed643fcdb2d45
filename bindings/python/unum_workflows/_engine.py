"""A loop of the library, whichever way it is turned: its ops, and what is queued to run between two turns.

Nothing of the user's runs in a turn but the consumer of a stream and a log's handler. Calls, invocations, lines and
ends of ops are noted in a turn and served after it, outside of C: handlers may wait, raise and close what they like.
"""

from __future__ import annotations

import collections
import ctypes
import itertools
import math
import os
import sys
import threading
import weakref
from typing import Any, Callable, Deque, Dict, Generator, Generic, List, Optional, Tuple, TypeVar

from ._library import (CANCELLED, CONSUME, LINE, OK, PENDING, PRINTED, SINK, LoopOptions, Start, check, error_from,
                       last_error, lib, new_handle, take_bytes)
from .errors import Bug, Error

T = TypeVar("T")
BACKENDS = {"automatic": 0, "uring": 1, "epoll": 2}


def to_ms(seconds: float) -> int:
    """At least 1: 0 is no limit to the library."""
    if math.isnan(seconds):
        raise ValueError("a time is needed, not NaN")
    return max(1, math.ceil(min(seconds, 1e12) * 1000))


class Op(Generic[T]):
    """Something that takes time and was begun. It ends once; then its result stays.

    On a blocking loop `wait()` runs the loop until it has ended; on one of asyncio it is awaited. One that is dropped
    before it has ended is cancelled on a blocking loop, and goes on to its end on one of asyncio."""

    def __init__(self, engine: "Engine", handle: int, finish: Callable[[int], T], serves: bool, keep: Any,
                 forget: Optional[Callable[[], Optional[BaseException]]]) -> None:
        self._engine = engine
        self._handle = handle
        self._finish = finish
        self._serves = serves  # handlers are to be run while it is waited for
        self._keep = keep
        self._forget = forget
        self._value: Optional[T] = None
        self._error: Optional[BaseException] = None
        self._waiters: List[Any] = []

    def done(self) -> bool:
        """True once it has ended."""
        if self._handle:
            self._engine.check_thread()
        if self._handle and lib.unum_op_status(self._handle) != PENDING:
            self._end()
        return not self._handle

    def _end(self) -> None:
        """Takes what it gave, and frees it."""
        handle = self._handle
        try:
            error = lib.unum_op_error(handle)
            if error:
                self._error = error_from(error)
            elif lib.unum_op_status(handle) != OK:
                self._error = last_error()  # its loop was closed
            else:
                self._value = self._finish(handle)
        except BaseException as failed:  # pylint: disable=broad-except
            self._error = failed  # raised by result()
        self._release()

    def _release(self) -> None:
        handle, self._handle = self._handle, 0
        self._keep = None
        forget, self._forget = self._forget, None
        thrown = forget() if forget is not None else None
        if thrown is not None and self._error is not None:
            self._error = thrown
        lib.unum_op_free(handle)

    def result(self) -> T:
        """What it gave, or raises its error. Raises `Bug` if it has not ended."""
        if not self.done():
            raise Bug("the op has not ended", code="Unum.Pending")
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def cancel(self) -> None:
        """Asks it to end early. It still ends by itself, with `Cancelled`, or well, if it was done."""
        if self._handle:
            check(lib.unum_op_cancel(self._handle))
            self._engine.begun()

    def wait(self, timeout: Optional[float] = None) -> T:
        """Runs the loop until it has ended, and gives its result. Raises TimeoutError after so many seconds; then it
        goes on. On a blocking loop only."""
        self._engine.wait(self, timeout)
        return self.result()

    def __await__(self) -> Generator[Any, None, T]:
        if not self.done():
            yield from self._engine.wait_async(self).__await__()
        return self.result()

    def _drop(self) -> None:
        """Cancels it; nobody will ask for it again."""
        if self._handle and self._engine.handle:
            self._error = Error("the op was dropped")
            self._release()
            self._engine.begun()

    def __del__(self) -> None:
        handle = getattr(self, "_handle", 0)
        if handle:
            self._engine.discard(lib.unum_op_free, handle)
            if self._forget is not None:
                self._forget()


class Stream:
    """The consumer of a stream, and what it raised."""

    __slots__ = ("consume", "error")

    def __init__(self, consume: Callable[[int, bytes], None]) -> None:
        self.consume = consume
        self.error: Optional[BaseException] = None


class Engine:
    """What the blocking loop and that of asyncio have in common."""

    begin_with: Any = None  # unum_start of ops without a time limit

    def __init__(self, backend: str, helper_threads: int) -> None:
        self.handle = 0
        if backend not in BACKENDS:
            raise ValueError(f"{backend!r} is no backend; there are {', '.join(BACKENDS)}")
        _threads_loops().free_orphans()
        options = LoopOptions(ctypes.sizeof(LoopOptions), BACKENDS[backend], helper_threads)
        status, handle = new_handle(lib.unum_loop_new, ctypes.byref(options))
        check(status)
        self.handle = handle
        self.thread = threading.get_ident()
        self.is_main = threading.current_thread() is threading.main_thread()
        self.ids = itertools.count(1)
        self.garbage: Deque[Tuple[Any, int]] = collections.deque()
        self.codes: Dict[int, Any] = {}
        self.invokers: Dict[int, Any] = {}
        self.listeners: Dict[Tuple[int, str], Callable[..., None]] = {}
        self.streams: Dict[int, Stream] = {}
        self.lines: Deque[Tuple[Tuple[int, str], Tuple[str, ...]]] = collections.deque()
        self.answers: Deque[Callable[[], None]] = collections.deque()  # made by any thread
        # What turns have noted, in order: handle to the number that the callback was given.
        self.ended: Dict[int, Any] = {}
        self.calls: Dict[int, int] = {}
        self.cancels: Dict[int, int] = {}
        self.invocations: Dict[int, int] = {}
        self.on_ended = SINK(self.ended.__setitem__)
        self.on_call = SINK(self.calls.__setitem__)
        self.on_cancel = SINK(self.cancels.__setitem__)
        self.on_invocation = SINK(self.invocations.__setitem__)
        # These run Python in a turn; see `in_turn`.
        self.calls_python = False
        self.lost: List[BaseException] = []
        weak = weakref.ref(self)
        self.on_warn = LINE(lambda text, user: _note_lines(weak, user, "warn", text))
        self.on_waiting = LINE(lambda text, user: _note_lines(weak, user, "waiting", text))
        self.on_printed = PRINTED(lambda instance, text, user: _note_lines(weak, user, "printed", instance, text))
        self.on_value = CONSUME(lambda place, text, user: _consume(weak, place, text, user))
        self.server: Any = None  # serves calls and invocations; set by those who have some
        _threads_loops().engines.add(self)
        _all_engines.add(self)

    # --- Ops ---

    def begin(self, call: Callable[[Any], Optional[int]], finish: Callable[[int], T], timeout: Optional[float],
              keep: Any = None, serves: bool = False,
              forget: Optional[Callable[[], Optional[BaseException]]] = None) -> Op[T]:
        """Begins an op: `call` is a function of the library that lacks its last argument."""
        self.ready()
        start = self.begin_with
        if timeout is not None:
            done = SINK() if start is None else self.on_ended
            start = ctypes.byref(Start(ctypes.sizeof(Start), to_ms(timeout), done, None))
        handle = call(start)
        if not handle:
            if forget is not None:
                forget()
            raise last_error()
        op: Op[T] = Op(self, handle, finish, serves, keep, forget)
        self.begun(op)
        return op

    def ready(self) -> None:
        """Raises `Bug` if the loop was closed; frees what was dropped."""
        if not self.handle:
            raise Bug("the loop was closed, or belongs to the parent of this process", code="Unum.StaleHandle")
        self.check_thread()
        if self.garbage:
            self.sweep()

    def check_thread(self) -> None:
        if threading.get_ident() != self.thread:
            raise Bug("the loop belongs to another thread; only wake() may be called from here",
                      code="Unum.OtherThread")

    def begun(self, op: Optional[Op[Any]] = None) -> None:
        """Something was begun, asked or answered: a turn is due."""

    def wait(self, op: Op[Any], timeout: Optional[float]) -> None:
        raise Bug("this loop belongs to asyncio: await the op", code="Unum.Async")

    async def wait_async(self, op: Op[Any]) -> None:
        raise Bug("this loop blocks: use op.wait(), or the loop of unum_workflows.aio", code="Unum.Blocking")

    # --- Turns ---

    def in_turn(self, function: Any, *arguments: Any) -> int:
        """Calls what turns the loop. A signal's handler may raise just as a callback of ours begins; ctypes would
        print that and go on, so it is caught on its way there and raised here."""
        if not (self.calls_python and self.is_main):
            return int(function(*arguments))
        before = sys.unraisablehook

        def note(unraisable: Any) -> None:
            if unraisable.exc_value is not None and "ctypes callback" in (unraisable.err_msg or ""):
                self.lost.append(unraisable.exc_value)
            else:
                before(unraisable)

        sys.unraisablehook = note
        try:
            return int(function(*arguments))
        finally:
            sys.unraisablehook = before
            if self.lost:
                raise self.lost.pop()

    def tell_lines(self) -> None:
        """Gives the lines that turns have noted to their listeners."""
        while self.lines:
            key, texts = self.lines.popleft()
            listener = self.listeners.get(key)
            if listener is not None:
                listener(*texts)

    def serve(self) -> None:
        """Runs what turns have noted: lines to their listeners, calls and invocations to their handlers."""
        self.tell_lines()
        while self.answers:
            self.answers.popleft()()
        if self.server is not None and (self.calls or self.cancels or self.invocations):
            self.server.serve()

    def answer_later(self, answer: Callable[[], None]) -> None:
        """Runs `answer` on the loop's thread; may be called on any thread."""
        self.answers.append(answer)
        self.wake()

    def wake(self) -> None:
        handle = self.handle
        if handle:
            lib.unum_loop_wake(handle)

    def listen(self, number: int, which: str, listener: Callable[..., None]) -> None:
        self.calls_python = True
        self.listeners[number, which] = listener

    def forget_listeners(self, number: int) -> None:
        for which in ("warn", "waiting", "printed"):
            self.listeners.pop((number, which), None)

    def serve_calls(self) -> None:
        if self.server is None:
            self.server = self.make_server()

    def make_server(self) -> Any:
        """What serves calls and invocations."""
        raise NotImplementedError

    # --- Ends ---

    def discard(self, free: Any, handle: int) -> None:
        """Frees a handle soon, on the loop's thread. May be called on any thread, by a finalizer."""
        self.garbage.append((free, handle))

    def sweep(self) -> None:
        while self.garbage:
            free, handle = self.garbage.popleft()
            given = free(handle)
            if free is _close_store and given:
                lib.unum_op_free(given)
        self.begun()

    def close(self) -> None:
        """Frees the loop with all that is on it."""
        if not self.handle:
            return
        check(lib.unum_loop_free(self.handle))
        self.handle = 0
        for noted in (self.garbage, self.lines, self.answers, self.ended, self.calls, self.cancels, self.invocations,
                      self.codes, self.invokers, self.listeners, self.streams):
            noted.clear()
        if self.server is not None:
            self.server.close()

    def __del__(self) -> None:
        handle = getattr(self, "handle", 0)
        if not handle:
            return
        if self.thread != threading.get_ident():
            _orphans.setdefault(self.thread, []).append(handle)
        elif lib.unum_loop_free(handle) != OK:  # in a turn of this very loop: it cannot be, it has callers
            _orphans.setdefault(self.thread, []).append(handle)


def _close_store(handle: int) -> Any:
    return lib.unum_store_close(handle, None)


def close_store_soon(engine: Engine, handle: int) -> None:
    engine.discard(_close_store, handle)


def _note_lines(weak: Any, user: int, which: str, *texts: Any) -> None:
    engine = weak()
    if engine is not None:
        lines = tuple(take_bytes(text).decode("utf-8", "replace") for text in texts)
        engine.lines.append(((user, which), lines))


def _consume(weak: Any, place: int, text: Any, user: int) -> int:
    stream = None
    try:
        stream = weak().streams.get(user)
        if stream is None:
            return CANCELLED
        stream.consume(place, take_bytes(text))
        return OK
    except BaseException as error:  # pylint: disable=broad-except
        if stream is not None:
            stream.error = error
        return CANCELLED


# --- Threads and processes --------------------------------------------------------------------------------------------

_all_engines: "weakref.WeakSet[Engine]" = weakref.WeakSet()
_orphans: Dict[int, List[int]] = {}  # by thread: loops whose last user was another thread


class _ThreadsLoops:
    """The loops of one thread, which nobody else can free: they end with it at the latest."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.engines: "weakref.WeakSet[Engine]" = weakref.WeakSet()

    def free_orphans(self) -> None:
        for handle in _orphans.pop(self.thread, []):
            lib.unum_loop_free(handle)

    def __del__(self) -> None:
        if threading is None or threading.get_ident() != self.thread:
            return
        for engine in list(self.engines):
            try:
                engine.close()
            except Error:
                pass
        self.free_orphans()


_local = threading.local()


def _threads_loops() -> _ThreadsLoops:
    loops: Optional[_ThreadsLoops] = getattr(_local, "loops", None)
    if loops is None:
        loops = _local.loops = _ThreadsLoops()
    return loops


def _forget_all() -> None:
    """In a child after fork: the loops are the parent's."""
    for engine in list(_all_engines):
        engine.handle = 0
    _orphans.clear()


os.register_at_fork(after_in_child=_forget_all)
