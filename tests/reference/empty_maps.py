"""Where an empty map goes on: the ways out of a map's frame, and what the mapper stands in for.

A way out is an edge whose modifiers pop the map's frame. All ways of a map are found by following
the edges from its target with a count of the frames that lie inside the map's own.
"""

from collections import namedtuple

from expressions import condition, parse, variables_of
from names import NO_FRAME, Environment, modified, parse_modifier, pattern_of

# `rest`: the modifiers that are left once the map's frame is popped. `inside`: how many levels lie
# inside the map's frame in the branch that takes the edge.
Way = namedtuple("Way", "target kind rest inside edge")
StandIn = namedtuple("StandIn", "target frames names")

INSIDE_MAX = 4


class NotDerivable(Exception):
    """No aggregator can be told from the edges."""


def edges_of(function):
    following = function.get("Next") or []
    return following if isinstance(following, list) else [following]


def kind_of(edge):
    return "Fan-in" if isinstance(edge["InputType"], dict) else edge["InputType"]


def modifiers_of(function, edge):
    return edge.get("Payload Modifiers", function.get("Next Payload Modifiers", []))


def parallel_edges(function):
    """The Scalar edges that push a frame: two or more that are not exclusive."""
    if not isinstance(function.get("Next"), list):
        return []
    edges = [edge for edge in edges_of(function)
             if kind_of(edge) == "Scalar" and not edge.get("Exclusive")]
    return edges if len(edges) > 1 else []


def after_modifiers(modifiers, inside):
    """(inside, None) where the map's frame stays, (None, rest) where it is popped."""
    for place, text in enumerate(modifiers):
        modifier = parse_modifier(text)
        if modifier[0] == "Push":
            inside += 1
        elif modifier[0] == "Pop":
            if inside == 0:
                return None, tuple(modifiers[place + 1:])
            inside -= 1
        elif modifier[1] > inside:
            raise NotDerivable("an outer level is changed within the map")
    return inside, None


def ways_out(functions, target):
    """All ways out of the frame that a Map edge to `target` pushes."""
    ways, seen, todo = [], set(), [(target, 0)]
    while todo:
        place = todo.pop()
        if place in seen or place[1] > INSIDE_MAX:
            continue
        seen.add(place)
        function = functions[place[0]]
        parallel = parallel_edges(function)
        for edge in edges_of(function):
            inside, rest = after_modifiers(modifiers_of(function, edge), place[1])
            pushes = kind_of(edge) == "Map" or edge in parallel
            if rest is None:
                todo.append((edge["Name"], inside + pushes))
                continue
            kind = "pushing" if pushes else kind_of(edge)
            ways.append(Way(edge["Name"], kind, rest, place[1], edge))
    return ways


def names_left(way, frames):
    """What the way's list names when no pattern stands that needs the map's frame or one inside."""
    frames = (NO_FRAME,) * (way.inside + 1) + frames
    names = []
    for text in way.edge["InputType"]["Fan-in"]["Values"]:
        pattern = pattern_of(text)
        if any(level <= way.inside for part in pattern.parts for level in part.uses()):
            continue
        names += pattern.names(frames)
    return tuple(names)


def wanted_by(way, frames):
    """Whether the way's conditional holds; one that mentions what only a branch knows does."""
    text = way.edge.get("Conditional")
    if text is None:
        return True
    for variable in variables_of(parse(text)):
        if variable[0] == "result" or variable[1] <= way.inside:
            return True
    return condition(text, Environment((NO_FRAME,) * (way.inside + 1) + frames))


def chosen_ways(functions, edge):
    """The aggregator of an empty map, the modifiers that name it and the fan-in ways into it."""
    given = edge.get("OnEmpty")
    if given:
        ways = [way for way in ways_out(functions, edge["Name"])
                if way.kind == "Fan-in" and way.target == given["Name"]]
        return given["Name"], tuple(given.get("Payload Modifiers", [])), ways
    ways = ways_out(functions, edge["Name"])
    fan_ins = [way for way in ways if way.kind == "Fan-in"]
    if not fan_ins or any(way.kind not in ("Fan-in", "Scalar") for way in ways):
        raise NotDerivable("no way out enters by a fan-in")
    if len({(way.target, way.rest) for way in ways}) != 1:
        raise NotDerivable("the ways lead to several instances")
    if len({normal_list(way) for way in fan_ins}) != 1:
        raise NotDerivable("the ways have different lists")
    return fan_ins[0].target, fan_ins[0].rest, fan_ins


def normal_list(way):
    """What is left of the way's list, comparable between ways of different depths."""
    left = []
    for text in way.edge["InputType"]["Fan-in"]["Values"]:
        pattern = pattern_of(text)
        used = [level for part in pattern.parts for level in part.uses()]
        if not any(level <= way.inside for level in used):
            left.append((text, way.inside if used else None))
    return tuple(left)


def stand_in(functions, edge, frames):
    """What the mapping instance stands in for over a Map edge whose frames after modifiers are
    `frames`, or None: nothing can be derived, or the fan-in is not wanted."""
    try:
        target, rest, ways = chosen_ways(functions, edge)
    except NotDerivable:
        return None
    if ways and not any(wanted_by(way, frames) for way in ways):
        return None
    names = names_left(ways[0], frames) if ways else ()
    return StandIn(target, modified(frames, rest), names)
