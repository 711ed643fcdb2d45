"""Whole workflows on a network store that asks for a slower pace, or is away for a while: they become slower, end
right, and compute nothing twice."""

import os
import sys
import threading
import time
import unittest
import uuid

sys.path.insert(0, os.path.join(os.environ["UNUM_SOURCE_ROOT"], "tests", "apps"))

# pylint: disable=wrong-import-position
from chaos_test import BRANCH
from gate_control import GateControl
from harness import DONE, MACHINE, AppTest, Function, each, fan_in, lines
from network_stores import DynamoDbStore, OnANetworkStore, S3Store

WIDTH = 100
RATE = 25
# A branch needs three or four requests; twice the time that all of them take at that rate, and workers.
SLOW_S = 120
AWAY_S = (0.5, 5)


class OnEach:
    """The tests; below, a class for each store. (Tests in here are not collected by themselves.)"""

    class Patience(OnANetworkStore, AppTest):
        throttling = ""

        def wide(self, events=None, name="app"):
            """Each branch notes that it ran; the tenth tells the test."""
            tell = "" if events is None else (
                "    if event == 10:\n        os.write(os.open(%r, os.O_WRONLY), b'ten\\n')\n" % events.path)
            branch = BRANCH.replace("    return RESULT", tell + "    return event")
            return self.application({
                "Fork": Function(BRANCH.replace("RESULT", f"list(range({WIDTH}))"), each("Branch")),
                "Branch": Function(branch, fan_in("Sum", ["Branch-unumIndex-*"])),
                "Sum": Function(BRANCH.replace("RESULT", "sum(event)"))}, name=name)

        def begin(self, gate, application, *options):
            self.session = "patience-" + uuid.uuid4().hex[:12]
            self.log = self.path(self.session + ".log")
            return self.start("run", application, "--session", self.session, "--workers", "2", "--store",
                              self.store.name(gate.address), *options, UNUM_TEST_LOG=self.log,
                              **self.store.environment(gate.address))

        def expect_right(self, ended):
            self.assertEqual(DONE, ended.code, ended)
            self.assertEqual(WIDTH * (WIDTH - 1) // 2, ended.json)
            calls = lines(self.log)
            self.assertEqual(len(calls), len(set(calls)), "nothing is computed twice")

        def test_a_hundred_branches_against_a_few_requests_a_second(self):
            """(found 15)"""
            application = self.wide()
            with GateControl(self.at, f"above {RATE} {self.throttling}", http=True) as gate:
                began = time.monotonic()
                ended = self.begin(gate, application).wait(SLOW_S)
                stats = gate.stats()
                print(f"{self.store.type}: {stats['requests']} requests, {stats['answer']} of them refused, "
                      f"{time.monotonic() - began:.1f} s")
                self.expect_right(ended)
                self.assertIn("answers only some requests", ended.err)
                self.assertLess(stats["answer"], stats["requests"] / 2)

        def test_an_outage_in_the_middle_of_a_run_is_waited_out(self):
            """(found 16)"""
            for away_s in AWAY_S:
                events = self.events()
                application = self.wide(events, name=f"away-{away_s}")
                with self.subTest(away_s=away_s), GateControl(self.at, http=True) as gate:
                    command = self.begin(gate, application)
                    events.next()
                    gate.ask("down")
                    gate.ask("sever")
                    # The length of the outage is what is tested.
                    threading.Event().wait(away_s)
                    gate.ask("up")
                    ended = command.wait()
                    self.expect_right(ended)
                    if away_s > 1:
                        self.assertIn("waiting for it, at most 60 s", ended.err)

        def test_after_the_patience_the_run_ends_and_can_go_on(self):
            """(found 16)"""
            events = self.events()
            application = self.wide(events)
            with GateControl(self.at, http=True) as gate:
                command = self.begin(gate, application, "--store-patience", "2")
                events.next()
                gate.ask("down")
                gate.ask("sever")
                ended = command.wait()
                self.assertEqual(MACHINE, ended.code, ended)
                self.assertEqual("", ended.out)
                self.assertRegex(ended.err, r"attempts in [2-9] s")
                gate.ask("up")
                stored = self.store.done(self.at, self.session)
                calls = set(lines(self.log))
                os.remove(self.log)
                ended = self.start("resume", self.session, application, "--store", self.store.name(gate.address),
                                   UNUM_TEST_LOG=self.log, **self.store.environment(gate.address)).wait()
                self.assertEqual(DONE, ended.code, ended)
                again = calls & set(lines(self.log))
                self.assertEqual(set(), again & stored, "stored, and computed again")

        def test_opening_a_store_that_is_not_there_is_told_soon(self):
            with GateControl(self.at, http=True) as gate:
                gate.ask("down")
                began = time.monotonic()
                ended = self.begin(gate, self.wide()).wait()
                self.assertEqual(MACHINE, ended.code, ended)
                self.assertLess(time.monotonic() - began, 20)
                self.assertIn("is a server running there", ended.err)


class PatienceOnDynamoDb(OnEach.Patience):
    make_store = DynamoDbStore
    throttling = "answer 400 ProvisionedThroughputExceededException"


class PatienceOnS3(OnEach.Patience):
    make_store = S3Store
    throttling = "answer 503 SlowDown"


if __name__ == "__main__":
    unittest.main()
