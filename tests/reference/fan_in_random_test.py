"""Small applications in many orders of completion, held against the reference interpreter: those of
cases.py, and random ones by seed.

UNUM_REFERENCE_SEED    one seed in place of the default ones: two that are fixed, and one from the
                       clock unless CI=true
UNUM_REFERENCE_CASES   how many random applications in all (default 400)
"""

import collections
import os
import random
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "apps")]

from cases import CASES
from driver import Driver, judge
from generate import Generator, next_case
from interpreter import interpret
from network_stores import DynamoDbStore, RedisStore, S3Store
from shrink import readable, shrink

FIXED_SEEDS = (1, 2)
COUNT = int(os.environ.get("UNUM_REFERENCE_CASES", "400"))
# What is shown when something fails: one case of each kind, made small.
KINDS_MAX = 6
# Besides memory: every so manieth case in files, in fewer orders.
ON_FILES_EVERY = 8
# Lengths of lists where each has its own.
WIDTHS = [*range(2, 10), 12, 13, 16, 17, 20]
ONLY_CHECK = {"orders": 0, "interleavings": 0, "together": 0, "deaths": 0}
# At least so many of the cases must complete a fan-in and succeed, or they say little.
SUCCEEDING_SHARE = 1 / 3


def seeds():
    """The seeds of this run, printed so that a failure can be run again."""
    given = os.environ.get("UNUM_REFERENCE_SEED")
    chosen = [int(given)] if given else list(FIXED_SEEDS)
    # What CI judges is the same each time; new applications are for those who can look at them.
    if not given and os.environ.get("CI") != "true":
        chosen.append(time.time_ns() // 1000 % 1_000_000)
    print(f"random applications of the seeds {', '.join(map(str, chosen))}; one of them again: "
          "UNUM_REFERENCE_SEED=...", flush=True)
    return chosen


def generated(count, make=next_case):
    """(seed, number, case, outcome) of so many cases in all."""
    chosen = seeds()
    for seed in chosen:
        source = random.Random(seed)
        for number in range(max(1, count // (1 if len(chosen) == 1 else len(FIXED_SEEDS) + 1))):
            yield (seed, number, *make(source))


class WithDriver(unittest.TestCase):
    SHRINKING_TRIES = 400

    @classmethod
    def setUpClass(cls):
        cls.driver = Driver()

    @classmethod
    def tearDownClass(cls):
        cls.driver.close()

    def problems(self, case, outcome, seed=0, **how):
        return judge(outcome, self.driver.run(case, seed=seed, **how))

    def expect_no_problem(self, cases, **how):
        """Runs cases; fails with a small case of each kind of problem."""
        found, total, wrong = {}, 0, 0
        for seed, number, case, outcome in cases:
            total += 1
            problems = self.problems(case, outcome, number, **how)
            wrong += bool(problems)
            if problems:
                found.setdefault(problems[0].kind, []).append((seed, number, case))
        texts = [self.smallest(kind, those, **how) for kind, those in list(found.items())[:KINDS_MAX]]
        if found:
            self.fail(f"{wrong} of {total} applications come to something else\n\n"
                      + "\n\n".join(texts))

    def smallest(self, kind, those, **how):
        seed, number, case = those[0]

        def problem_of(less, outcome):
            problems = self.problems(less, outcome, number, **how)
            return next((each for each in problems if each.kind == kind), None)

        small = shrink(case, problem_of, self.SHRINKING_TRIES)
        problem = problem_of(small, interpret(small)) or problem_of(case, interpret(case))
        shown = problem.text if problem else "  (it does not come up again)"
        return (f"{kind}: {len(those)} applications, the first one number {number} of seed {seed}, "
                f"made small:\n{readable(small)}\n{shown}")


class ByHand(WithDriver):
    def test_the_interpreter_knows_the_cases_written_by_hand(self):
        for sentence, case, expected in CASES:
            with self.subTest(sentence):
                outcome = interpret(case)
                self.assertEqual(expected, outcome.failures or outcome.result)
                self.assertEqual([], outcome.unsupported)

    def test_the_cases_written_by_hand_come_to_the_same_in_every_order(self):
        for sentence, case, _ in CASES:
            with self.subTest(sentence):
                problems = self.problems(case, interpret(case))
                self.assertEqual("", "\n".join(f"{each.kind}\n{each.text}" for each in problems))


class AtRandom(WithDriver):
    def test_random_applications_come_to_the_same_in_every_order(self):
        cases = list(generated(COUNT))
        succeeding = sum(bool(outcome.fan_ins and not outcome.failures) for *_, outcome in cases)
        self.assertGreater(succeeding, COUNT * SUCCEEDING_SHARE, "the generator is off")
        self.expect_no_problem(cases)

    def test_random_applications_come_to_the_same_in_files(self):
        with tempfile.TemporaryDirectory() as scratch:
            store = ("fs", os.path.join(scratch, "store"))
            self.expect_no_problem(generated(COUNT // ON_FILES_EVERY), store=store, orders=6,
                                   interleavings=2, together=2,
                                   deaths=1)

    def test_check_refuses_nothing_that_can_run(self):
        """What succeeds with lists of two and more elements, each list of its own length, and with
        every edge taken."""
        refused = collections.defaultdict(list)
        for seed, number, case, outcome in generated(COUNT, next_clean_case):
            for rule in self.rules_against(case, outcome):
                refused[rule].append((seed, number, case))
        texts = []
        for rule, those in refused.items():
            small = shrink(those[0][2], lambda less, outcome: rule in self.rules_against(
                less, outcome))
            errors = self.driver.run(small, **ONLY_CHECK)["errors"]
            texts.append(f"{len(those)} applications, the first one number {those[0][1]} of seed "
                         f"{those[0][0]}, made small:\n{readable(small)}\n"
                         f"  comes to {interpret(small).result}\n  " + "\n  ".join(errors))
        if refused:
            self.fail("\n\n".join(texts))

    # Rules about what could happen with other results or inputs, which a run that succeeds does not
    # disprove: two ways in, loops, and a list that every branch has for an aggregator of its own.
    OTHERWISE = {"two-ways", "revisit", "missing-pop"}

    def rules_against(self, case, outcome):
        if not is_clean(outcome):
            return set()
        answer = self.driver.run(case, **ONLY_CHECK)
        return {error.partition(":")[0] for error in answer["errors"]} - self.OTHERWISE


def is_clean(outcome):
    widths = outcome.widths
    return (not outcome.failures and outcome.fan_ins > 0 and outcome.all_edges_taken
            and min(widths, default=2) >= 2 and len(set(widths)) == len(widths))


def next_clean_case(source):
    """A case that succeeds, with lists of different lengths of two and more."""
    while True:
        case, outcome = next_case(source, Generator(source, widths=WIDTHS), most=100)
        if is_clean(outcome):
            return case, outcome


class OnANetworkStore:
    """The tests; below, a class for each store."""

    class Few(WithDriver):
        make_store = None
        SHRINKING_TRIES = 40
        COUNT = COUNT // 40

        @classmethod
        def setUpClass(cls):
            cls.store = cls.make_store()
            cls.at = cls.store.address()
            cls.driver = Driver(environment=cls.store.environment(cls.at) if cls.at else None)

        def setUp(self):
            if not self.at:
                self.skipTest(f"{self.store.variable} names no server")
            self.store.create(self.at)

        def test_random_applications_come_to_the_same_on_the_store(self):
            name = tuple(self.store.name(self.at).split(":", 1))
            self.expect_no_problem(generated(self.COUNT), store=name, orders=6, interleavings=2,
                                   together=2, deaths=1)


class OnRedis(OnANetworkStore.Few):
    make_store = RedisStore
    COUNT = COUNT // 10


class OnDynamoDb(OnANetworkStore.Few):
    make_store = DynamoDbStore


class OnS3(OnANetworkStore.Few):
    make_store = S3Store


if __name__ == "__main__":
    unittest.main()
