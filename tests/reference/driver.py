"""The program that runs cases in many orders (order_driver.cpp), and what it saw held against what
must come out."""

import collections
import json
import os
import re
import subprocess

# What is wrong: `kind` groups findings, `text` shows both sides.
Problem = collections.namedtuple("Problem", "kind text")

RUN_FAILURES = {"second way in": "Unum.SecondWayIn", "unequal fan-in": "Unum.UnequalFanIn",
                "incomplete fan-in": "Unum.IncompleteFanIn", "no result": "Unum.NoResult"}
# What a tombstone hides from who comes later: where a step came from, and the lists that led to a fan-in.
HIDDEN = {"second way in", "unequal fan-in"}
# The runs of one session, and how a problem says which it was.
RUNS = {"first": "", "again": " (the session's second run)", "one": " (two hosts at once)",
        "resumed": " (after a host died)"}


class Driver:
    """One process that takes case after case."""

    def __init__(self, environment=None):
        self.process = subprocess.Popen(
            [os.environ["UNUM_ORDER_DRIVER"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=dict(os.environ, **(environment or {})))

    def run(self, case, store=("memory", "orders"), orders=20, interleavings=10, together=6,
            deaths=6, seed=1):
        question = dict(case, store=list(store), orders=orders, interleavings=interleavings,
                        together=together, deaths=deaths, seed=seed)
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the driver ended ({self.process.wait()}) at {json.dumps(case)}")
        return json.loads(line, object_pairs_hook=Ordered)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Ordered(dict):
    """A JSON object whose order of keys counts when two are compared."""

    def __eq__(self, other):
        return list(self.items()) == list(other.items()) if isinstance(other, dict) else False

    __hash__ = None


def ordered(value):
    return json.loads(json.dumps(value), object_pairs_hook=Ordered)


def same(left, right):
    """Equality of JSON values: booleans are no numbers, keys have an order."""
    return left == right and json.dumps(left) == json.dumps(right)


def named_in(name, text):
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\d)", text) is not None


def fits(expected, failure):
    """Whether a failure that was reported is one that was expected."""
    kind, name = expected[:2]
    if kind == "instance":
        own = failure["error"] == "UserFailure" if expected[2] == "user" else (
            failure["error"].startswith("Unum."))
        return failure["instance"] == name and own
    if failure["instance"] or failure["error"] != RUN_FAILURES[kind]:
        return False
    return not name or named_in(name, failure["cause"])


def readable(observed):
    if "result" in observed:
        return f"{json.dumps(observed['result'])} ({observed['instances']} instances)"
    if "failures" in observed:
        return observed["status"] + "".join(
            f"\n      {failure['instance'] or 'the run'}: {failure['error']}: {failure['cause']}"
            for failure in observed["failures"])
    return f"{observed['status']} {observed['error']}: {observed['cause']}"


def readable_expected(expected):
    if not expected.failures:
        return f"{json.dumps(expected.result)} ({expected.instances} instances)"
    return "failed" + "".join(f"\n      {' '.join(failure)}" for failure in sorted(
        expected.certain if expected.disputed else expected.failures))


def judge_one(expected, observed, hidden=False):
    """The kind of problem that an outcome is, or None. `hidden`: tombstones may have hidden some failures."""
    if observed.get("status") in ("threw", "broken off"):
        return f"the run {observed['status']}"
    if not expected.failures:
        if "failures" in observed:
            errors = sorted({failure["error"] for failure in observed["failures"]})
            return "fails and must succeed: " + ", ".join(errors)
        if not same(observed["result"], ordered(expected.result)):
            return "another result"
        return None if observed["instances"] == expected.instances else "counts instances wrong"
    required = expected.certain if expected.disputed else expected.failures
    if hidden:
        required = {failure for failure in required if failure[0] not in HIDDEN}
    kinds = ", ".join(sorted({failure[0] for failure in expected.failures}))
    if "result" in observed:
        if hidden and not required:
            return None
        return "succeeds and must fail: " + kinds
    missed = {each[0] for each in required
              if not any(fits(each, failure) for failure in observed["failures"])}
    if missed:
        return "does not report: " + ", ".join(sorted(missed))
    # A fan-in that only failed steps would have told of is named, too: their edges are followed.
    behind = any(each[0] == "instance" for each in required)
    surplus = {failure["error"] for failure in observed["failures"]
               if not any(fits(each, failure) for each in required)
               and not (behind and failure["error"] == RUN_FAILURES["incomplete fan-in"])}
    if surplus and not expected.disputed:
        return "reports what is not so: " + ", ".join(sorted(surplus))
    return None


def judge_pair(expected, one, other, hidden):
    """The kind of problem with two hosts that ran one session together. What one of them claimed
    the other does not run, so that both together report all failures, and where steps fail, each
    those that it met."""
    for observed in (one, other):
        if not expected.failures or "failures" not in observed:
            kind = judge_one(expected, observed, hidden)
            if kind:
                return kind
    if not expected.failures:
        return None
    together = {"status": "failed", "failures": one.get("failures", []) + other.get("failures", [])}
    if any(failure[0] == "instance" for failure in expected.failures):
        together["failures"] = [each for each in together["failures"] if each["instance"]]
        steps = {failure for failure in expected.failures if failure[0] == "instance"}
        missed = [each for each in steps & expected.certain
                  if not any(fits(each, failure) for failure in together["failures"])]
        return "does not report: instance" if missed else None
    return judge_one(expected, together, hidden)


ORDER_MAX = 90


def readable_order(order):
    """One line for user code alone, else a line each."""
    if not any(":" in step for step in order):
        return " ".join(order)
    if len(order) > ORDER_MAX:
        left_out = f"... {len(order) - ORDER_MAX} more ..."
        order = order[:ORDER_MAX // 2] + [left_out] + order[-ORDER_MAX // 2:]
    return "\n      " + "\n      ".join(order)


def judge(expected, answer):
    """The problems with what the driver saw of one case, one of each kind."""
    problems = {}
    if not answer["loads"]:
        return [Problem("does not load", "\n".join(answer["errors"]))]
    # Those with few steps first: the orders of user code alone.
    for outcome in sorted(answer["outcomes"],
                          key=lambda each: ("first" not in each, len(each["order"]))):
        runs = [(which, note) for which, note in RUNS.items() if which in outcome]
        for which, note in runs:
            hidden = outcome["collected"] and which != "first" and bool(expected.disputed)
            if which == "one":
                kind = judge_pair(expected, outcome["one"], outcome["other"], hidden)
            else:
                kind = judge_one(expected, outcome[which], hidden)
            if kind is None:
                continue
            kind += note
            shown = readable(outcome[which])
            if which == "one":
                shown += "\n      and " + readable(outcome["other"])
            problems.setdefault(kind, Problem(
                kind, f"  must be: {readable_expected(expected)}\n"
                f"  is: {shown}\n"
                f"  {outcome['count']} of {answer['orders']} orders, for example: "
                + readable_order(outcome["order"])))
    for text in answer["problems"]:
        problems.setdefault("code runs again", Problem("code runs again", "  " + text))
    return list(problems.values())
