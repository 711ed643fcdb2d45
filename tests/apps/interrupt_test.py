"""Ends from outside: Ctrl-C, SIGTERM, SIGHUP, a second Ctrl-C, and the time limits of runs and functions."""

import json
import os
import re
import shlex
import signal
import subprocess
import unittest

from harness import (DONE, FAILED, INTERRUPTED, USAGE, AppTest, Function, each, fan_in, outcomes,
                     write)

# The branches say that they run, and hang unless they are told not to.
FORK = """import os

def lambda_handler(event, context):
    with open(os.environ["UNUM_TEST_LOG"], "a") as log:
        log.write("Fork ")
    return list(range(5))
"""
HANG = """import os, time

def lambda_handler(event, context):
    with open(os.environ["UNUM_TEST_EVENTS"], "w") as events:
        events.write("runs\\n")
    if not os.path.exists(os.environ["UNUM_TEST_LOG"] + ".go"):
        time.sleep(60)
    return event
"""


class Interrupts(AppTest):
    def hanging(self):
        return self.application({
            "Fork": Function(FORK, each("Part")),
            "Part": Function(HANG, fan_in("Sum", ["Part-unumIndex-*"])),
            "Sum": Function("def lambda_handler(event, context):\n    return sum(event)\n")})

    def environment(self, events):
        return {"UNUM_TEST_EVENTS": events.path, "UNUM_TEST_LOG": self.path("log")}

    def interrupt(self, number, *options):
        """Interrupts a run while two branches hang; the application, what was said, the environment."""
        application = self.hanging()
        events = self.events()
        environment = self.environment(events)
        command = self.start("run", application, "--session", "it's", "--workers", "2", *options,
                             **environment)
        self.assertEqual(["runs", "runs"], [events.next() for _ in range(2)])
        command.send(number)
        ended = command.wait()
        self.assertEqual([], command.wait_for_no_process(), "workers that were left behind")
        self.assertEqual(INTERRUPTED, ended.code, ended)
        return application, ended, environment

    def test_each_signal_ends_the_workers_and_the_command_it_shows_resumes(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number.name):
                self.setUp()
                application, ended, environment = self.interrupt(number)
                self.assertEqual("", ended.out)
                self.assertEqual({"Fork": "[0,1,2,3,4]"}, outcomes(application, "it%27s"))
                command = shlex.split(re.search(r"go on with: unum (.*)\n", ended.err).group(1))
                self.assertEqual(["resume", "it's", application], command)
                write(self.path("log.go"), "")
                self.assertEqual("10\n", self.unum(*command, code=DONE, **environment).out)
                with open(self.path("log"), encoding="utf-8") as file:
                    self.assertEqual("Fork ", file.read(), "it ran once")

    def test_json_says_that_it_was_interrupted(self):
        _, ended, _ = self.interrupt(signal.SIGINT, "--json")
        self.assertEqual(("failed", 1), (ended.json["status"], ended.json["instances"]))
        self.assertEqual([("", "Unum.Interrupted")],
                         [(error["instance"], error["Error"]) for error in ended.json["errors"]])

    def test_a_second_signal_ends_at_once_though_a_worker_ignores_the_first(self):
        application = self.application({"Deaf": Function(
            "import os, signal\n\ndef lambda_handler(event, context):\n"
            "    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n    say('runs')\n"
            "    while True:\n        signal.sigwait([signal.SIGTERM])\n        say('asked')\n\n"
            "def say(word):\n"
            "    with open(os.environ['UNUM_TEST_EVENTS'], 'w') as events:\n"
            "        events.write(word + '\\n')\n")})
        events = self.events()
        command = self.start("run", application, UNUM_TEST_EVENTS=events.path)
        self.assertEqual("runs", events.next())
        command.send(signal.SIGINT)
        self.assertEqual("asked", events.next())
        command.send(signal.SIGINT)
        self.assertEqual(INTERRUPTED, command.wait().code)
        self.assertEqual([], command.wait_for_no_process())

    def test_a_signal_while_stdin_is_awaited_ends_the_command(self):
        application = self.hanging()
        command = self.start("run", application, "--input", "-", stdin=b"")
        # It says nothing before it has its input; that it waits for it can be seen from outside.
        self.wait_until_it_reads_stdin(command.process.pid)
        command.send(signal.SIGINT)
        self.assertIn(command.process.wait(timeout=30), (-signal.SIGINT, INTERRUPTED))
        self.assertFalse(os.path.exists(os.path.join(application, ".unum")))

    @staticmethod
    def wait_until_it_reads_stdin(pid):
        read = {"x86_64": "0", "aarch64": "63"}.get(os.uname().machine)
        for _ in range(1_000_000):
            with open(f"/proc/{pid}/syscall", encoding="utf-8") as file:
                if file.read().split()[:2] == [read, "0x0"]:
                    return
        raise AssertionError("it never read its stdin")

    def test_the_time_limit_of_a_run_ends_it_and_it_can_be_resumed(self):
        application = self.hanging()
        events = self.events()
        environment = self.environment(events)
        command = self.start("run", application, "--timeout", "1.5", "--session", "slow", "--json",
                             "--workers", "2", **environment)
        ended = command.wait(timeout=30)
        self.assertEqual([], command.wait_for_no_process())
        self.assertEqual(FAILED, ended.code, ended)
        self.assertIn("--timeout 1.5 s", ended.err)
        self.assertIn("unum resume slow", ended.err)
        self.assertEqual("Unum.RunTimeout", ended.json["errors"][0]["Error"])
        write(self.path("log.go"), "")
        self.assertEqual("10\n", self.unum("resume", "slow", application, code=DONE,
                                           **environment).out)

    def test_a_function_that_exceeds_its_time_out_is_delivered_three_times_then_fails(self):
        application = self.application({"Slow": Function(
            "import os, time\n\ndef lambda_handler(event, context):\n"
            "    print('attempt', context.unum_attempt)\n    time.sleep(60)\n",
            properties={"Timeout": 1})})
        ended = self.refused(FAILED, "run", application, "--session", "t")
        self.assertRegex(ended.err, r"Slow \(function Slow, attempt 3\) failed: States\.Timeout")
        self.assertEqual(["1", "2", "3"], re.findall(r"(?m)^\[Slow\] attempt (\d)$", ended.err))
        self.assertEqual(2, ended.err.count("delivered again"))
        self.assertEqual({}, outcomes(application, "t"))

    def test_a_terminal_that_goes_away_leaves_nohup_running(self):
        application = self.application({"Echo": Function()})
        ended = subprocess.run(["nohup", os.environ["UNUM_BINARY"], "run", application, "--input", "3"],
                               check=False, capture_output=True, text=True, timeout=60)
        self.assertEqual((DONE, 3), (ended.returncode, json.loads(ended.stdout)), ended.stderr)

    def test_an_unknown_session_is_not_taken_for_an_interrupted_one(self):
        self.refused(USAGE, "resume", "it's", self.hanging(), says="it's")


if __name__ == "__main__":
    unittest.main()
