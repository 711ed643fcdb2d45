"""kill -9 at any moment, of the command and of its workers: the session run again gives the right
result, and nothing that was checkpointed runs twice. How many rounds: see kill_rounds.py.
"""

import re
import signal
import unittest

from harness import DONE, Function, each, fan_in, lines, outcomes
from kill_rounds import KillRounds

WORKERS = 2

BRANCH = """import os

events = os.open(os.environ["UNUM_TEST_EVENTS"], os.O_WRONLY)
log = os.open(os.environ["UNUM_TEST_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def lambda_handler(event, context):
    os.write(log, context.unum_instance.encode() + b"\\n")
    os.write(events, b"one\\n")
    return event
"""


class Kills(KillRounds):
    def test_the_command_killed_at_random(self):
        self.rounds(self.kill_command)

    def test_workers_killed_at_random(self):
        self.rounds(self.kill_workers)

    def test_the_command_killed_at_random_while_it_collects(self):
        self.collects = True
        self.rounds(self.kill_command)

    # --- How much is lost

    def test_killed_at_300_of_1000_branches_little_runs_again(self):
        self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return list(range(1000))\n",
                             each("Branch")),
            "Branch": Function(BRANCH, fan_in("Sum", ["Branch-unumIndex-*"])),
            "Sum": Function("def lambda_handler(event, context):\n    return sum(event)\n")})
        durable = [self.kill_at_300(f"durable-{i}") for i in range(3)]
        plain = [self.kill_at_300(f"plain-{i}", "--no-durable") for i in range(3)]
        print(f"killed at 300 of 1,000 branches: {durable} of them ran a second time, {plain} without "
              "durability")
        # Without the disk it is what the workers held: two calls, and two answers not looked at yet.
        self.assertLessEqual(max(plain), WORKERS + 2)
        # With it, what one flush of the disk holds and what waits for the next one besides: however
        # long a flush takes, no more steps than these are in flight.
        self.assertLessEqual(max(durable), self.steps_in_flight_max())

    def steps_in_flight_max(self):
        said = self.unum("doctor", code=DONE).out
        return int(re.search(r"(?m)^steps +at most (\d+) in flight", said).group(1))

    def kill_at_300(self, session, *options):
        """How many branches ran a second time."""
        application, log, events = self.path("app"), self.path(session + ".log"), self.events()
        run = ["run", application, "--session", session, "--workers", str(WORKERS), "--quiet", *options]
        environment = {"UNUM_TEST_EVENTS": events.path, "UNUM_TEST_LOG": log}
        command = self.start(*run, **environment)
        for _ in range(300):
            events.next()
        command.send(signal.SIGKILL)
        command.wait()
        self.assertEqual([], command.wait_for_no_process())
        first = lines(log)
        checkpointed = set(outcomes(application, session))
        lost = set(first) - checkpointed
        # What was computed first is stored first: only the last are lost, give or take a batch's order,
        # and what each worker held, which may have slept since it wrote to the log.
        self.assertLessEqual(len(lost & set(first[:-2 * len(lost) - 2 * WORKERS])), WORKERS)
        again = self.start(*run, **environment)
        for _ in range(1000 - len(checkpointed - {"Fork"})):
            events.next()
        self.assertEqual("499500\n", again.wait().out)
        second = lines(log)[len(first):]
        self.assertEqual(set(), set(second) & checkpointed, "checkpointed, and ran again")
        self.assertEqual(1000, len(set(first) | set(second)))
        self.assertEqual(lost, set(first) & set(second))
        return len(lost)


if __name__ == "__main__":
    unittest.main()
