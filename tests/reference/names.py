"""Frames, instance names, payload modifiers and the names that a `Values` list stands for."""

import functools
import re
from collections import namedtuple

from expressions import Fault, Unknown, integer, parse, variables_of

Frame = namedtuple("Frame", "type index size")

# The frame of a branch that does not exist, of which nothing is known: see empty_maps.py.
NO_FRAME = Frame("Map", None, None)


class Environment:
    """What expressions see: the frames, innermost first, and for conditionals the result."""

    def __init__(self, frames, result=None, has_result=False):
        self.frames = frames
        self.value = result
        self.has_result = has_result

    def frame(self, level):
        if level >= len(self.frames):
            raise Fault("Unum.Expression", f"there is no level {level}")
        if self.frames[level] is NO_FRAME:
            raise Unknown
        return self.frames[level]

    def index(self, level):
        return self.frame(level).index

    def size(self, level):
        return self.frame(level).size

    def result(self):
        if not self.has_result:
            raise Unknown
        return self.value


def name_of(function, indexes):
    if not indexes:
        return function
    return function + "-unumIndex-" + ".".join(str(index) for index in indexes)


def instance_name(function, frames):
    return name_of(function, [frame.index for frame in frames])


@functools.lru_cache(maxsize=None)
def parse_modifier(text):
    """("Pop",), ("Push",), ("index", level, tree) or ("size", level, tree)."""
    if text in ("Pop", "Push"):
        return (text,)
    target, _, value = text.partition("=")
    match = re.fullmatch(r"\$(size)?(\d*)", target.strip())
    return ("size" if match[1] else "index", int(match[2] or 0), parse(value))


def modified(frames, modifiers):
    """The frames after a list of modifiers, each of which sees the effect of those before it."""
    frames = list(frames)
    for modifier in map(parse_modifier, modifiers):
        if modifier[0] == "Push":
            frames.insert(0, Frame("Loop", 0, 1))
        elif not frames:
            continue
        elif modifier[0] == "Pop":
            frames.pop(0)
        else:
            frames = assigned(frames, modifier)
    return tuple(frames)


def assigned(frames, modifier):
    field, level, tree = modifier
    if level >= len(frames):
        raise Fault("Unum.Modifier", f"there is no level {level}")
    value = integer(tree, Environment(frames))
    if value < 0:
        raise Fault("Unum.Modifier", f"a {field} of {value}")
    changed = list(frames)
    changed[level] = changed[level]._replace(**{field: value})
    return changed


class Part:
    """One part of a pattern: a literal index, all of level 0, `$k` itself, or computed."""

    def __init__(self, text):
        self.text = text.strip()
        self.tree = None
        self.level = None
        if self.text == "*":
            self.kind, self.level = "all", 0
        elif re.fullmatch(r"\d+", self.text):
            self.kind = "literal"
        else:
            self.tree = parse(self.text)
            self.kind = "bare" if self.tree[0] == "index" and self.text[0] == "$" else "computed"
            levels = {node[1] for node in variables_of(self.tree) if node[0] == "index"}
            if len(levels) == 1:
                self.level = levels.pop()

    def uses(self):
        """The levels whose frames this part needs."""
        return {0} if self.kind == "all" else {
            node[1] for node in (variables_of(self.tree) if self.tree else ())}

    def indexes(self, environment, bound):
        """The indexes it stands for; `bound` is the level that bounds a computed one, if any."""
        if self.kind == "literal":
            return [int(self.text)]
        if self.kind == "all":
            return list(range(environment.size(0)))
        value = integer(self.tree, environment)
        if self.kind == "bare":
            return [value]
        if value < 0:
            raise Fault("Unum.NoSuchInstance", f"{self.text} is {value}")
        if bound is not None and environment.frame(bound).type != "Loop":
            if value >= environment.size(bound):
                raise Fault("Unum.NoSuchInstance", f"{self.text} is {value}")
        return [value]


def split_parts(text):
    """An index at its dots, those within parentheses and brackets left alone."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        if char == "." and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


class Pattern:
    """One entry of `Values`."""

    def __init__(self, text):
        self.text = text
        self.function, *index = re.split(r"-[uU]numIndex-", text, maxsplit=1)
        self.parts = [Part(part) for part in split_parts(index[0])] if index else []

    def placed(self, depth):
        """The parts in canonical order, each with the level that bounds it, None for no bound."""
        if len(self.parts) != depth:
            return [(part, part.level) for part in self.parts]
        places = [None] * depth
        for part in self.parts:
            if part.level is None:
                continue
            if part.level >= depth or places[part.level]:
                raise Fault("Unum.Values", f"{self.text}: level {part.level} is not free")
            places[part.level] = part
        free = [part for part in self.parts if part.level is None]
        return [(part or free.pop(0), level) for level, part in enumerate(places)]

    def names(self, frames):
        """The instance names it stands for, as the instance with these frames sees it."""
        environment = Environment(frames)
        lists = [[]]
        for part, bound in self.placed(len(frames)):
            indexes = part.indexes(environment, bound)
            lists = [before + [index] for before in lists for index in indexes]
        return [name_of(self.function, indexes) for indexes in lists]


pattern_of = functools.lru_cache(maxsize=None)(Pattern)


def expand(values, frames):
    """The ordered list of names of a `Values` list."""
    return [name for text in values for name in pattern_of(text).names(frames)]
