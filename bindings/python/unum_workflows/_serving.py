"""Serves calls of user code and invocations: runs their handlers and answers, at once or when a future is done."""

from __future__ import annotations

import concurrent.futures
import inspect
import json
import traceback
from typing import Any, Callable, Dict

from ._engine import Engine
from ._library import CANCELLED, OK, last_error, lib, take_bytes, take_str, text_in
from .errors import Error, Kind, Lost
from .types import Context, Invocation, RawJson

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_encode_ascii = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_HERE = __file__


def dump_json(value: Any) -> bytes:
    """Raises TypeError, ValueError or RecursionError for what JSON cannot hold."""
    if isinstance(value, RawJson):
        return value
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        return _encode_ascii(value).encode()


def describe(error: BaseException) -> str:
    """The message and the traceback without this file's frames."""
    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == _HERE:
            trace = trace.tb_next
        return f"{error}\n" + "".join(traceback.format_exception(type(error), error, trace))
    except Exception:  # pylint: disable=broad-except
        return f"{type(error).__name__} (it cannot be shown)"


class Server:
    """Of one engine. A code is a handler, an invoker a platform; both are found by their numbers."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.waiting: Dict[int, Any] = {}  # by call: the future that will answer it

    def serve(self) -> None:
        engine = self.engine
        while engine.calls or engine.cancels or engine.invocations:
            for handle, user in _taken(engine.calls):
                self.call(handle, user)
            for handle, _ in _taken(engine.cancels):
                future = self.waiting.pop(handle, None)
                if future is not None:
                    future.cancel()
            for handle, user in _taken(engine.invocations):
                self.invocation(handle, user)

    def close(self) -> None:
        """Nobody waits for an answer any more."""
        waiting, self.waiting = self.waiting, {}
        for future in waiting.values():
            future.cancel()

    # --- Calls ---

    def call(self, handle: int, user: int) -> None:
        code = self.engine.codes.get(user)
        info = lib.unum_call_info(handle)
        if code is None or not info:
            lib.unum_call_lost(handle, text_in("its step was dropped"))
            return
        details = info.contents
        context = Context(take_str(details.function), take_str(details.instance), take_str(details.session),
                          take_bytes(details.input), take_str(details.traceparent), details.attempt,
                          details.timeout_ms)

        def run() -> Any:
            return code(json.loads(context.input), context)

        self.answer(run, lambda outcome: self.answer_call(handle, context, outcome), handle)

    def answer_call(self, handle: int, context: Context, outcome: Callable[[], Any]) -> None:
        self.waiting.pop(handle, None)
        try:
            value = outcome()
        except Lost as lost:
            lib.unum_call_lost(handle, text_in(str(lost)))
            return
        except Exception as error:  # pylint: disable=broad-except
            self.fail(handle, type(error).__name__, describe(error))
            return
        except BaseException as error:
            # Cancelled, interrupted, exiting: the code did not come to its end.
            lib.unum_call_lost(handle, text_in(f"{context.unum_instance} was interrupted: {type(error).__name__}"))
            if is_cancellation(error):
                return
            raise
        try:
            data = dump_json(value)
        except Exception as error:  # pylint: disable=broad-except
            self.fail(handle, "Runtime.MarshalError", f"the result of {context.function_name} is not JSON: "
                      f"{type(error).__name__}: {error}")
            return
        if lib.unum_call_succeed(handle, text_in(data)) not in (OK, CANCELLED):
            refusal = last_error()  # it is too large, say
            self.fail(handle, refusal.code, str(refusal))

    def fail(self, handle: int, name: str, cause: str) -> None:
        lib.unum_call_fail(handle, text_in(name.encode("utf-8", "replace")),
                           text_in(cause.encode("utf-8", "replace")))

    # --- Invocations ---

    def invocation(self, handle: int, user: int) -> None:
        invoke = self.engine.invokers.get(user)
        info = lib.unum_invocation_info(handle)
        if invoke is None or not info:
            lib.unum_invocation_refused(handle, Kind.DISCONNECTED, text_in("the platform is gone"))
            return
        details = info.contents
        given = Invocation(take_str(details.function), take_str(details.instance), take_str(details.origin),
                           take_bytes(details.payload), details.attempt, details.not_before / 1000)
        self.answer(lambda: invoke(given), lambda outcome: self.answer_invocation(handle, outcome), handle)

    def answer_invocation(self, handle: int, outcome: Callable[[], Any]) -> None:
        self.waiting.pop(handle, None)
        try:
            outcome()
        except Error as error:
            lib.unum_invocation_refused(handle, error.kind, text_in(error.message.encode("utf-8", "replace")))
        except BaseException as error:
            text = f"{type(error).__name__}: {error}".encode("utf-8", "replace")
            lib.unum_invocation_refused(handle, Kind.DISCONNECTED, text_in(text))
            if not isinstance(error, Exception) and not is_cancellation(error):
                raise
        else:
            lib.unum_invocation_accepted(handle)

    # --- Now or later ---

    def answer(self, run: Callable[[], Any], answer: Callable[[Callable[[], Any]], None], handle: int) -> None:
        """Runs a handler; answers with what it returned, or with what its future or awaitable ends in."""
        try:
            result = run()
        except BaseException as error:  # pylint: disable=broad-except
            answer(_raiser(error))
        else:
            if isinstance(result, concurrent.futures.Future):
                self.waiting[handle] = result
                result.add_done_callback(
                    lambda future: self.engine.answer_later(lambda: self.answer_late(answer, future.result)))
            elif inspect.isawaitable(result):
                self.answer_awaitable(result, answer, handle)
            else:
                answer(lambda: result)
        self.engine.begun()

    def answer_late(self, answer: Callable[[Callable[[], Any]], None], outcome: Callable[[], Any]) -> None:
        if self.engine.handle:
            answer(outcome)
            self.engine.begun()

    def answer_awaitable(self, result: Any, answer: Callable[[Callable[[], Any]], None], handle: int) -> None:
        if inspect.iscoroutine(result):
            result.close()
        answer(_raiser(TypeError("an async handler needs a loop of unum_workflows.aio")))


def is_cancellation(error: BaseException) -> bool:
    return type(error).__name__ == "CancelledError"


def _raiser(error: BaseException) -> Callable[[], Any]:
    def outcome() -> Any:
        raise error
    return outcome


def _taken(noted: Dict[int, int]) -> Any:
    """Takes what turns have noted one by one, in order, so that none is lost if a handler is interrupted."""
    while noted:
        for handle in list(noted):
            user = noted.pop(handle, None)
            if user is not None:
                yield handle, user
