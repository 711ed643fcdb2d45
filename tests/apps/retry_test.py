"""Retry, Catch and TimeoutSeconds with real processes: attempts over a kill -9, errors by their names in
each language, and what a session shows of what is to come, will never come, or was left.
"""

import json
import os
import re
import signal
import unittest

from harness import (DONE, FAILED, AppTest, Function, each, fan_in, lines, outcomes, scalar,
                     session_directory, write)

# Writes its attempt to a log, and fails the first times.
FAILING = """import os

class Busy(Exception):
    pass

def lambda_handler(event, context):
    log = os.open(os.environ["UNUM_TEST_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"{context.unum_instance} {context.unum_attempt}\\n".encode())
    os.close(log)
    if context.unum_attempt <= %d:
        raise Busy("later")
    return event
"""

# Says that it runs, and never ends.
HANGING = """import os, signal

def lambda_handler(event, context):
    events = os.open(os.environ["UNUM_TEST_EVENTS"], os.O_WRONLY)
    os.write(events, context.unum_instance.encode() + b"\\n")
    signal.pause()
"""


def retry(times, error="Busy", seconds=1, **more):
    return {"ErrorEquals": [error], "MaxAttempts": times, "IntervalSeconds": seconds, "BackoffRate": 1, **more}


def catch(error, name, **more):
    return {"ErrorEquals": [error], "Next": name, **more}


class Retries(AppTest):
    def states(self, session, application):
        listed = self.unum("inspect", session, application, "--json", code=DONE).json["instances"]
        return {item["instance"]: (item["state"], item["detail"]) for item in listed}

    def read_until(self, command, pattern):
        """Reads lines of stderr until one fits."""
        seen = []
        while True:
            line = command.process.stderr.readline().decode()
            self.assertTrue(line, "".join(seen))
            seen.append(line)
            if re.search(pattern, line):
                return

    # --- Attempts

    def test_case_45_a_step_that_fails_is_tried_again_and_the_attempts_are_told(self):
        application = self.application({"Only": Function(FAILING % 2, ir={"Retry": [retry(2)]})})
        log = self.path("log")
        ended = self.unum("run", application, "--input", "7", code=DONE, UNUM_TEST_LOG=log)
        self.assertEqual("7\n", ended.out)
        self.assertEqual(["Only 1", "Only 2", "Only 3"], lines(log))
        # What is left of the delay once the session holds it.
        for attempt in (2, 3):
            self.assertRegex(ended.err, rf"(?m)^Only: Busy; attempt {attempt} in [0-9.]+ m?s$")

    def test_case_43_attempts_survive_kill_9_and_none_is_added(self):
        application = self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return [0, 1]\n", each("Part")),
            "Part": Function(FAILING % 99, [scalar("Join")],
                             ir={"Retry": [retry(2)], "Catch": [catch("Busy", "Join", ResultPath=None)]}),
            "Join": Function(next=fan_in("Sum", ["Join-unumIndex-*"])),
            "Sum": Function()})
        log = self.path("log")
        for attempt in (2, 3):
            command = self.start("run", application, "--session", "s", UNUM_TEST_LOG=log)
            for part in (0, 1):
                self.read_until(command, f"Part-unumIndex-[01]: Busy; attempt {attempt} in ")
            command.send(signal.SIGKILL)
            command.process.wait()
            self.assertEqual([], command.wait_for_no_process())
            state, detail = self.states("s", application)["Part-unumIndex-0"]
            self.assertEqual("delayed", state)
            self.assertRegex(detail, rf"^attempt {attempt} at \d{{4}}-\d\d-\d\d [0-9:.]+ after Busy$")
        ended = self.unum("resume", "s", application, code=DONE, UNUM_TEST_LOG=log)
        self.assertEqual([0, 1], json.loads(ended.out))
        for part in (0, 1):
            name = f"Part-unumIndex-{part}"
            self.assertEqual([f"{name} {attempt}" for attempt in (1, 2, 3)],
                             [line for line in lines(log) if line.startswith(name)])
        self.assertEqual([], [name for name in os.listdir(session_directory(application, "s"))
                              if "delayed" in name])

    # --- Errors by their names

    def test_errors_are_caught_by_their_names_in_each_language(self):
        node = """class CardDeclined extends Error { constructor(m) { super(m); this.name = "CardDeclined"; } }
exports.handler = async () => { throw new CardDeclined("no"); };
"""
        cases = {
            "python": Function("class CardDeclined(Exception):\n    pass\n\n"
                               "def lambda_handler(event, context):\n    raise CardDeclined('no')\n"),
            "node": Function(node, runtime="nodejs20.x", handler="index.handler", file="index.js"),
        }
        for language, function in cases.items():
            with self.subTest(language=language):
                function.ir = {"Catch": [catch("ValueError", "Wrong"),
                                         catch("CardDeclined", "Right", ResultPath="$.why")]}
                application = self.application(
                    {"Only": function, "Right": Function(), "Wrong": Function()}, name=language)
                ended = self.unum("run", application, "--input", '{"n": 1}', code=DONE)
                result = json.loads(ended.out)
                self.assertEqual(1, result["n"])
                self.assertEqual("CardDeclined", result["why"]["Error"])
                self.assertIn("no", result["why"]["Cause"])

    def test_the_smaller_time_of_ir_and_template_counts(self):
        for ir, template in ((1, 60), (60, 1)):
            with self.subTest(ir=ir):
                application = self.application({
                    "Only": Function(HANGING, properties={"Timeout": template},
                                     ir={"TimeoutSeconds": ir, "Catch": [catch("States.Timeout", "Late")]}),
                    "Late": Function()}, name=f"app-{ir}")
                ended = self.unum("run", application, code=DONE, UNUM_TEST_EVENTS=self.events().path)
                failure = json.loads(ended.out)
                self.assertEqual("States.Timeout", failure["Error"])
                self.assertIn("within its time-out of 1 s", failure["Cause"])

    # --- What will never come, and what was left

    def test_a_failed_run_names_the_failure_and_then_the_aggregators_that_never_started(self):
        application = self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return [5, 0, 7]\n", each("Part")),
            "Part": Function("def lambda_handler(event, context):\n    return 35 // event\n", [scalar("Next")]),
            "Next": Function(next=fan_in("Sum", ["Next-unumIndex-*"])),
            "Sum": Function()})
        ended = self.unum("run", application, "--session", "s", code=FAILED)
        waits = "Next-unumIndex-1 (never ran, since Part-unumIndex-1 failed)"
        self.assertRegex(ended.err, r"(?s)Part-unumIndex-1 \(function Part, attempt 1\) failed: ZeroDivisionError.*"
                         r"the run failed: Unum.IncompleteFanIn\nSum never started; it waits for: " + re.escape(waits))
        states = self.states("s", application)
        self.assertEqual(("blocked", f"waits for {waits}"), states["Sum"])
        self.assertEqual("done", states["Next-unumIndex-0"][0])

    def test_an_outcome_that_nobody_went_on_from_is_stalled_and_resume_goes_on(self):
        hanging = Function(HANGING)
        application = self.application({"First": Function(next=scalar("Second")), "Second": hanging})
        events = self.events()
        command = self.start("run", application, "--session", "s", "--input", "1", UNUM_TEST_EVENTS=events.path)
        self.assertEqual("Second", events.next())
        command.send(signal.SIGKILL)
        command.wait()
        self.assertEqual("stalled", self.states("s", application)["First"][0])
        write(os.path.join(application, "second", "app.py"), Function().code)
        self.assertEqual("1\n", self.unum("resume", "s", application, code=DONE).out)
        self.assertEqual({"First": ("done", ""), "Second": ("done", "")}, self.states("s", application))

    def test_a_late_success_is_not_stalled_while_its_next_attempt_is_to_come(self):
        application = self.application({
            "Only": Function(FAILING % 99, next=scalar("Then"), ir={"Retry": [retry(1, seconds=600)]}),
            "Then": Function()})
        command = self.start("run", application, "--session", "s", "--input", "1", UNUM_TEST_LOG=self.path("log"))
        self.read_until(command, "Only: Busy; attempt 2 in (9|10) min ")
        command.send(signal.SIGKILL)
        command.process.wait()
        # A duplicate's success, which died before its edges.
        stored = session_directory(application, "s")
        write(os.path.join(stored, "Only-output.json"), "7")
        self.assertEqual("done", self.states("s", application)["Only"][0])
        os.remove(os.path.join(stored, "Only-delayed.json"))
        self.assertEqual("stalled", self.states("s", application)["Only"][0])
        self.assertEqual("7\n", self.unum("resume", "s", application, code=DONE).out)
        self.assertEqual({"Only": "7", "Then": "7"}, outcomes(application, "s"))

    def test_a_fan_in_that_is_complete_and_whose_aggregator_nobody_runs_is_stalled(self):
        application = self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return [1, 2]\n", each("Part")),
            "Part": Function(next=fan_in("Sum", ["Part-unumIndex-*"])),
            "Sum": Function(HANGING)})
        events = self.events()
        command = self.start("run", application, "--session", "s", UNUM_TEST_EVENTS=events.path)
        self.assertEqual("Sum", events.next())
        command.send(signal.SIGKILL)
        command.wait()
        states = {name: state for name, (state, _) in self.states("s", application).items()}
        self.assertEqual({"Fork": "done", "Part-unumIndex-0": "stalled", "Part-unumIndex-1": "stalled",
                          "Sum": "waiting"}, states)


if __name__ == "__main__":
    unittest.main()
