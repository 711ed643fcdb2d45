"""Random small applications by seed: shapes in which branches meet, with lists, conditions and
modifiers of all forms, right and slightly wrong ones.

A shape says which functions there are and how deep they stand; what a fan-in edge carries is drawn
for its function's depth. About half of what comes out completes; the rest fails in some way.
"""

from cases import case, edge, fan_in, function
from expressions import Fault
from interpreter import TooLarge, interpret

TRIES_MAX = 200
# How often a case that fails is kept, by the kinds of its failures: the rarer ones more often.
KEPT = {"instance": 0.15, "unequal fan-in": 0.25, "incomplete fan-in": 0.9, "second way in": 0.7,
        "no result": 1}


class Generator:
    """Draws applications. `random`: a random.Random; `widths`: each list has one of its own."""

    def __init__(self, random, widths=()):
        self.random = random
        self.widths = widths
        self.unused = []
        self.behaviours = {}

    # --- Small things

    def chance(self, share):
        return self.random.random() < share

    def pick(self, *choices):
        return self.random.choice(choices)

    def width(self, most=None):
        """The length of the next list; `most` where others stand in it or beside it."""
        if self.widths:
            fitting = [width for width in self.unused if most is None or width <= most]
            chosen = self.random.choice(fitting or self.widths)
            self.unused = [width for width in self.unused if width != chosen]
            return chosen
        return self.random.choices([0, 1, 2, 3, 4], [2, 3, 6, 5, 1])[0]

    def items(self, depth):
        """Lists in lists, their widths unequal, with small numbers in them."""
        if depth == 0:
            return self.random.randrange(4)
        return [self.items(depth - 1) for _ in range(self.width(depth + 2))]

    def code(self, name, *choices):
        """Gives a function a behaviour now and then."""
        if choices and self.chance(0.4):
            self.behaviours[name] = list(self.random.choice(choices))

    def number_code(self, name):
        self.code(name, ["sum"], ["plus", 1], ["remainder", 2], ["remainder", 3], ["constant", 1])

    # --- Conditions

    def condition(self, depth, results=True):
        """A condition for a function at a depth of frames, or None."""
        draw = self.random.random()
        if draw < 0.4:
            return None
        parts = []
        if depth:
            parts += [f"$0 == {self.pick(0, 1, 2)}", "$0 == $size - 1", "$0 < $size - 1", "$0 > 0",
                      "$0 == 0", "$0 % 2 == 0", "$size > 2", "$0 in [0, 2]"]
        if depth > 1:
            parts += ["$1 == 0", "$1 == $size1 - 1", "$1 < $size1 - 1", f"$1 == {self.pick(0, 1)}"]
        if results:
            parts += [f"$ret == {self.pick(0, 1, 2, 3)}", "$ret > 1", "$ret % 2 == 0", "$ret < 3"]
        if not parts:
            return None
        first, second = self.random.choice(parts), self.random.choice(parts)
        if draw < 0.85:
            return first
        return self.pick(f"{first} or {second}", f"{first} and {second}", f"not ({first})")

    # --- Lists

    def inner_part(self):
        return self.random.choices(
            ["*", "$0", "($0+1)", "($0-1)", "0", "1", "($size-1-$0)", "($size-1)", "($0//2*2)",
             "($0//2*2+1)", "(($0+1)%$size)"],
            [8, 6, 4, 3, 2, 1, 2, 2, 1, 1, 1])[0]

    def outer_part(self, level):
        return self.random.choices(
            [f"${level}", f"(${level}+1)", f"(${level}-1)", "0", f"($size{level}-1-${level})"],
            [8, 4, 3, 1, 1])[0]

    def pattern(self, name, depth):
        if depth == 0:
            return name
        parts = [self.inner_part()] + [self.outer_part(level) for level in range(1, depth)]
        bound = all("$" in part or part == "*" for part in parts)
        if bound and "($size-1)" not in parts and self.chance(0.2):
            parts.reverse()
        return f"{name}-unumIndex-{'.'.join(parts)}"

    def own_list(self, name, depth):
        """A list for a fan-in of a function alone: often one that names the function itself."""
        outer = "".join(f".${level}" for level in range(1, depth))
        here = f"{name}-unumIndex-$0{outer}"
        everyone = f"{name}-unumIndex-*{outer}"
        draw = self.random.random()
        if depth == 0:
            return [name]
        if draw < 0.3:
            return [everyone]
        if draw < 0.4:
            return [here]
        if draw < 0.5:
            return [here, f"{name}-unumIndex-($0+1){outer}"]
        if depth > 1 and draw < 0.7:
            row = self.pick("($1+1)", "($1-1)", "0")
            return self.shuffled([everyone, f"{name}-unumIndex-*.{row}" + outer[3:]], 0.3)
        if draw < 0.85:
            return self.shuffled([self.pick(here, everyone), self.pattern(name, depth)], 0.3)
        return [self.pattern(name, depth) for _ in range(self.pick(1, 2))]

    def shuffled(self, items, share):
        if self.chance(share):
            self.random.shuffle(items)
        return items

    def modifiers(self, depth):
        """Mostly the Pop that makes branches meet."""
        return list(self.random.choices(
            [["Pop"], [], ["Pop", "Pop"], ["$0 = $0 // 2"], ["$0 = 0"], ["$0 = $0 // 2", "$size = 2"],
             ["$size = $size - 1"], ["Pop", "Push"], ["Push"], ["$0 = $0 + 1"]],
            [14, 4, 6 if depth > 1 else 1, 2, 2, 1, 1, 1, 1, 1])[0])

    def condition_for(self, values, depth):
        """A condition that lets the computed parts of a list stand, now and then."""
        text = " ".join(values)
        if self.chance(0.75):
            if "($0+1)" in text:
                return self.pick("$0 < $size - 1", "$0 == 0", "$0 < $size - 1 and $ret > 0")
            if "($0-1)" in text:
                return "$0 > 0"
            if "($1+1)" in text:
                return self.pick("$1 < $size1 - 1", "$1 == 0", "$1 == 0 and $ret > 0")
            if "($1-1)" in text:
                return self.pick("$1 > 0", "$1 == $size1 - 1")
            if text.endswith("-$0") or "*" not in text:
                return self.pick("$0 == 0", "$ret == 1", "$ret == 2", "$0 == $size - 1", None)
        return self.condition(depth)

    def meeting(self, target, values, depth, modifiers=None):
        when = self.condition_for(values, depth)
        return fan_in(target, *values, when=when,
                      modifiers=self.modifiers(depth) if modifiers is None else modifiers)

    # --- What comes after an aggregator

    def tail(self, name, depth=0):
        """Functions from an aggregator on."""
        draw = self.random.random()
        if draw < 0.6:
            self.code(name, ["identity"], ["sum"], ["length"])
            return [function(name)]
        after = name + "2"
        if draw < 0.7:
            return [function(name, edge(after)), function(after)]
        branch = name + "1"
        if draw < 0.85 and depth == 0:
            self.behaviours[name] = self.pick(["spread", 3], ["identity"], ["copies", 2])
            return [function(name, edge(branch, "Map")),
                    function(branch, self.meeting(after, self.own_list(branch, 1), 1)),
                    function(after)]
        if depth == 1:
            return [function(name, fan_in(after, f"{name}-unumIndex-*")), function(after)]
        return [function(name)]

    def on_empty(self, target):
        return {"OnEmpty": {"Name": target}} if self.chance(0.12) else {}

    # --- Shapes

    def map_shape(self):
        """S maps to F, which fans in to G."""
        value = [self.random.randrange(4) for _ in range(self.width())]
        self.number_code("F")
        values = self.own_list("F", 1)
        if self.chance(0.12):
            values = self.shuffled(values + ["S"], 0.5)
        edges = [self.meeting("G", values, 1)]
        if self.chance(0.15):
            edges.append(self.meeting(self.pick("G", "H"), self.own_list("F", 1), 1))
        functions = [function("S", edge("F", "Map", **self.on_empty("G"))), function("F", *edges)]
        return value, functions + self.tail("G") + self.others(edges, "H")

    def others(self, edges, *names):
        """Functions that only some edges name."""
        named = {each["Name"] for each in edges}
        return [function(name) for name in names if name in named]

    def rows_shape(self):
        """S maps to R, R to L, L fans in to G by rows, or over rows."""
        value = self.items(2)
        self.number_code("L")
        values = self.own_list("L", 2)
        modifiers = self.random.choices([["Pop"], ["Pop", "Pop"], [], ["Pop", "$0 = 0"],
                                         ["Pop", "$0 = $0 // 2"]], [6, 6, 1, 1, 1])[0]
        functions = [function("S", edge("R", "Map")), function("R", edge("L", "Map")),
                     function("L", self.meeting("G", values, 2, modifiers))]
        if modifiers == ["Pop", "Pop"]:
            return value, functions + self.tail("G")
        if modifiers == ["Pop"]:
            return value, functions + self.tail("G", 1)
        return value, functions + [function("G")]

    def two_maps_shape(self):
        """P and Q beside each other map to A and B, which fan in to one aggregator."""
        width = self.width()
        other = width if self.chance(0.6) else self.width()
        value = [[self.random.randrange(4) for _ in range(width)],
                 [self.random.randrange(4) for _ in range(other)]]
        self.behaviours.update(P=["item", 0], Q=["item", 1])
        lists = [["A-unumIndex-*", "B-unumIndex-*"], ["A-unumIndex-$0", "B-unumIndex-$0"],
                 ["A-unumIndex-0", "B-unumIndex-*"], ["A-unumIndex-*", "B-unumIndex-0"],
                 ["A-unumIndex-($0+1)", "B-unumIndex-$0"]]
        values = self.random.choices(lists, [6, 3, 1, 1, 1])[0]
        mine, theirs = values, values
        if self.chance(0.2):
            mine, theirs = ["A-unumIndex-*"], ["B-unumIndex-*"]
        when = self.condition_for(values, 1) if self.chance(0.4) else None
        when_other = when if self.chance(0.6) else self.condition(1)
        modifiers = [] if "$0" in "".join(values) and self.chance(0.8) else ["Pop"]
        up = self.pick(["Pop"], ["Pop"], ["Pop"], [])
        functions = [function("S", edge("P"), edge("Q")),
                     function("P", edge("A", "Map", modifiers=up, **self.on_empty("J"))),
                     function("Q", edge("B", "Map", modifiers=up)),
                     function("A", fan_in("J", *mine, when=when, modifiers=modifiers)),
                     function("B", fan_in("J", *theirs, when=when_other, modifiers=modifiers))]
        return value, functions + (self.tail("J") if modifiers else [function("J")])

    def parallel_shape(self):
        """Two or three functions beside each other fan in to one."""
        count = self.pick(2, 2, 3)
        names = ["A", "B", "C"][:count]
        everyone = [f"{name}-unumIndex-{place}" for place, name in enumerate(names)]
        functions = [function("S", *(edge(name, when=self.condition(0) if self.chance(0.2) else None)
                                     for name in names))]
        for place, name in enumerate(names):
            self.number_code(name)
            values = list(everyone)
            if self.chance(0.2):
                values = [everyone[place]]
            if self.chance(0.1):
                values.append("S")
            when = self.condition(1) if self.chance(0.5) else None
            functions.append(function(name, fan_in("J", *values, when=when)))
        return self.random.randrange(4), functions + self.tail("J")

    def choice_shape(self):
        """In a map one of two ways is taken; they meet by name or fan in on their own."""
        value = [self.random.randrange(4) for _ in range(self.width())]
        first = edge("A", when=f"$ret {self.pick('==', '<', '>')} {self.pick(1, 2)}", Exclusive=True)
        functions = [function("S", edge("F", "Map")), function("F", first, edge("B", Exclusive=True))]
        draw = self.random.random()
        if draw < 0.25:
            self.behaviours["F"] = ["sum"]
            functions[1] = function("F", first, fan_in("G", *self.own_list("F", 1), Exclusive=True))
            functions += [function("A")]
        elif draw < 0.6:
            functions += [function("A", edge("J")), function("B", edge("J")),
                          function("J", self.meeting("G", self.own_list("J", 1), 1))]
        else:
            values = self.pick(["A-unumIndex-$0"], ["B-unumIndex-$0"], ["F-unumIndex-*"])
            functions += [function("A", fan_in("G", "A-unumIndex-$0", modifiers=self.modifiers(1))),
                          function("B", fan_in("G", *values, modifiers=self.modifiers(1)))]
        return value, functions + self.tail("G")

    def both_ways_shape(self):
        """An aggregator is reached by a chain too, or one instance over two edges."""
        value = [self.random.randrange(4) for _ in range(self.width())]
        condition = self.pick(None, "$ret == 5", "$ret != 5", "false")
        extra = self.pick(edge("G", when=condition), edge("F", "Map", when=condition),
                          edge("F", when=condition, modifiers=["Push"]))
        functions = [function("S", edge("F", "Map"), extra),
                     function("F", self.meeting("G", self.own_list("F", 1), 1))]
        return value, functions + self.tail("G")

    def observer_shape(self):
        """A map, and beside it a function that fans in to the same aggregator."""
        value = [self.random.randrange(4) for _ in range(self.width())]
        values = self.pick(["F-unumIndex-*", "X-unumIndex-1"], ["X-unumIndex-1", "F-unumIndex-*"],
                           ["X-unumIndex-1", "F-unumIndex-0"])
        own = self.pick(values, ["X-unumIndex-1"], ["X-unumIndex-1", "F-unumIndex-0"])
        self.number_code("X")
        functions = [function("S", edge("M"), edge("X")),
                     function("M", edge("F", "Map", modifiers=["Pop"])),
                     function("F", fan_in("G", *values, when=self.pick(None, None, "$0 == 0"))),
                     function("X", fan_in("G", *own, when=self.pick(
                         "false", "$ret == 1", "$ret == 2", None)))]
        return value, functions + self.tail("G")

    def fold_shape(self):
        """Each element is folded into what the ones before it came to."""
        value = [self.random.randrange(4) for _ in range(self.width())]
        self.behaviours["B"] = ["sum"]
        more = fan_in("B", "B-unumIndex-$0", "P-unumIndex-($0+1)", when="$0 < $size - 1",
                      modifiers=["$0 = $0 + 1"])
        functions = [
            function("S", edge("P", "Map", **({"OnEmpty": {"Name": "R"}} if self.chance(0.7) else {}))),
            function("P", fan_in("B", "P-unumIndex-$0", when="$0 == 0", modifiers=[]),
                     fan_in("B", "B-unumIndex-($0-1)", "P-unumIndex-$0", when="$0 > 0",
                            modifiers=[])),
            function("B", more, edge("R", when="$0 == $size - 1", modifiers=["Pop"])), function("R")]
        return value, functions

    def blocks_shape(self):
        """Neighbouring elements meet in blocks of a fixed width, by a list that counts from the
        block's first element."""
        most = max(self.widths, default=4)
        block = self.pick(*(width for width in (2, 2, 3, 9, 12, 16) if width <= most))
        blocks = self.pick(1, 1, 2) if self.widths else self.pick(0, 1, 1, 2)
        ragged = self.pick(0, 0, 1)
        value = [self.random.randrange(4) for _ in range(block * blocks + ragged)]
        first = f"$0//{block}*{block}"
        values = [f"F-unumIndex-({first}+{place})" for place in range(block)]
        when = self.pick(None, f"$0 % {block} == 0", f"$0 < $size//{block}*{block}", "$ret == 1")
        modifiers = [f"$0 = $0 // {block}"]
        if self.chance(0.6):
            modifiers.append(f"$size = $size // {block}")
        functions = [function("S", edge("F", "Map")),
                     function("F", fan_in("G", *values, when=when, modifiers=modifiers))]
        return value, functions + self.tail("G", 1)

    def last_ones_shape(self):
        """The last or the first few elements meet; nobody names the others."""
        count = self.pick(*(count for count in (1, 2, 3, 12) if count <= max(self.widths, default=4)))
        value = [self.random.randrange(4) for _ in range(self.width())]
        last = [f"F-unumIndex-($size-{count - place})" for place in range(count)]
        choices = [(last, f"$0 >= $size - {count}"), (last, "$0 == $size - 1"),
                   ([f"F-unumIndex-{place}" for place in range(count)], f"$0 < {count}"),
                   ([f"F-unumIndex-($0-{count - 1 - place})" for place in range(count)],
                    "$0 == $size - 1"),
                   ([f"F-unumIndex-$0", f"F-unumIndex-({len(value) - 1}-$0)"], "$0 == 0"),
                   ([f"F-unumIndex-($size-1-$0)", "F-unumIndex-$0"], "$0 < $size//2")]
        values, when = self.random.choice(choices)
        modifiers = [] if "//" in when else ["Pop"]
        functions = [function("S", edge("F", "Map")),
                     function("F", fan_in("G", *values, when=when, modifiers=modifiers))]
        return value, functions + self.tail("G")

    def loop_shape(self):
        """Rounds of a loop, alone or in each element of a map, meet at the end."""
        rounds = self.pick(1, 2, 3)
        outer = self.chance(0.4)
        value = ([self.random.randrange(4) for _ in range(self.width())] if outer
                 else self.random.randrange(4))
        level = ".$1" if outer else ""
        values = self.pick([f"L-unumIndex-{place}{level}" for place in range(rounds + 1)],
                           [f"L-unumIndex-$0{level}", f"L-unumIndex-($0-1){level}"],
                           [f"L-unumIndex-$0{level}"])
        self.code("L", ["plus", 1])
        functions = [function("S", edge("E", "Map") if outer else edge("E")),
                     function("E", edge("L", modifiers=["Push"])),
                     function("L", edge("L", when=f"$0 < {rounds}", modifiers=["$0 = $0 + 1"]),
                              fan_in("T", *values, when=f"$0 == {rounds}"))]
        if outer:
            return value, functions + [function("T", fan_in("U", "T-unumIndex-*")), function("U")]
        return value, functions + self.tail("T")

    def deep_shape(self):
        """Three maps in each other, joined level by level or at once."""
        value = self.items(3)
        self.number_code("L")
        at_once = self.chance(0.3)
        inner = self.pick("L-unumIndex-*.$1.$2", "L-unumIndex-$1.$2.*", "L-unumIndex-$0.$1.$2")
        functions = [function("S", edge("Q", "Map")), function("Q", edge("R", "Map")),
                     function("R", edge("L", "Map"))]
        if at_once:
            when = self.pick("$2 == 0 and $1 == 0", "$1 == 0", None, "$2 == 0")
            return value, functions + [
                function("L", fan_in("G", inner, when=when, modifiers=["Pop", "Pop", "Pop"]))
            ] + self.tail("G")
        return value, functions + [
            function("L", fan_in("G", inner, when=self.condition(3) if self.chance(0.4) else None)),
            function("G", self.meeting("H", self.own_list("G", 2), 2, ["Pop"])),
            function("H", fan_in("I", "H-unumIndex-*")), function("I")]

    def free_shape(self):
        """Any edges from each function to those after it; most of what comes out is dropped."""
        names = ["S", "A", "B", "C", "D", "E"][:self.pick(3, 4, 5, 6)]
        depths = {"S": 0}
        functions = []
        for place, name in enumerate(names):
            depth = depths.setdefault(name, 0)
            edges = []
            for _ in range(self.pick(1, 1, 2) if place + 1 < len(names) else 0):
                target = self.random.choice(names[place + 1:place + 3])
                edges.append(self.free_edge(name, target, depth, depths))
            if len([each for each in edges if each["InputType"] == "Scalar"]) > 1:
                for each in edges:
                    depths[each["Name"]] = depth + 1
            if depth < 2:
                self.code(name, ["spread", 3], ["copies", 2], ["identity"])
            functions.append(function(name, *edges))
        return self.items(self.pick(1, 2)), functions

    def free_edge(self, name, target, depth, depths):
        kind = self.pick("Map", "Map", "Scalar", "Fan-in", "Fan-in") if depth else "Map"
        when = self.condition(depth) if self.chance(0.3) else None
        if kind == "Fan-in":
            values = self.own_list(name, depth)
            if self.chance(0.25):
                values.append(self.pattern(self.random.choice(list(depths)), depth))
            made = self.meeting(target, values, depth)
            pops = made["Payload Modifiers"].count("Pop") - made["Payload Modifiers"].count("Push")
            depths.setdefault(target, max(0, depth - pops))
            return made
        modifiers = ["Pop"] if depth and self.chance(0.2) else None
        depths.setdefault(target, depth + (kind == "Map") - (modifiers is not None))
        return edge(target, kind, when=when, modifiers=modifiers)

    # --- A whole case

    def vary(self, functions):
        """A small change at random."""
        functions = [dict(ir) for ir in functions]
        ir = self.random.choice(functions)
        target = self.random.choice(functions[1:])["Name"]
        edges = ir.get("Next", [])
        edges = list(edges) if isinstance(edges, list) else [edges]
        added = self.pick(edge(target, when="$ret == 1"), edge(target, "Map", when=self.condition(0)),
                          edge(target, when="$ret == 0", modifiers=["Push"]))
        if any(each.get("Exclusive") for each in edges):
            added["Exclusive"] = True
        ir["Next"] = edges + [added]
        return functions

    def draw(self):
        self.behaviours = {}
        self.unused = self.random.sample(self.widths, len(self.widths))
        shapes = [self.map_shape, self.rows_shape, self.two_maps_shape, self.parallel_shape,
                  self.choice_shape, self.both_ways_shape, self.observer_shape, self.fold_shape,
                  self.deep_shape, self.blocks_shape, self.last_ones_shape, self.loop_shape,
                  self.free_shape]
        weights = [6, 6, 4, 3, 2, 2, 3, 1, 2, 2, 2, 1, 4]
        value, functions = self.random.choices(shapes, weights)[0]()
        if self.chance(0.08):
            functions = self.vary(functions)
        names = {ir["Name"] for ir in functions}
        behaviours = {name: code for name, code in self.behaviours.items() if name in names}
        return case(value, *functions, **behaviours)


def next_case(random, generator=None, most=40):
    """A case and its outcome, one that says something: it completes a fan-in, or fails with some
    chance. `most`: of its instances."""
    generator = generator or Generator(random)
    for _ in range(TRIES_MAX):
        drawn = generator.draw()
        try:
            outcome = interpret(drawn)
        except (TooLarge, Fault):
            continue
        if outcome.unsupported or outcome.instances > most:
            continue
        if not outcome.failures and (outcome.fan_ins or random.random() < 0.2):
            return drawn, outcome
        if outcome.failures and random.random() < max(KEPT[kind] for kind, *_ in outcome.failures):
            return drawn, outcome
    raise RuntimeError("the generator finds no case")
