"""The gate's rules: which connection or request meets which fault. One line of text each.

    [WHEN] FAULT            the first rule that applies decides; without one, all passes

WHEN    always (the default) | next N | every N | chance N (one in N, by the gate's seed)
        above N (what is more than N a second)
FAULT   pass            refuse (a reset at once)        drop (taken, never passed on, never answered)
        silent (the server does it, its answer is swallowed)            delay MILLISECONDS (each piece)
        cut DIRECTION AT          reset of both sides       close DIRECTION AT   end of that direction alone
        corrupt DIRECTION AT      one byte is inverted      hold DIRECTION AT    waits for `resume`
        answer STATUS [CODE [RETRY-AFTER]]                  in place of the server
        length DIFFERENCE                                   Content-Length is off by that much

DIRECTION is up (to the server) or down. AT counts bytes: of the connection, or with --http of the body; `head` is the
middle of its head. `answer`, `length` and `head` need --http, where each request is matched, not each connection.
"""

import dataclasses
import random
import time

HEAD = -1
DIRECTIONS = ("up", "down")
PLAIN = ("pass", "refuse", "drop", "silent")
PLACED = ("cut", "close", "corrupt", "hold")
HTTP_ONLY = ("answer", "length")
WHENS = ("next", "every", "chance", "above")


class RuleError(Exception):
    """A line that is no rule, with what is wrong about it."""


@dataclasses.dataclass(frozen=True)
class Fault:
    kind: str = "pass"
    direction: str = ""
    at: int = 0
    number: int = 0  # milliseconds, status, or difference
    code: str = ""
    retry_after: str = ""


@dataclasses.dataclass
class Rule:
    text: str
    when: str
    count: int
    fault: Fault
    seed: int
    seen: int = 0
    applied: int = 0
    tokens: float = 0
    last: float = 0

    def applies(self):
        """Asked once for each connection or request. By the seed alone, whatever else runs meanwhile."""
        number = self.seen
        self.seen += 1
        hit = {
            "always": lambda: True,
            "next": lambda: number < self.count,
            "every": lambda: number % self.count == self.count - 1,
            "above": self.is_above,
            "chance": lambda: random.Random(f"{self.seed}:{self.text}:{number}").randrange(self.count) == 0,
        }[self.when]()
        self.applied += hit
        return hit

    def is_above(self):
        """A bucket that holds what a quarter of a second allows, and is full at the begin."""
        now = time.monotonic()
        grown = self.count * (now - self.last)
        self.tokens = min(max(1, self.count / 4), self.tokens + grown)
        self.last = now
        if self.tokens < 1:
            return True
        self.tokens -= 1
        return False


def parse_rule(text, seed=0, http=False):
    words = text.split()
    when, count = "always", 0
    if words and words[0] == "always":
        words = words[1:]
    elif words and words[0] in WHENS:
        when, count = words[0], whole_number(words[1:2], text, least=1)
        words = words[2:]
    return Rule(text, when, count, parse_fault(words, text, http), seed)


def parse_fault(words, text, http):
    kind, arguments = (words[0], words[1:]) if words else ("", [])
    if kind in HTTP_ONLY and not http:
        raise RuleError(f"{text!r}: {kind} needs --http")
    if kind in PLAIN and not arguments:
        return Fault(kind)
    if kind in PLACED and len(arguments) == 2:
        if arguments[0] not in DIRECTIONS:
            raise RuleError(f"{text!r}: the direction is up or down, not {arguments[0]}")
        if arguments[1] == "head" and http:
            return Fault(kind, arguments[0], HEAD)
        return Fault(kind, arguments[0], whole_number(arguments[1:], text))
    if kind == "delay" and len(arguments) == 1:
        return Fault(kind, number=whole_number(arguments, text))
    if kind == "length" and len(arguments) == 1:
        return Fault(kind, number=whole_number(arguments, text, least=-(2**40)))
    if kind == "answer" and 1 <= len(arguments) <= 3:
        code, after = (arguments[1:] + ["", ""])[:2]
        return Fault(kind, number=whole_number(arguments[:1], text, least=100), code=code, retry_after=after)
    raise RuleError(f"{text!r} is no rule")


def whole_number(words, text, least=0):
    try:
        number = int(words[0])
    except (ValueError, IndexError):
        raise RuleError(f"{text!r}: a number is missing") from None
    if number < least:
        raise RuleError(f"{text!r}: {number} is below {least}")
    return number
