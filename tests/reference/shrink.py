"""Makes a failing case small: drops edges, functions, elements and fields while it still fails."""

import copy
import json

from expressions import Fault
from interpreter import TooLarge, interpret


def smaller_values(value):
    """Values a little smaller than this one."""
    if isinstance(value, list):
        for place in range(len(value)):
            yield value[:place] + value[place + 1:]
        for place, item in enumerate(value):
            for less in smaller_values(item):
                yield value[:place] + [less] + value[place + 1:]
    elif isinstance(value, int) and value > 0:
        yield 0
        if value > 1:
            yield value - 1


def smaller_cases(case):
    """Cases a little smaller than this one, the largest steps first."""
    for place, ir in enumerate(case["functions"]):
        if not ir.get("Start"):
            yield without_function(case, ir["Name"], place)
    for place, ir in enumerate(case["functions"]):
        edges = ir.get("Next", [])
        edges = edges if isinstance(edges, list) else [edges]
        for number in range(len(edges)):
            yield with_edges(case, place, edges[:number] + edges[number + 1:])
    for less in smaller_values(case["input"]):
        yield dict(case, input=less)
    for name, code in case["behaviours"].items():
        if code != ["identity"]:
            yield dict(case, behaviours=dict(case["behaviours"], **{name: ["identity"]}))
    for place, ir in enumerate(case["functions"]):
        edges = ir.get("Next", [])
        edges = edges if isinstance(edges, list) else [edges]
        for number, edge in enumerate(edges):
            for less in smaller_edges(edge):
                yield with_edges(case, place, edges[:number] + [less] + edges[number + 1:])


def smaller_edges(edge):
    for field in ("Conditional", "OnEmpty", "Payload Modifiers", "Exclusive"):
        if field in edge:
            yield {key: value for key, value in edge.items() if key != field}
    modifiers = edge.get("Payload Modifiers", [])
    for place in range(len(modifiers)):
        yield dict(edge, **{"Payload Modifiers": modifiers[:place] + modifiers[place + 1:]})
    text = edge.get("Conditional", "")
    for word in (" or ", " and "):
        for part in text.split(word) if word in text else ():
            yield dict(edge, Conditional=part)
    if isinstance(edge["InputType"], dict):
        values = edge["InputType"]["Fan-in"]["Values"]
        for place in range(len(values)):
            if len(values) > 1:
                less = values[:place] + values[place + 1:]
                yield dict(edge, InputType={"Fan-in": {"Values": less}})


def without_function(case, name, place):
    less = copy.deepcopy(case)
    del less["functions"][place]
    del less["behaviours"][name]
    for ir in less["functions"]:
        edges = ir.get("Next", [])
        edges = edges if isinstance(edges, list) else [edges]
        kept = [edge for edge in edges if edge["Name"] != name]
        for edge in kept:
            if edge.get("OnEmpty", {}).get("Name") == name:
                del edge["OnEmpty"]
        set_edges(ir, kept)
    return less


def with_edges(case, place, edges):
    less = copy.deepcopy(case)
    set_edges(less["functions"][place], edges)
    return less


def set_edges(ir, edges):
    ir.pop("Next", None)
    if edges:
        ir["Next"] = edges[0] if len(edges) == 1 else edges


def shrink(case, still_fails, tries=400):
    """The smallest case found; `still_fails(case, outcome)` runs it."""
    found = True
    while found:
        found = False
        for less in smaller_cases(case):
            try:
                outcome = interpret(less)
            except (TooLarge, Fault, KeyError, StopIteration):
                continue
            if outcome.unsupported:
                continue
            tries -= 1
            if tries < 0:
                return case
            if still_fails(less, outcome):
                case, found = less, True
                break
    return case


def readable(case):
    """The application as an author writes it, a function a line."""
    lines = [f"input {json.dumps(case['input'])}"]
    for ir in case["functions"]:
        code = case["behaviours"][ir["Name"]]
        note = "" if code == ["identity"] else "   # " + " ".join(map(json.dumps, code))
        lines.append(json.dumps(ir) + note)
    return "\n".join("  " + line for line in lines)
