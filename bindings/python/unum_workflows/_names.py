"""Lists of names as the library takes them: arrays of unum_text, made without a loop in Python over their fields."""

from __future__ import annotations

import ctypes
import struct
from itertools import accumulate
from typing import Any, List, Optional, Sequence, Tuple

from ._library import FanInStruct, Text, encode, text_in
from .types import FanIn

# Branches of one fan-in ask for the same names again and again: the last list is kept as it was made.
_KEPT_CHARACTERS_MAX = 1 << 20
_last: Tuple[str, int, Any] = ("", 0, None)


class Names:
    """An array of unum_text. It must be kept until the call that takes it has returned."""

    __slots__ = ("pointer", "count", "_kept")

    def __init__(self, names: Sequence[Text]) -> None:
        global _last  # pylint: disable=global-statement
        if isinstance(names, (str, bytes, bytearray, memoryview)):
            raise TypeError("a list of names is needed, not one name")
        self.count = len(names)
        self.pointer: Optional[int] = None
        self._kept: Any = None
        if not self.count:
            return
        try:
            joined = "\0".join(names)  # type: ignore[arg-type]
        except TypeError:
            self._make([encode(name) for name in names])
            return
        text, count, made = _last
        if made is not None and count == self.count and text == joined:
            self.pointer, self._kept = made.pointer, made
        elif joined.isascii():
            self._point("".join(names).encode("ascii"), list(map(len, names)))  # type: ignore[arg-type]
            # With a zero byte in a name, another list may have the same text.
            if len(joined) <= _KEPT_CHARACTERS_MAX and joined.count("\0") == self.count - 1:
                _last = (joined, self.count, self)
        else:
            self._make([encode(name) for name in names])

    def _make(self, encoded: List[bytes]) -> None:
        self._point(b"".join(encoded), [len(name) for name in encoded])

    def _point(self, data: bytes, sizes: List[int]) -> None:
        words = [0] * (2 * self.count)
        words[0::2] = accumulate(sizes[:-1], initial=_address(data))
        words[1::2] = sizes
        packed = struct.pack(f"{2 * self.count}N", *words)
        self.pointer = _address(packed)
        self._kept = (data, packed)


def _address(data: bytes) -> int:
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


class FanIns:
    """An array of unum_fan_in, to be kept likewise."""

    __slots__ = ("array", "count", "_kept")

    def __init__(self, fan_ins: Sequence[FanIn]) -> None:
        self.count = len(fan_ins)
        self.array = (FanInStruct * max(self.count, 1))()
        self._kept: List[Names] = []
        for each, fan_in in zip(self.array, fan_ins):
            names = Names(fan_in.instances)
            self._kept.append(names)
            each.struct_bytes = ctypes.sizeof(FanInStruct)
            each.aggregator = text_in(fan_in.aggregator)
            each.instances, each.count = names.pointer, names.count
