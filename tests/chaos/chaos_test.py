"""Whole workflows over a network that fails: each ends in the right result, or in a clear error before its deadline
and in the right result when it is run again; no connection stays open, and nothing runs twice.

UNUM_CHAOS_ROUNDS   runs under random faults on each store (default 3; 100 is the full measure)
UNUM_CHAOS_SEED     the seed of an earlier run
UNUM_CHAOS_DEADLINE seconds of a run under faults that pass (default 12; with 100 one that is not answered is given
                    up and sent again before)
"""

import concurrent.futures
import json
import os
import random
import sys
import time
import unittest
import uuid

sys.path.insert(0, os.path.join(os.environ["UNUM_SOURCE_ROOT"], "tests", "apps"))

# pylint: disable=wrong-import-position
from gate_control import GateControl
from harness import (DONE, FAILED, MACHINE, AppTest, Function, each, example_cases, fan_in, is_sanitized, lines,
                     log_calls, read_json)
from network_stores import DynamoDbStore, OnANetworkStore, RedisStore, S3Store
from servers.process import running

ROUNDS = int(os.environ.get("UNUM_CHAOS_ROUNDS", "3"))
SEED = int(os.environ.get("UNUM_CHAOS_SEED", random.SystemRandom().randrange(2**32)))
WIDTH = 12
# The deadline of a run under faults that pass, of one under faults that stay, of one without faults, and how much
# later than its deadline a run may end: what it takes to end workers, on a busy machine.
DEADLINE_S, SHORT_DEADLINE_S, CLEAN_DEADLINE_S = int(os.environ.get("UNUM_CHAOS_DEADLINE", "12")), 4, 100
SLACK_S = 30 if is_sanitized() else 15
# Of a run that must have begun before its server goes away: on a busy machine Python takes seconds to start.
AWAY_DEADLINE_S = 10
# Runs beside each other: most of their time is waiting.
AT_ONCE = 3

# Faults that pass, for any protocol: by name, the rule. They meet connections, or with HTTP single requests; AT is
# a place in the middle: for HTTP in the body, else about the middle of the run.
PASSING = {
    "the first two are refused": "next 2 refuse",
    "the first is taken and never answered": "next 1 drop",
    "the first is done by the server and its answer swallowed": "next 1 silent",
    "everything comes late": "delay 3",
    "an answer is cut at its begin": "next 2 cut down 0",
    "an answer is cut in its middle": "next 3 cut down AT",
    "a request is cut in its middle": "next 3 cut up AT",
    "the server's side is closed early": "next 2 close down AT",
    "the client's side is closed early": "next 1 close up AT",
    "the first byte of an answer is another": "next 2 corrupt down 0",
}
HTTP_PASSING = {
    "every fourth is refused": "every 4 refuse",
    "the head of every fourth answer is cut": "every 4 cut down head",
    "every fourth request is cut in its head": "every 4 cut up head",
    "what is more than 15 requests a second is slowed down": "above 15 answer 503 SlowDown",
    "a storm of internal errors": "next 6 answer 500",
    "a storm of too many requests": "next 4 answer 429 TooManyRequests 0",
    "every fifth answer is shorter than it says": "every 5 length 7",
    "every fifth answer is longer than it says": "every 5 length -1",
    "every tenth request is done and not answered": "every 10 silent",
    "the first byte of every third answer is another": "every 3 corrupt down 0",
}
DYNAMODB_PASSING = {
    "throughput is exceeded": "above 15 answer 400 ProvisionedThroughputExceededException",
    "requests are throttled": "next 5 answer 400 ThrottlingException",
}
# Faults that stay: an error before the deadline.
STAYING = {
    "every connection is refused": "refuse",
    "nothing is ever answered": "drop",
    "the server does everything and answers nothing": "silent",
    "every answer is cut": "cut down 0",
}
HTTP_STAYING = {"every request is slowed down": "answer 503 SlowDown"}
# One in so many connections, or requests, each; what a schedule by seed is made of.
RANDOM = ["chance 9 refuse", "chance 9 cut down 30", "chance 9 cut up 30", "chance 9 close down 20",
          "chance 20 silent", "chance 5 delay 5"]
HTTP_RANDOM = ["chance 12 answer 503 SlowDown", "chance 15 answer 500", "chance 15 length 3",
               "chance 15 cut down head"]

BRANCH = """import os

def lambda_handler(event, context):
    log = os.open(os.environ["UNUM_TEST_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, context.unum_instance.encode() + b"\\n")
    os.close(log)
    return RESULT
"""


class OnEach:
    """The tests; below, a class for each store. (Tests in here are not collected by themselves.)"""

    class Chaos(OnANetworkStore, AppTest):
        more_passing = {}
        more_staying = {}

        def setUp(self):
            super().setUp()
            self.random = random.Random(SEED)
            self.wide = self.application({
                "Fork": Function(BRANCH.replace("RESULT", f"list(range({WIDTH}))"), each("Branch")),
                "Branch": Function(BRANCH.replace("RESULT", "event"), fan_in("Sum", ["Branch-unumIndex-*"])),
                "Sum": Function(BRANCH.replace("RESULT", "sum(event)"))})
            self.expected = WIDTH * (WIDTH - 1) // 2

        def each_of(self, cases, run_one):
            """Runs `run_one(*case)` for every case, each through a gate of its own; tells what failed by its case."""
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                runs = [(case, pool.submit(run_one, *case)) for case in cases]
            for case, run in runs:
                with self.subTest(seed=SEED, case=case):
                    run.result()

        def middle_of_a_run(self):
            """By direction, how many bytes a connection has passed on then: more than what opens the store."""
            with self.gated() as gate:
                self.store.run(gate.address, "store", "check", self.store.name(gate.address))
                opening = gate.stats()
            usual = self.usual()
            return {way: (opening[f"bytes {way}"] + usual[f"bytes {way}"]) // 2 for way in ("up", "down")}

        def run_through(self, gate, session, application, deadline_s, *options):
            """One run: how it ended, the instances it called and the seconds it took. It ends by itself, in time, and
            leaves no process and no connection."""
            log = self.path(session + ".log")
            calls_before = len(lines(log))
            began = time.monotonic()
            command = self.start("run", application, "--session", session, "--workers", "2", "--quiet",
                                 "--timeout", str(deadline_s), "--store", self.store.name(gate.address), *options,
                                 UNUM_TEST_LOG=log, **self.store.environment(gate.address))
            ended = command.wait(deadline_s + SLACK_S)
            seconds = time.monotonic() - began
            self.assertEqual([], command.wait_for_no_process())
            gate.ask("idle")
            calls = lines(log)[calls_before:]
            self.assertEqual(len(calls), len(set(calls)), f"one run calls each instance once\n{ended.err}")
            if ended.code != DONE:
                self.expect_clear_error(ended)
            return ended, set(calls), seconds

        def expect_clear_error(self, ended):
            self.assertIn(ended.code, (FAILED, MACHINE), ended)
            self.assertEqual("", ended.out, ended)
            self.assertIn(self.store.type, ended.err)
            for word in ("internal error", "AddressSanitizer", "terminate called"):
                self.assertNotIn(word, ended.err)

        def expect_right_in_the_end(self, gate, session, application, expected, *options, rule=None):
            """Under the gate's rules (of which one must be met): the right result or a clear error; without them, the
            right result."""
            ended, _, seconds = self.run_through(gate, session, application, DEADLINE_S, *options)
            came = "its result" if ended.code == DONE else "an error: " + ended.err.strip().splitlines()[-1][:150]
            stats = gate.stats()
            if rule:
                self.expect_met(stats, rule, seconds)
            if ended.code != DONE:
                ended = self.run_again(gate, session, application, *options)
            self.assertEqual(DONE, ended.code, ended)
            self.assertEqual(expected, json.loads(ended.out))
            return f"{came}, {stats['connections']} connections, {stats['requests']} requests, {seconds:.1f} s"

        def run_again(self, gate, session, application, *options):
            gate.ask("clear")
            checkpointed = self.store.done(self.at, session)
            ended, calls, _ = self.run_through(gate, session, application, CLEAN_DEADLINE_S, *options)
            self.assertEqual(set(), calls & checkpointed, "checkpointed, and ran again")
            return ended

        @staticmethod
        def session():
            return "chaos-" + uuid.uuid4().hex[:12]

        def gated(self, *rules, seed=SEED):
            return GateControl(self.at, *rules, http=self.store.http, seed=seed)

        def usual(self):
            """What a gate counts in a run without faults."""
            with self.gated() as gate:
                ended, _, _ = self.run_through(gate, self.session(), self.wide, CLEAN_DEADLINE_S)
                self.assertEqual(DONE, ended.code, ended)
                return gate.stats()

        def test_faults_that_pass_end_in_the_right_result(self):
            middle = {"up": 1, "down": 1} if self.store.http else self.middle_of_a_run()

            def one(name, rule):
                at = middle["up" if " up " in rule else "down"]
                with self.gated(rule.replace("AT", str(at))) as gate:
                    how = self.expect_right_in_the_end(gate, self.session(), self.wide, self.expected, rule=rule)
                    print(f"{self.store.type}, {name}: {how}")
            self.each_of({**PASSING, **self.more_passing}.items(), one)

        def test_faults_that_stay_end_in_an_error_before_the_deadline(self):
            def one(name, rule):
                with self.gated(rule) as gate:
                    session = self.session()
                    ended, _, seconds = self.run_through(gate, session, self.wide, SHORT_DEADLINE_S)
                    print(f"{self.store.type}, {name}: {seconds:.1f} s, {ended.err.strip()[:200]}")
                    self.assertNotEqual(DONE, ended.code)
                    self.expect_met(gate.stats(), rule, seconds)
                    ended = self.run_again(gate, session, self.wide)
                    self.assertEqual((DONE, self.expected), (ended.code, json.loads(ended.out or "null")))
            self.each_of({**STAYING, **self.more_staying}.items(), one)

        def expect_met(self, stats, rule, seconds):
            words = rule.split()
            if words[0] == "above" and stats["requests"] < int(words[1]) * seconds:
                return  # this machine is too busy to ask so often
            kind = next(word for word in words if not word.isdigit() and word not in ("next", "every", "above"))
            self.assertGreater(stats[kind], 0, "the fault was met by nobody")

        def test_a_server_that_goes_away_while_a_workflow_runs(self):
            """Its connections are reset and nobody listens; when somebody does again, the session goes on."""
            events = self.events()
            application = self.application({
                "Fork": Function(f"def lambda_handler(event, context):\n    return list(range({WIDTH}))\n",
                                 each("Branch")),
                "Branch": Function(
                    "import os\n\ndef lambda_handler(event, context):\n    if event == 5:\n"
                    "        os.write(os.open(os.environ['UNUM_TEST_EVENTS'], os.O_WRONLY), b'five\\n')\n"
                    "    return event\n", fan_in("Sum", ["Branch-unumIndex-*"])),
                "Sum": Function("def lambda_handler(event, context):\n    return sum(event)\n")}, name="away")
            session = self.session()
            gate = self.gated()
            self.addCleanup(gate.close)
            run = ["run", application, "--session", session, "--workers", "2", "--quiet", "--store",
                   self.store.name(gate.address)]
            environment = {"UNUM_TEST_EVENTS": events.path, **self.store.environment(gate.address)}
            command = self.start(*run, "--timeout", str(AWAY_DEADLINE_S), **environment)
            events.next()
            gate.ask("down")
            gate.ask("sever")
            ended = command.wait(AWAY_DEADLINE_S + SLACK_S)
            self.assertEqual([], command.wait_for_no_process())
            self.expect_clear_error(ended)
            gate.ask("up")
            self.assertEqual(self.expected, self.unum(*run, code=DONE, **environment).json)

        def test_a_server_that_is_restarted_while_a_request_or_an_answer_is_half_sent(self):
            with running(self.store.server(self.path("server"))) as server:
                self.at = server.address
                self.store.create(self.at)
                usual = self.usual()
                for direction in ("up", "down"):
                    # About the middle of the run, by what a whole one needed.
                    rule = (f"every {usual['requests'] // 2} hold {direction} head" if self.store.http
                            else f"next 1 hold {direction} {usual['bytes ' + direction] // 2}")
                    with self.subTest(rule=rule), self.gated(rule) as gate:
                        self.restart_while_held(gate, server, self.session())

        def restart_while_held(self, gate, server, session):
            log = self.path(session + ".log")
            command = self.start("run", self.wide, "--session", session, "--workers", "2", "--quiet", "--timeout",
                                 str(DEADLINE_S), "--store", self.store.name(gate.address), UNUM_TEST_LOG=log,
                                 **self.store.environment(gate.address))
            gate.wait_until_held()
            server.kill()
            server.restart()
            gate.ask("clear")
            ended = command.wait(DEADLINE_S + SLACK_S)
            self.assertEqual([], command.wait_for_no_process())
            if ended.code != DONE:
                self.expect_clear_error(ended)
                ended = self.run_again(gate, session, self.wide)
            self.assertEqual((DONE, self.expected), (ended.code, json.loads(ended.out or "null")), ended)

        def test_examples_under_random_faults(self):
            rules = RANDOM + (HTTP_RANDOM if self.store.http else [])

            def one(number, name, given, expected):
                with self.gated(*rules, seed=SEED + number) as gate:
                    application = self.example(name, as_name=f"{name}-{number}")
                    log_calls(application)
                    how = self.expect_right_in_the_end(gate, self.session(), application, read_json(expected),
                                                       "--input", "@" + given)
                    print(f"{self.store.type}, seed {SEED}, round {number}, {name}: {how}")
            self.each_of([(number, *self.random.choice(example_cases())) for number in range(ROUNDS)], one)


class ChaosOnRedis(OnEach.Chaos):
    make_store = RedisStore


class ChaosOnDynamoDb(OnEach.Chaos):
    make_store = DynamoDbStore
    more_passing = {**HTTP_PASSING, **DYNAMODB_PASSING}
    more_staying = HTTP_STAYING


class ChaosOnS3(OnEach.Chaos):
    make_store = S3Store
    more_passing = HTTP_PASSING
    more_staying = HTTP_STAYING


if __name__ == "__main__":
    unittest.main()
