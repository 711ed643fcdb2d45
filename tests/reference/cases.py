"""Applications written by hand, with what they must come to: the interpreter is held to these too.

Each is a sentence, a case as generate.py makes them, and the result or the failures as
interpreter.py names them.
"""


def function(name, *edges, **fields):
    """IR of one function; `Next` is a list where there are several edges, as an author writes."""
    ir = {"Name": name, **fields}
    if edges:
        ir["Next"] = edges[0] if len(edges) == 1 else list(edges)
    return ir


def edge(target, kind="Scalar", when=None, modifiers=None, **fields):
    made = {"Name": target, "InputType": kind, **fields}
    if when is not None:
        made["Conditional"] = when
    if modifiers is not None:
        made["Payload Modifiers"] = modifiers
    return made


def fan_in(target, *values, when=None, modifiers=("Pop",), **fields):
    return edge(target, {"Fan-in": {"Values": list(values)}}, when, list(modifiers), **fields)


def case(value, *functions, entry=None, **behaviours):
    """The first function is the entry; behaviours are identity where nothing is said."""
    functions = [dict(ir) for ir in functions]
    functions[0]["Start"] = True
    known = {ir["Name"]: behaviours.get(ir["Name"], ["identity"]) for ir in functions}
    return {"functions": functions, "behaviours": known, "input": value}


def rows(value, last, *more, **fields):
    """A map within a map: S over R over L, whose edge is `last`."""
    return case(value, function("S", edge("R", "Map")), function("R", edge("L", "Map")),
                function("L", last), *more, **fields)


def two_maps(value, *values, **fields):
    """P and Q beside each other map to A and B, which fan in to J over both."""
    return case(value, function("S", edge("P"), edge("Q")),
                function("P", edge("A", "Map", modifiers=["Pop"])),
                function("Q", edge("B", "Map", modifiers=["Pop"])),
                function("A", fan_in("J", *values)), function("B", fan_in("J", *values)),
                function("J"), P=["item", 0], Q=["item", 1], **fields)


def incomplete(name):
    return ("incomplete fan-in", name)


def unequal(name):
    return ("unequal fan-in", name)


def second(name):
    return ("second way in", name)


def failed(name, kind="Unum"):
    return ("instance", name, kind)


PAIR = ("A-unumIndex-*", "B-unumIndex-*")

# Sentence, case, the result or a set of failures.
CASES = [
    ("a partial fan-in by result takes its own list alone",
     case([1, 2], function("S", edge("F", "Map")),
          function("F", fan_in("G", "F-unumIndex-$0", when="$ret == 1")), function("G")),
     {"F-unumIndex-1": 2, "G": [1]}),
    ("a partial fan-in of pairs by result",
     case([1, 2, 3, 4], function("S", edge("F", "Map")),
          function("F", fan_in("G", "F-unumIndex-$0", "F-unumIndex-($0+1)", when="$ret == 2")),
          function("G")),
     {"F-unumIndex-0": 1, "F-unumIndex-3": 4, "G": [2, 3]}),
    ("neighbours fan in by result, and those that nobody names are final",
     case([5, 1, 5, 2], function("S", edge("F", "Map")),
          function("F", fan_in("G", "F-unumIndex-$0", "F-unumIndex-($0+1)", modifiers=[],
                               when="$ret == 5")), function("G")),
     {"G-unumIndex-0": [5, 1], "G-unumIndex-2": [5, 2]}),
    ("rows fan in by a condition over the outer index, each its own list",
     rows([[1, 2], [3]], fan_in("G", "L-unumIndex-*.$1", when="$1 == 0", modifiers=["Pop", "Pop"]),
          function("G")),
     {"G": [1, 2], "L-unumIndex-0.1": 3}),
    ("the next row's elements are contributors and no final results",
     rows([[1], [2]], fan_in("G", "L-unumIndex-*.$1", "L-unumIndex-*.($1+1)", when="$1 == 0",
                             modifiers=["Pop", "Pop"]), function("G")),
     [1, 2]),
    ("the row before is named by the last one",
     rows([[1], [2], [3]], fan_in("G", "L-unumIndex-*.($1-1)", "L-unumIndex-*.$1", when="$1 == 2",
                                  modifiers=["Pop", "Pop"]), function("G")),
     {"G": [2, 3], "L-unumIndex-0.0": 1}),
    ("two functions beside each other, one of which asks by result",
     case(3, function("S", edge("A"), edge("B")),
          function("A", fan_in("J", "A-unumIndex-0", "B-unumIndex-1", when="$ret == 3")),
          function("B", fan_in("J", "B-unumIndex-1", when="$ret == 4")), function("J")),
     [3, 3]),
    ("two functions that both ask, with unequal lists",
     case(3, function("S", edge("A"), edge("B")),
          function("A", fan_in("J", "A-unumIndex-0", "B-unumIndex-1", when="$ret == 3")),
          function("B", fan_in("J", "B-unumIndex-1", when="$ret == 3")), function("J")),
     {unequal("J")}),
    ("nobody asks: all branches are final",
     case([1, 2], function("S", edge("F", "Map")),
          function("F", fan_in("G", "F-unumIndex-*", when="$ret == 9")), function("G")),
     {"F-unumIndex-0": 1, "F-unumIndex-1": 2}),
    ("an empty map beside a full one is another list",
     two_maps([[], [4, 5]], *PAIR), {unequal("J")}),
    ("two empty maps with equal lists invoke their aggregator once",
     two_maps([[], []], *PAIR), []),
    ("an aggregator that stands in for its own fan-in leaves no end of the workflow",
     case([], function("S", edge("F", "Map")),
          function("F", fan_in("G", "F-unumIndex-*")), function("G", edge("F", "Map"))),
     {("no result", "")}),
    ("two maps of equal widths fan in together",
     two_maps([[2, 3], [4, 5]], *PAIR), [2, 3, 4, 5]),
    ("two maps of other widths have unequal lists",
     two_maps([[2, 3], [4]], *PAIR), {unequal("J")}),
    ("a fan-in waits for ever although its aggregator was invoked another way",
     case([1, 2], function("S", edge("F", "Map"), edge("G")),
          function("F", fan_in("G", "F-unumIndex-0", "F-unumIndex-1", "F-unumIndex-2")),
          function("G")),
     {incomplete("G")}),
    ("an aggregator that is also reached by a chain has two ways in",
     case([1, 2], function("S", edge("F", "Map"), edge("G")),
          function("F", fan_in("G", "F-unumIndex-*")), function("G")),
     {second("G")}),
    ("a stand-in waits for the rest of its list",
     case([], function("S", edge("M"), edge("X")),
          function("M", edge("F", "Map", modifiers=["Pop"])),
          function("X", fan_in("G", "X-unumIndex-1")),
          function("F", fan_in("G", "F-unumIndex-*", "X-unumIndex-1")), function("G"),
          X=["constant", 5]),
     [5]),
    ("a stand-in waits for ever for a rest that never runs",
     case([], function("S", edge("M"), edge("X", when="$ret == 1")),
          function("M", edge("F", "Map", modifiers=["Pop"])),
          function("X", fan_in("G", "X-unumIndex-1")),
          function("F", fan_in("G", "F-unumIndex-*", "X-unumIndex-1")), function("G")),
     {incomplete("G")}),
    ("two edges of one instance to one instance are two ways in",
     case([7], function("S", edge("F", "Map", when="$ret != 5"),
                        edge("F", when="$ret != 6", modifiers=["Push"])), function("F")),
     {second("F-unumIndex-0")}),
    ("two maps of one instance to one function are two ways in",
     case([7, 8], function("S", edge("F", "Map"), edge("F", "Map", when="$ret != 6")),
          function("F")),
     {second("F-unumIndex-0"), second("F-unumIndex-1")}),
    ("a map and a chain after Pop meet in one instance",
     case([7], function("S", edge("F", "Map")),
          function("F", edge("G", "Map", modifiers=["Pop"]), edge("G")), function("G"),
          F=["copies", 1]),
     {second("G-unumIndex-0")}),
    ("an empty map goes on to the aggregator that its branches end in",
     case([], function("A", edge("B", "Map")), function("B", fan_in("C", "B-unumIndex-*")),
          function("C")), []),
    ("the stand-in keeps what its list names beside the branches",
     case([], function("A", edge("B", "Map")), function("B", fan_in("C", "B-unumIndex-*", "A")),
          function("C")), [[]]),
    ("a row that is empty lets the outer join run",
     case([[1], [], [2, 3]], function("M", edge("F", "Map")), function("F", edge("G", "Map")),
          function("G", fan_in("H", "G-unumIndex-*.$1")), function("H", fan_in("A", "H-unumIndex-*")),
          function("A")), [[1], [], [2, 3]]),
    ("the outer map is empty",
     case([], function("M", edge("F", "Map")), function("F", edge("G", "Map")),
          function("G", fan_in("H", "G-unumIndex-*.$1")), function("H", fan_in("A", "H-unumIndex-*")),
          function("A")), []),
    ("elements from the last to the first",
     case([1, 2, 3], function("S", edge("F", "Map")),
          function("F", fan_in("G", "F-unumIndex-($size-1)", "F-unumIndex-0",
                               when="$0 == 0 or $0 == $size-1")), function("G")),
     {"F-unumIndex-1": 2, "G": [3, 1]}),
    ("a computed index past the end fails the step that asks",
     case([1, 2], function("S", edge("F", "Map")),
          function("F", fan_in("G", "F-unumIndex-$0", "F-unumIndex-($0+1)", modifiers=[])),
          function("G")), {failed("F-unumIndex-1"), incomplete("G-unumIndex-0")}),
    ("a step that is not in its own list fails",
     case([1, 2, 3], function("S", edge("F", "Map")),
          function("F", fan_in("G", "F-unumIndex-0", "F-unumIndex-1")), function("G")),
     {failed("F-unumIndex-2")}),
    ("a map over no list fails the step",
     case(3, function("S", edge("F", "Map")), function("F")), {failed("S")}),
    ("a failure of user code is the run's, and so is the aggregator that waits for it",
     case([[1], []], function("S", edge("F", "Map")), function("F", fan_in("G", "F-unumIndex-*")),
          function("G"), F=["item", 0]), {failed("F-unumIndex-1", "user"), incomplete("G")}),
    ("an aggregator over a chain, exclusive edges and a join by one name",
     case([1, 2], function("S", edge("F", "Map")),
          function("F", edge("A", when="$ret == 1", Exclusive=True), edge("B", Exclusive=True)),
          function("A", edge("J")), function("B", edge("J")),
          function("J", fan_in("G", "J-unumIndex-*")), function("G"), A=["plus", 10]), [11, 2]),
    ("a sibling that does not exist has no fan-in",
     case(0, function("S", edge("A"), edge("B")),
          function("A", fan_in("J", "A-unumIndex-0", modifiers=[])), function("B"), function("J")),
     {"B-unumIndex-1": 0, "J-unumIndex-0": [0]}),
    ("parts over the size of an empty map name nothing",
     case([], function("S", edge("F", "Map")), function("F", fan_in("G", "F-unumIndex-($size-1)")),
          function("G")), []),
    ("literal parts still name branches of an empty map, which never run",
     case([], function("S", edge("F", "Map")), function("F", fan_in("G", "F-unumIndex-0")),
          function("G")), {incomplete("G")}),
    ("what follows Pop applies to the frames that an empty map leaves",
     case([[], []], function("S", edge("R", "Map")), function("R", edge("L", "Map")),
          function("L", fan_in("G", "L-unumIndex-*.$1", modifiers=["Pop", "$0 = $0 + 1"])),
          function("G")), {"G-unumIndex-1": [], "G-unumIndex-2": []}),
    ("an empty map whose fan-in is not wanted by its row does not stand in",
     rows([[], [1], []], fan_in("G", "L-unumIndex-*.$1", when="$1 != 2"), function("G")),
     {"G-unumIndex-0": [], "G-unumIndex-1": [1], "R-unumIndex-2": []}),
    ("a condition that mentions a result counts as true for an empty map",
     rows([[], []], fan_in("G", "L-unumIndex-*.$1", when="$1 == 0 and $ret == 1"), function("G")),
     {"G-unumIndex-0": [], "G-unumIndex-1": []}),
    ("rows that are all empty invoke their common aggregator once",
     rows([[], []], fan_in("G", "L-unumIndex-*.$1", modifiers=["Pop", "Pop"]), function("G")), []),
    ("whom a stand-in's list names is no final result, whatever it planned itself",
     case([], function("S", edge("M"), edge("X")),
          function("M", edge("F", "Map", modifiers=["Pop"])),
          function("F", fan_in("G", "X-unumIndex-1")),
          function("X", fan_in("G", "X-unumIndex-1", when="false")), function("G")), [[]]),
    ("an exclusive fan-in is wanted by those that took no other way",
     case([1, 2, 3], function("S", edge("F", "Map")),
          function("F", edge("A", when="$ret == 2", Exclusive=True),
                   fan_in("G", "F-unumIndex-$0", modifiers=[], Exclusive=True)),
          function("A"), function("G")),
     {"A-unumIndex-1": 2, "G-unumIndex-0": [1], "G-unumIndex-2": [3]}),
    ("an exclusive map is not taken beside another way",
     case([[1], 2], function("S", edge("F", "Map")),
          function("F", edge("A", when="$ret == 2", Exclusive=True), edge("B", "Map", Exclusive=True)),
          function("A"), function("B")), {"A-unumIndex-1": 2, "B-unumIndex-0.0": 1}),
    ("a loop's rounds meet",
     case(1, function("S", edge("L", modifiers=["Push"])),
          function("L", edge("L", when="$0 < 2", modifiers=["$0 = $0 + 1"]),
                   fan_in("T", "L-unumIndex-0", "L-unumIndex-1", "L-unumIndex-2", when="$0 == 2")),
          function("T"), L=["plus", 1]), [2, 3, 4]),
    ("three times two lists from the innermost out",
     case([[[1], [2, 3]], [[4]]], function("S", edge("Q", "Map")), function("Q", edge("R", "Map")),
          function("R", edge("L", "Map")), function("L", fan_in("G", "L-unumIndex-$1.*.$2")),
          function("G", fan_in("H", "G-unumIndex-*.$1")), function("H", fan_in("I", "H-unumIndex-*")),
          function("I")), [[[1], [2, 3]], [[4]]]),
    ("a sibling that is not in its own list fails, and nobody acts for it",
     rows([[], [6, 7]], fan_in("G", "L-unumIndex-0.$1", when="$0 > 0", modifiers=["Pop", "Pop"]),
          function("G")), {failed("L-unumIndex-1.1"), incomplete("G")}),
]
