"""Expressions of conditionals, modifiers and index parts: a parser and a plain tree walk.

Values are those of `json.loads`; names are looked up in an environment with `index(level)`,
`size(level)` and `result()`, which raise Fault for what does not exist.
"""

import functools
import math
import re

TOKEN = re.compile(r"""\s*(?:
    (?P<number>\d+\.\d+(?:[eE][-+]?\d+)?|\d+)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<variable>\$[A-Za-z0-9_]+)
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>//|==|!=|<=|>=|[-+*/%<>()\[\],.=])
)""", re.VERBOSE)

CONSTANTS = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None}
INTEGER_MAX = 2 ** 63 - 1


class Fault(Exception):
    """A step's own error: it fails before its result is stored."""

    def __init__(self, code, text=""):
        super().__init__(f"{code}: {text}")
        self.code = code


class Unknown(Exception):
    """Something was asked for that only a branch would know, and there is no branch."""


def tokens_of(text):
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Fault("Unum.Expression", f"{text!r} at {at}")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return tokens


class Parser:
    """Recursive descent; a node is a tuple that begins with its kind."""

    def __init__(self, text):
        self.text = text
        self.tokens = tokens_of(text)
        self.at = 0

    def peek(self):
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def take(self, *expected):
        if self.peek() not in expected:
            return None
        self.at += 1
        return self.tokens[self.at - 1][1]

    def need(self, sign):
        if not self.take(sign):
            raise Fault("Unum.Expression", f"{self.text!r}: {sign!r} is missing")

    def whole(self):
        node = self.disjunction()
        if self.at != len(self.tokens):
            raise Fault("Unum.Expression", f"{self.text!r}: {self.peek()!r} is too much")
        return node

    def disjunction(self):
        node = self.conjunction()
        while self.take("or"):
            node = ("or", node, self.conjunction())
        return node

    def conjunction(self):
        node = self.negation()
        while self.take("and"):
            node = ("and", node, self.negation())
        return node

    def negation(self):
        if self.take("not"):
            return ("not", self.negation())
        return self.comparison()

    def comparison(self):
        first = self.sum()
        rest = []
        while True:
            sign = self.take("==", "!=", "<", "<=", ">", ">=", "in")
            if not sign and self.peek() == "not":
                self.at += 1
                self.need("in")
                sign = "not in"
            if not sign:
                break
            rest.append((sign, self.sum()))
        return ("compare", first, rest) if rest else first

    def sum(self):
        node = self.product()
        while sign := self.take("+", "-"):
            node = ("arithmetic", sign, node, self.product())
        return node

    def product(self):
        node = self.unary()
        while sign := self.take("*", "/", "//", "%"):
            node = ("arithmetic", sign, node, self.unary())
        return node

    def unary(self):
        if self.take("-"):
            return ("minus", self.unary())
        return self.path()

    def path(self):
        node = self.atom()
        while True:
            if self.take("."):
                node = ("get", node, ("constant", self.tokens[self.at][1]))
                self.at += 1
            elif self.take("["):
                node = ("get", node, self.disjunction())
                self.need("]")
            else:
                return node

    def atom(self):
        if self.at >= len(self.tokens):
            raise Fault("Unum.Expression", f"{self.text!r} ends too early")
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return ("constant", float(text) if re.search(r"[.eE]", text) else int(text))
        if kind == "string":
            return ("constant", re.sub(r"\\(.)", r"\1", text[1:-1]))
        if kind == "word" and text in CONSTANTS:
            return ("constant", CONSTANTS[text])
        if kind == "variable":
            return variable(text)
        if text == "(":
            node = self.disjunction()
            self.need(")")
            return node
        if text == "[":
            items = []
            while not self.take("]"):
                items.append(self.disjunction())
                self.take(",")
            return ("list", items)
        raise Fault("Unum.Expression", f"{self.text!r}: {text!r} is not expected")


def variable(text):
    if match := re.fullmatch(r"\$(\d+)", text):
        return ("index", int(match[1]))
    if match := re.fullmatch(r"\$size(\d*)", text):
        return ("size", int(match[1] or 0))
    if text in ("$ret", "$out"):
        return ("result",)
    raise Fault("Unum.Expression", f"{text} is no variable")


@functools.lru_cache(maxsize=None)
def parse(text):
    return Parser(text).whole()


def variables_of(node):
    """All ("index", k), ("size", k) and ("result",) of a tree."""
    if isinstance(node, tuple):
        if node[0] in ("index", "size", "result"):
            return {node}
        return set().union(*(variables_of(part) for part in node[1:]), set())
    if isinstance(node, list):
        return set().union(*(variables_of(part) for part in node), set())
    return set()


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def truth(value):
    if isinstance(value, bool):
        return value
    if is_number(value):
        return value != 0
    raise Fault("Unum.Expression", f"{value!r} is no condition")


def equal(left, right):
    if is_number(left) and is_number(right):
        return left == right
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return left == right


def compare(sign, left, right):
    if sign in ("in", "not in"):
        if not isinstance(right, list):
            raise Fault("Unum.Expression", f"{right!r} is no list")
        return any(equal(left, item) for item in right) == (sign == "in")
    if sign in ("==", "!="):
        return equal(left, right) == (sign == "==")
    numbers = is_number(left) and is_number(right)
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        raise Fault("Unum.Expression", f"{left!r} and {right!r} have no order")
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]


def arithmetic(sign, left, right):
    if not is_number(left) or not is_number(right):
        raise Fault("Unum.Expression", f"{left!r} {sign} {right!r}: not numbers")
    if sign in ("/", "//", "%") and right == 0:
        raise Fault("Unum.Expression", "division by zero")
    if sign == "/":
        return left / right
    if sign == "//":
        value = left // right
    elif sign == "%":
        value = left % right
    else:
        value = {"+": left + right, "-": left - right, "*": left * right}[sign]
    if isinstance(value, int) and not -INTEGER_MAX - 1 <= value <= INTEGER_MAX:
        raise Fault("Unum.Expression", "integer overflow")
    if isinstance(value, float) and not math.isfinite(value):
        raise Fault("Unum.Expression", "not finite")
    return value


def item_of(container, key):
    if isinstance(container, dict) and isinstance(key, str) and key in container:
        return container[key]
    is_index = isinstance(key, int) and not isinstance(key, bool)
    if isinstance(container, list) and is_index and 0 <= key < len(container):
        return container[key]
    raise Fault("Unum.Expression", f"{container!r} has no {key!r}")


def evaluate(node, environment):
    kind = node[0]
    if kind == "constant":
        return node[1]
    if kind == "index":
        return environment.index(node[1])
    if kind == "size":
        return environment.size(node[1])
    if kind == "result":
        return environment.result()
    if kind == "list":
        return [evaluate(item, environment) for item in node[1]]
    if kind == "or":
        return truth(evaluate(node[1], environment)) or truth(evaluate(node[2], environment))
    if kind == "and":
        return truth(evaluate(node[1], environment)) and truth(evaluate(node[2], environment))
    if kind == "not":
        return not truth(evaluate(node[1], environment))
    if kind == "minus":
        return arithmetic("-", 0, evaluate(node[1], environment))
    if kind == "arithmetic":
        left = evaluate(node[2], environment)
        return arithmetic(node[1], left, evaluate(node[3], environment))
    if kind == "get":
        return item_of(evaluate(node[1], environment), evaluate(node[2], environment))
    left = evaluate(node[1], environment)
    for sign, right_node in node[2]:
        right = evaluate(right_node, environment)
        if not compare(sign, left, right):
            return False
        left = right
    return True


def condition(text, environment):
    """Whether an edge's `Conditional` holds; an absent one does."""
    return True if text is None else truth(evaluate(parse(text), environment))


def integer(node, environment):
    value = evaluate(node, environment)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Fault("Unum.Expression", f"{value!r} is no integer")
    return value
