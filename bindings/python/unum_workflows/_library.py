"""Finds libunum.so.1 and declares its functions and structs as include/unum.h has them."""

from __future__ import annotations

import ctypes
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64,
                    c_void_p)
from typing import Any, List, Optional, Tuple, Union

from .errors import Error, make_error

SONAME = "libunum.so.1"
OK, PENDING, CANCELLED = 0, -1, 8
SESSION_BYTES = 36

Text = Union[str, bytes, bytearray, memoryview]
"""What goes into the library: bytes, or a string, which goes as UTF-8."""


# --- Structs ----------------------------------------------------------------------------------------------------------

class TextIn(Structure):
    """unum_text on its way in: it keeps the bytes that it points to."""
    _fields_ = [("data", c_char_p), ("bytes", c_size_t)]


class TextOut(Structure):
    """unum_text on its way out: not read as a string that ends in a zero byte."""
    _fields_ = [("data", c_void_p), ("bytes", c_size_t)]


class ErrorStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("status", c_int32), ("delivery", c_int32), ("origin", TextOut),
                ("code", TextOut), ("message", TextOut)]


class LoopOptions(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("backend", c_int32), ("helper_threads_max", c_uint32)]


# The callbacks whose arguments are all pointers take what is implemented in C, `dict.__setitem__`: no bytecode of
# Python runs in a turn of the loop, so no signal's handler raises an exception there.
SINK = CFUNCTYPE(None, c_void_p, c_void_p)
LINE = CFUNCTYPE(None, TextOut, c_void_p)
CONSUME = CFUNCTYPE(c_int32, c_size_t, TextOut, c_void_p)
PRINTED = CFUNCTYPE(None, TextOut, TextOut, c_void_p)
LOG = CFUNCTYPE(None, TextOut, TextOut, TextOut, TextOut, TextOut, c_void_p)


class Start(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("timeout_ms", c_int64), ("done", SINK), ("user", c_void_p)]


class StoreOptionsStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("not_durable", c_int32), ("eventual_reads", c_int32),
                ("in_flight_max", c_uint32), ("reserved", c_uint32), ("request_timeout_ms", c_int64),
                ("patience_ms", c_int64), ("warn", LINE), ("waiting", LINE), ("user", c_void_p)]


class ContextStruct(Structure):
    _fields_ = [("session", TextIn), ("instance", TextIn)]


class ContextOut(Structure):
    _fields_ = [("session", TextOut), ("instance", TextOut)]


class ItemStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("name", TextOut), ("kind", c_int32), ("reserved", c_int32),
                ("bytes", c_uint64), ("modified_ns", c_int64)]


class FanInStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("aggregator", TextIn), ("instances", c_void_p), ("count", c_size_t)]


class FanInStateStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("status", c_int32), ("reserved", c_int32), ("detail", TextOut)]


class InvocationStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("function", TextOut), ("instance", TextOut), ("origin", TextOut),
                ("payload", TextOut), ("attempt", c_int32), ("reserved", c_int32), ("not_before", c_int64)]


class RuntimeOptions(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("invoke", SINK), ("user", c_void_p), ("payload_bytes_max", c_uint64),
                ("delay_max_ms", c_int64), ("invocations_in_flight", c_uint32), ("collects_garbage", c_int32),
                ("application", c_void_p), ("keeps_every_delivery", c_int32)]


class CallStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("function", TextOut), ("instance", TextOut), ("session", TextOut),
                ("input", TextOut), ("traceparent", TextOut), ("attempt", c_int32), ("reserved", c_int32),
                ("timeout_ms", c_int64)]


class CodeStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("call", SINK), ("cancel", SINK), ("user", c_void_p)]


class ReportStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("status", c_int32), ("attempt", c_int32), ("session", TextOut),
                ("instance", TextOut), ("error", TextOut), ("cause", TextOut), ("result", TextOut),
                ("result_bytes", c_uint64), ("invocations", c_uint64), ("not_before", c_int64), ("adopted", c_int32),
                ("user_code_ran", c_int32), ("disagreements", TextOut)]


class ConfigurationStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("function", TextIn), ("text", TextIn)]


class FunctionCodeStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("function", TextIn), ("code", POINTER(CodeStruct))]


class RunOptions(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("input", TextIn), ("session", TextIn), ("store", TextIn),
                ("store_options", POINTER(StoreOptionsStruct)), ("workers", c_uint32), ("resume", c_int32),
                ("accept_changes", c_int32), ("reserved", c_int32), ("printed", PRINTED), ("user", c_void_p),
                ("opened", c_void_p), ("codes", POINTER(FunctionCodeStruct)), ("code_count", c_size_t)]


class RunResultStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("status", c_int32), ("reserved", c_int32), ("session", TextOut),
                ("result", TextOut), ("instances", c_uint64), ("user_code_runs", c_uint64)]


class FailureStruct(Structure):
    _fields_ = [("struct_bytes", c_size_t), ("instance", TextOut), ("error", TextOut), ("cause", TextOut)]


# --- Functions --------------------------------------------------------------------------------------------------------

_H, _I32, _I64, _N = c_void_p, c_int32, c_int64, c_size_t
# For these the GIL is released: they wait, call back, log, or copy much.
FREE_GIL = {
    "unum_loop_new": (_I32, [c_void_p, POINTER(c_void_p)]),
    "unum_loop_free": (_I32, [_H]),
    "unum_loop_dispatch": (_I32, [_H]),
    "unum_loop_run": (_I32, [_H, _I64]),
    "unum_loop_wake": (_I32, [_H]),
    "unum_op_wait": (_I32, [_H, _I64]),
    "unum_op_cancel": (_I32, [_H]),
    "unum_op_free": (_I32, [_H]),
    "unum_store_open": (_H, [_H, TextIn, TextIn, c_void_p, c_void_p]),
    "unum_store_create": (_H, [_H, TextIn, TextIn, c_void_p]),
    "unum_store_close": (_H, [_H, c_void_p]),
    "unum_create_session_context": (_I32, [_H, c_char_p]),
    "unum_write_return_value": (_H, [_H, ContextStruct, TextIn, c_void_p]),
    "unum_read_input": (_H, [_H, TextIn, c_void_p, _N, c_void_p]),
    "unum_check_value_exist": (_H, [_H, TextIn, TextIn, c_void_p]),
    "unum_check_values_exist": (_H, [_H, TextIn, c_void_p, _N, c_void_p]),
    "unum_read_input_stream": (_H, [_H, TextIn, c_void_p, _N, CONSUME, c_void_p, c_void_p]),
    "unum_store_get": (_H, [_H, TextIn, TextIn, _I32, c_void_p]),
    "unum_store_get_range": (_H, [_H, TextIn, TextIn, _I32, c_uint64, _N, c_void_p]),
    "unum_store_create_item": (_H, [_H, TextIn, TextIn, _I32, TextIn, c_void_p]),
    "unum_store_put": (_H, [_H, TextIn, TextIn, _I32, TextIn, c_void_p]),
    "unum_store_remove": (_H, [_H, TextIn, TextIn, _I32, c_void_p]),
    "unum_store_list": (_H, [_H, TextIn, c_void_p]),
    "unum_store_list_sessions": (_H, [_H, c_void_p]),
    "unum_store_commit": (_H, [_H, ContextStruct, TextIn, POINTER(FanInStruct), _N, c_void_p]),
    "unum_store_join": (_H, [_H, ContextStruct, POINTER(FanInStruct), _N, c_void_p]),
    "unum_function_parse": (_I32, [_H, TextIn, TextIn, POINTER(c_void_p)]),
    "unum_function_free": (_I32, [_H]),
    "unum_invocation_accepted": (_I32, [_H]),
    "unum_invocation_refused": (_I32, [_H, _I32, TextIn]),
    "unum_runtime_new": (_I32, [_H, POINTER(RuntimeOptions), POINTER(c_void_p)]),
    "unum_runtime_free": (_I32, [_H]),
    "unum_call_succeed": (_I32, [_H, TextIn]),
    "unum_call_fail": (_I32, [_H, TextIn, TextIn]),
    "unum_call_lost": (_I32, [_H, TextIn]),
    "unum_runtime_step": (_H, [_H, _H, TextIn, _I32, POINTER(CodeStruct), c_void_p]),
    "unum_runtime_give_up": (_H, [_H, _H, TextIn, _I32, TextIn, TextIn, c_void_p]),
    "unum_entry_payload": (_I32, [_H, TextIn, TextIn, POINTER(TextOut)]),
    "unum_identify_payload": (_I32, [_H, TextIn, POINTER(ContextOut)]),
    "unum_application_load": (_I32, [_H, TextIn, POINTER(c_void_p)]),
    "unum_application_parse": (_I32, [_H, TextIn, POINTER(ConfigurationStruct), _N, TextIn, POINTER(c_void_p)]),
    "unum_application_free": (_I32, [_H]),
    "unum_application_function": (_I32, [_H, _N, POINTER(c_void_p)]),
    "unum_application_run": (_H, [_H, POINTER(RunOptions), c_void_p]),
    "unum_set_log": (_I32, [TextIn, c_void_p, c_void_p]),
}
# These only look at what is in memory: for them the GIL is kept, which is faster.
KEEP_GIL = {
    "unum_last_error": (POINTER(ErrorStruct), []),
    "unum_status_name": (c_char_p, [_I32]),
    "unum_version": (c_char_p, []),
    "unum_loop_backend": (c_char_p, [_H]),
    "unum_loop_fd": (c_int, [_H]),
    "unum_loop_timeout_ms": (_I64, [_H]),
    "unum_op_status": (_I32, [_H]),
    "unum_op_error": (POINTER(ErrorStruct), [_H]),
    "unum_op_number": (_I64, [_H]),
    "unum_op_count": (_N, [_H]),
    "unum_op_value": (TextOut, [_H, _N]),
    "unum_op_store": (_H, [_H]),
    "unum_store_type": (TextOut, [_H]),
    "unum_store_name": (TextOut, [_H]),
    "unum_op_item": (POINTER(ItemStruct), [_H, _N]),
    "unum_op_fan_in": (POINTER(FanInStateStruct), [_H, _N]),
    "unum_function_name": (TextOut, [_H]),
    "unum_function_configuration": (TextOut, [_H]),
    "unum_invocation_info": (POINTER(InvocationStruct), [_H]),
    "unum_call_info": (POINTER(CallStruct), [_H]),
    "unum_op_report": (POINTER(ReportStruct), [_H]),
    "unum_application_findings": (TextOut, [_H]),
    "unum_application_name": (TextOut, [_H]),
    "unum_application_entry": (TextOut, [_H]),
    "unum_application_function_count": (_N, [_H]),
    "unum_op_run_result": (POINTER(RunResultStruct), [_H]),
    "unum_op_failure": (POINTER(FailureStruct), [_H, _N]),
}


def library_places() -> List[str]:
    """Where the library is looked for: in the package, where UNUM_LIBRARY says, where the system has it."""
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), SONAME)
    if os.path.exists(own):
        return [own]
    named = os.environ.get("UNUM_LIBRARY")
    return [named] if named else [SONAME]


class Library:
    """The functions of the library, as attributes under their names in C."""

    def __init__(self, path: str) -> None:
        self.path = path
        free, keep = ctypes.CDLL(path), ctypes.PyDLL(path)
        for handle, functions in ((free, FREE_GIL), (keep, KEEP_GIL)):
            for name, (result, arguments) in functions.items():
                function = getattr(handle, name)
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.path} has no {name}")


def _load() -> Library:
    path = library_places()[0]
    try:
        return Library(path)
    except (OSError, AttributeError) as error:
        raise ImportError(f"unum_workflows needs {SONAME}: {error}; it is looked for in the package, then where the "
                          "environment variable UNUM_LIBRARY says, then where the system finds libraries") from None


lib = _load()
LIBRARY_VERSION: str = lib.unum_version().decode()
LIBRARY_PATH: str = lib.path


# --- Texts and errors -------------------------------------------------------------------------------------------------

def encode(text: Text) -> bytes:
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    raise TypeError(f"a str or bytes is needed, not {type(text).__name__}")


def text_in(text: Optional[Text]) -> TextIn:
    """None is an absent text."""
    if text is None:
        return TextIn()
    data = encode(text)
    return TextIn(data, len(data))


def take(text: Any) -> Optional[bytes]:
    """A copy of what the library gave; None if it is absent."""
    return None if text.data is None else ctypes.string_at(text.data, text.bytes)


def take_bytes(text: Any) -> bytes:
    return b"" if text.data is None else ctypes.string_at(text.data, text.bytes)


def take_str(text: Any) -> str:
    """Names that are no UTF-8 go in again as they came out."""
    return take_bytes(text).decode("utf-8", "surrogateescape")


def error_from(pointer: Any) -> Error:
    """The exception for an unum_error."""
    error = pointer.contents
    return make_error(error.status, take_bytes(error.message).decode("utf-8", "replace"), code=take_str(error.code),
                      origin=take_str(error.origin), delivery=error.delivery)


def last_error() -> Error:
    return error_from(lib.unum_last_error())


def check(status: int) -> None:
    if status != OK:
        raise last_error()


def new_handle(function: Any, *arguments: Any) -> Tuple[int, int]:
    """Of a function that gives a handle by its last argument: its status, and the handle."""
    handle = c_void_p()
    status = function(*arguments, ctypes.byref(handle))
    return status, handle.value or 0
