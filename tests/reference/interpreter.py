"""A slow, obvious interpreter: what a whole application must come to, in any order of completion.

It follows the edges until nothing new comes up and judges the fan-ins when it knows the whole run,
so it has no orders, no stores and no records of who wants what.
"""

from collections import namedtuple

from behaviours import UserFailure, run_code
from empty_maps import edges_of, kind_of, modifiers_of, parallel_edges, stand_in
from expressions import Fault, Unknown, condition
from names import Environment, Frame, expand, instance_name, modified

# Who asks for a fan-in: an instance over an edge of its own, or one that stands in for branches.
# `own`: whether it is named by its own list, as a contributor is.
Want = namedtuple("Want", "instance aggregator target frames names edge stands_in")
Child = namedtuple("Child", "function frames value origin")

INSTANCES_MAX = 100


class TooLarge(Exception):
    """The run has more instances than a test should have."""


class Instance:
    """One invocation identity, and what it came to."""

    def __init__(self, function, frames, origin, value):
        self.function = function
        self.frames = frames
        self.origins = {origin}
        self.value = value
        self.name = instance_name(function, frames)
        self.result = None
        self.error = None
        self.children = []
        self.wants = []
        self.ancestors = set()


class Run:
    """All of a run. `functions`: IR by name; `behaviours`: by name."""

    def __init__(self, functions, behaviours, value):
        self.functions = functions
        self.behaviours = behaviours
        self.instances = {}
        self.claimed = {}
        self.taken = set()
        self.disagreeing = set()
        entry = next(name for name, ir in functions.items() if ir.get("Start"))
        self.invoke([Child(entry, (), value, "the run itself")], set())
        while self.complete_fan_ins():
            pass

    # --- What runs

    def invoke(self, children, ancestors):
        """Runs new instances and all that follows from them; a known one gets another origin."""
        todo = [(child, ancestors) for child in children]
        while todo:
            child, above = todo.pop(0)
            known = self.instances.get(instance_name(child.function, child.frames))
            if known:
                known.origins.add(child.origin)
                continue
            if len(self.instances) >= INSTANCES_MAX or len(child.frames) > 64:
                raise TooLarge
            instance = Instance(child.function, child.frames, child.origin, child.value)
            instance.ancestors = above
            self.instances[instance.name] = instance
            self.run_one(instance)
            todo += [(each, above | {instance.name}) for each in instance.children]

    def run_one(self, instance):
        try:
            instance.result = run_code(self.behaviours[instance.function], instance.value)
            self.follow_edges(instance)
        except UserFailure:
            instance.error = "user"
        except Fault as fault:
            instance.error = fault.code
        if instance.error:
            instance.children, instance.wants = [], []

    def follow_edges(self, instance):
        """Evaluates every edge: children and fan-ins, or the first Fault."""
        function = self.functions[instance.function]
        parallel = parallel_edges(function)
        environment = Environment(instance.frames, instance.result, has_result=True)
        chosen = False
        for number, edge in enumerate(edges_of(function)):
            if edge.get("Exclusive") and chosen:
                continue
            if not condition(edge.get("Conditional"), environment):
                continue
            chosen = chosen or bool(edge.get("Exclusive"))
            self.taken.add((instance.function, number))
            frames = modified(instance.frames, modifiers_of(function, edge))
            origin = (instance.name, number)
            if kind_of(edge) == "Map":
                self.follow_map(instance, edge, frames, origin)
            elif kind_of(edge) == "Fan-in":
                self.follow_fan_in(instance, edge, frames)
            else:
                if edge in parallel:
                    place = next(i for i, each in enumerate(parallel) if each is edge)
                    frames = (Frame("Parallel", place, len(parallel)),) + frames
                instance.children.append(Child(edge["Name"], frames, instance.result, origin))

    def follow_map(self, instance, edge, frames, origin):
        items = instance.result
        if not isinstance(items, list):
            raise Fault("Unum.Map", f"{instance.name} gave no list")
        for place, item in enumerate(items):
            inside = (Frame("Map", place, len(items)),) + frames
            instance.children.append(Child(edge["Name"], inside, item, origin))
        if items:
            return
        place = stand_in(self.functions, edge, frames)
        if place:
            aggregator = instance_name(place.target, place.frames)
            instance.wants.append(Want(instance, aggregator, place.target, place.frames,
                                       tuple(place.names), edge, True))

    def follow_fan_in(self, instance, edge, frames):
        names = tuple(expand(edge["InputType"]["Fan-in"]["Values"], instance.frames))
        if instance.name not in names:
            raise Fault("Unum.NoSlot", f"{instance.name} is not in its own list")
        aggregator = instance_name(edge["Name"], frames)
        instance.wants.append(Want(instance, aggregator, edge["Name"], frames, names, edge, False))

    # --- Fan-ins

    def succeeded(self, name):
        return name in self.instances and self.instances[name].error is None

    def wants(self):
        """All wants of the run, by aggregator."""
        found = {}
        for instance in self.instances.values():
            for want in instance.wants:
                found.setdefault(want.aggregator, []).append(want)
        return found

    def complete_fan_ins(self):
        """Invokes the aggregators of all fan-ins that are complete. Whether there was one."""
        progress = False
        for aggregator, wants in self.wants().items():
            lists = {(want.names, want.frames) for want in wants}
            if len(lists) > 1:
                self.disagreeing.add(aggregator)
                continue
            names, frames = lists.pop()
            if aggregator in self.claimed or not all(map(self.succeeded, names)):
                continue
            self.claimed[aggregator] = wants
            members = [self.instances[name] for name in names] + [w.instance for w in wants]
            above = set().union(*({each.name} | each.ancestors for each in members))
            values = [self.instances[name].result for name in names]
            self.invoke([Child(wants[0].target, frames, values, ("fan-in", names, frames))], above)
            progress = True
        return progress

    # --- What came out

    def disputed(self):
        """Names whose values depend on an order: more than one way in, or unequal lists; and all
        that stand behind them."""
        names = {name for name, each in self.instances.items() if len(each.origins) > 1}
        names |= self.disagreeing
        return names | {name for name, each in self.instances.items() if each.ancestors & names}

    def failures(self):
        """All that a run must report, as (kind, name)."""
        found = set()
        for name, instance in self.instances.items():
            if instance.error:
                found.add(("instance", name, "user" if instance.error == "user" else "Unum"))
            if len(instance.origins) > 1:
                found.add(("second way in", name))
        found |= {("unequal fan-in", name) for name in self.disagreeing}
        for aggregator in self.wants():
            if aggregator not in self.claimed and aggregator not in self.disagreeing:
                found.add(("incomplete fan-in", aggregator))
        if not found and not self.finals():
            found.add(("no result", ""))
        return found

    def finals(self):
        """The values of the final instances, by name."""
        consumed = set()
        for aggregator in self.claimed:
            for want in self.wants()[aggregator]:
                consumed |= {want.instance.name, *want.names}
        return {name: each.result for name, each in self.instances.items()
                if not each.children and name not in consumed}

    def result(self):
        """The value of a run without failures: that of its final instances."""
        finals = self.finals()
        if len(finals) == 1:
            return next(iter(finals.values()))
        return dict(sorted(finals.items()))


class Outcome:
    """What a run must come to: `failures` is empty and `result` counts, or the other way round.

    `disputed`: a second way in, or unequal lists, which some order hides from what follows; then a
    run must report at least `certain`, and may report more.
    """

    def __init__(self, run):
        self.failures = run.failures()
        self.disputed = run.disputed()
        self.certain = {failure for failure in self.failures if self.is_certain(run, failure)}
        self.result = None if self.failures else run.result()
        self.instances = sum(each.error is None for each in run.instances.values())
        self.fan_ins = len(run.claimed)
        self.unsupported = unsupported(run)
        self.all_edges_taken = all((name, number) in run.taken for name, ir in run.functions.items()
                                   for number in range(len(edges_of(ir))))
        self.widths = [len(each.result) for each in run.instances.values() if any(
            kind_of(edge) == "Map" for edge in edges_of(run.functions[each.function]))
            and isinstance(each.result, list)]

    def is_certain(self, run, failure):
        kind, name = failure[:2]
        if not self.disputed:
            return True
        if kind == "unequal fan-in":
            lists = {(want.names, want.frames) for want in run.wants()[name]
                     if want.instance.name not in self.disputed}
            return len(lists) > 1
        if kind == "second way in":
            return not run.instances[name].ancestors & self.disputed
        return kind == "instance" and name not in self.disputed


def unsupported(run):
    """Contributors that have no means to find the fan-in that names them: a defect of the
    application that says nothing about the runtime. As texts."""
    problems = []
    for wants in run.wants().values():
        for want in wants:
            for name in want.names:
                if name in run.instances and not can_find(run, want, run.instances[name]):
                    problems.append(f"{name} cannot find the fan-in of {want.instance.name} "
                                    f"into {want.aggregator}")
    return problems


def can_find(run, want, contributor):
    if contributor is want.instance or is_ancestor_of_all(run, want, contributor):
        return True
    same_depth = len(contributor.frames) == len(want.instance.frames)
    if not want.stands_in and contributor.function == want.instance.function and same_depth:
        if contributor.frames[1:] == want.instance.frames[1:]:
            return True
        return not keeps_level0(run, want)
    function = run.functions[contributor.function]
    for edge in edges_of(function):
        if kind_of(edge) != "Fan-in" or edge["Name"] != want.target:
            continue
        try:
            frames = modified(contributor.frames, modifiers_of(function, edge))
        except (Fault, Unknown):
            continue
        if instance_name(want.target, frames) == want.aggregator:
            return True
    return False


def is_ancestor_of_all(run, want, contributor):
    """Whether it is only read: it ended before the others began, but for its own ancestors."""
    if contributor.name not in want.instance.ancestors:
        return False
    others = [run.instances[name] for name in want.names
              if name in run.instances and name != contributor.name]
    return all(contributor.name in each.ancestors or each.name in contributor.ancestors
               for each in others)


def keeps_level0(run, want):
    """Whether the aggregator's name depends on the index or the size of the asking row."""
    modifiers = modifiers_of(run.functions[want.instance.function], want.edge)
    changed = tuple(frame._replace(index=frame.index + 1, size=frame.size + 1) if level == 0
                    else frame for level, frame in enumerate(want.instance.frames))
    try:
        return instance_name(want.target, modified(changed, modifiers)) != want.aggregator
    except Fault:
        return True


def interpret(case):
    """The outcome of a case: {"functions": [IR, ...], "behaviours": {...}, "input": value}."""
    functions = {ir["Name"]: ir for ir in case["functions"]}
    return Outcome(Run(functions, case["behaviours"], case["input"]))
