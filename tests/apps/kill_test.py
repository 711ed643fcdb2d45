"""kill -9 at any moment, of the command and of its workers: the session run again gives the right
result, and nothing that was checkpointed runs twice.

UNUM_KILL_ROUNDS   how many rounds of each kind (default 20; 150 is the full measure)
UNUM_KILL_SEED     the seed of an earlier run
"""

import collections
import json
import os
import random
import re
import signal
import time
import unittest

from harness import (DONE, AppTest, Function, each, example_cases, fan_in, is_sanitized, lines,
                     outcomes, read_json)

ROUNDS = int(os.environ.get("UNUM_KILL_ROUNDS", "6" if is_sanitized() else "20"))
SEED = int(os.environ.get("UNUM_KILL_SEED", random.SystemRandom().randrange(2**32)))
# Kills of the command in one session; then it is left to end.
COMMAND_KILLS_MAX = 4
# Kills of workers in one run: a step has three deliveries, so two kills can fail none.
WORKER_KILLS_MAX = 2
WORKERS = 2

BRANCH = """import os

events = os.open(os.environ["UNUM_TEST_EVENTS"], os.O_WRONLY)
log = os.open(os.environ["UNUM_TEST_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def lambda_handler(event, context):
    os.write(log, context.unum_instance.encode() + b"\\n")
    os.write(events, b"one\\n")
    return event
"""


def is_worker(pid):
    """Whether the process runs another program than the command: in sanitizer builds the leak check at
    its end clones the command, and waits for ever if that clone is killed."""
    try:
        return os.readlink(f"/proc/{pid}/exe") != os.path.realpath(os.environ["UNUM_BINARY"])
    except OSError:
        return False


class Kills(AppTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.applications = {}
        self.durations = {}
        self.sums = collections.Counter()

    def application_of(self, name):
        if name not in self.applications:
            self.applications[name] = self.logging_example(name)
        return self.applications[name]

    def start_run(self, application, session, given, log):
        options = [] if self.random.random() < 0.5 else ["--no-durable"]
        return self.start("run", application, "--session", session, "--input", "@" + given,
                          "--workers", str(self.random.choice((1, 2, 4))), "--quiet", *options,
                          UNUM_TEST_LOG=log)

    def some_time(self, name):
        """Somewhere in the run of an example, or a little after its end."""
        return self.durations.get(name, 0.5) * self.random.random() * 1.2

    def expect_whole(self, application, session):
        """Whatever moment it was: every outcome that has a name is whole."""
        for instance, text in outcomes(application, session).items():
            try:
                json.loads(text)
            except ValueError:
                self.fail(f"{session}: {instance} is half written: {text[:100]!r}")

    def expect_result(self, ended, expected):
        self.assertEqual(DONE, ended.code, ended)
        self.assertEqual(read_json(expected), json.loads(ended.out))

    def rounds(self, run_one):
        cases = example_cases()
        for number in range(ROUNDS):
            name, given, expected = self.random.choice(cases)
            with self.subTest(seed=SEED, round=number, example=name):
                run_one(f"round-{number}", name, given, expected)
        sums = self.sums
        print(f"seed {SEED}: {ROUNDS} rounds, {sums['kills']} kills; of {sums['instances']} instances "
              f"{sums['again']} ran again, at most {sums['worst']} after one kill")

    # --- The command

    def test_the_command_killed_at_random(self):
        self.rounds(self.kill_command)

    def kill_command(self, session, name, given, expected):
        application = self.application_of(name)
        log = self.path(session + ".log")
        checkpointed = set()
        for kill in range(COMMAND_KILLS_MAX + 1):
            calls_before = len(lines(log))
            began = time.monotonic()
            command = self.start_run(application, session, given, log)
            last = kill == COMMAND_KILLS_MAX
            ended = command.wait() if last else command.ended_within(self.some_time(name))
            if ended:
                self.durations[name] = time.monotonic() - began
            else:
                command.send(signal.SIGKILL)
                command.wait()
            self.assertEqual([], command.wait_for_no_process(), "workers that outlived the command")
            self.expect_whole(application, session)
            calls = lines(log)[calls_before:]
            self.assertEqual(set(), checkpointed & set(calls), "checkpointed, and ran again")
            self.assertEqual(len(calls), len(set(calls)), "one run calls each instance once")
            checkpointed = set(outcomes(application, session))
            if ended:
                self.expect_result(ended, expected)
                break
            self.count_kill(len(set(calls) - checkpointed))
        self.sums["instances"] += len(checkpointed)

    def count_kill(self, again):
        self.sums["kills"] += 1
        self.sums["again"] += again
        self.sums["worst"] = max(self.sums["worst"], again)

    # --- Workers

    def test_workers_killed_at_random(self):
        self.rounds(self.kill_workers)

    def kill_workers(self, session, name, given, expected):
        application = self.application_of(name)
        log = self.path(session + ".log")
        began = time.monotonic()
        command = self.start_run(application, session, given, log)
        ended = None
        for _ in range(WORKER_KILLS_MAX):
            ended = command.ended_within(self.some_time(name))
            workers = [pid for pid in command.processes() if is_worker(pid)]
            if ended or not workers:
                break
            try:
                os.kill(self.random.choice(workers), signal.SIGKILL)
                self.sums["kills"] += 1
            except ProcessLookupError:
                pass
        ended = ended or command.wait()
        self.durations[name] = time.monotonic() - began
        self.assertEqual([], command.wait_for_no_process())
        self.expect_result(ended, expected)
        self.expect_whole(application, session)
        twice = {instance for instance, count in collections.Counter(lines(log)).items() if count > 1}
        said = set(re.findall(r"(?m)^(\S+): ", ended.err))  # nothing else is said with --quiet
        self.assertEqual(set(), twice - said, f"ran twice without a word\n{ended.err}")
        self.sums["again"] += len(twice)
        self.sums["worst"] = max(self.sums["worst"], len(twice))
        self.sums["instances"] += len(outcomes(application, session))

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
