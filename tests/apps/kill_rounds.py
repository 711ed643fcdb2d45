"""Rounds of kill -9 over the examples, on whichever store: kill_test.py and stores_test.py run them.

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

from harness import (DONE, AppTest, example_cases, is_sanitized, lines, log_calls, outcomes,
                     read_json)

ROUNDS = int(os.environ.get("UNUM_KILL_ROUNDS", "6" if is_sanitized() else "20"))
SEED = int(os.environ.get("UNUM_KILL_SEED", random.SystemRandom().randrange(2**32)))
TOMBSTONE = "~"
# Kills of the command in one session; then it is left to end.
COMMAND_KILLS_MAX = 4
# Kills of workers in one run: a step has three deliveries, so two kills can fail none.
WORKER_KILLS_MAX = 2


def is_worker(pid):
    """Whether the process runs another program than the command: in sanitizer builds the leak check at
    its end clones the command, and waits for ever if that clone is killed."""
    try:
        return os.readlink(f"/proc/{pid}/exe") != os.path.realpath(os.environ["UNUM_BINARY"])
    except OSError:
        return False


def collect_garbage(directory):
    path = os.path.join(directory, "unum-template.yaml")
    with open(path, encoding="utf-8") as file:
        template = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(template.replace("Globals:\n", "Globals:\n  GC: true\n", 1))


class KillRounds(AppTest):
    """What a store test is made of: a subclass says where the session is kept."""

    ROUNDS = ROUNDS
    collects = False  # whether sessions are garbage-collected

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.applications = {}
        self.durations = {}
        self.sums = collections.Counter()
        self.left = {}

    def logging_example(self, name):
        if name not in self.applications:
            directory = self.applications[name] = self.example(name)
            log_calls(directory)
            if self.collects:
                collect_garbage(directory)
        return self.applications[name]

    # --- For subclasses: where a session is kept

    def store_options(self):
        return [] if self.random.random() < 0.5 else ["--no-durable"]

    def store_environment(self):
        return {}

    def done(self, application, session):
        """The instances that have an outcome."""
        return set(outcomes(application, session))

    def expect_whole(self, application, session):
        """Whatever moment it was: every outcome that has a name is whole."""
        for instance, text in outcomes(application, session).items():
            if text == TOMBSTONE:
                continue
            try:
                json.loads(text.removeprefix("!"))  # before a failure that was caught
            except ValueError:
                self.fail(f"{session}: {instance} is half written: {text[:100]!r}")

    # --- Runs

    def start_run(self, application, session, given, log):
        return self.start("run", application, "--session", session, "--input", "@" + given,
                          "--workers", str(self.random.choice((1, 2, 4))), "--quiet",
                          *self.store_options(), UNUM_TEST_LOG=log, **self.store_environment())

    def some_time(self, name):
        """Somewhere in the run of an example, or a little after its end."""
        return self.durations.get(name, 0.5) * self.random.random() * 1.2

    def expect_result(self, ended, expected):
        self.assertEqual(DONE, ended.code, ended)
        self.assertEqual(read_json(expected), json.loads(ended.out))

    def expect_collected(self, application, session, name, given):
        """What is left is what a run that nobody killed leaves."""
        if not self.collects:
            return
        if (name, given) not in self.left:
            clean = f"clean-{len(self.left)}"
            self.start_run(application, clean, given, self.path(clean + ".log")).wait()
            self.left[name, given] = self.uncollected(application, clean)
        self.assertEqual(self.left[name, given], self.uncollected(application, session), "is left")

    def uncollected(self, application, session):
        return {instance: text for instance, text in outcomes(application, session).items() if text != TOMBSTONE}

    def rounds(self, run_one):
        cases = example_cases()
        for number in range(self.ROUNDS):
            name, given, expected = self.random.choice(cases)
            with self.subTest(seed=SEED, round=number, example=name):
                run_one(f"round-{number}", name, given, expected)
        sums = self.sums
        print(f"seed {SEED}: {self.ROUNDS} rounds, {sums['kills']} kills; of {sums['instances']} instances "
              f"{sums['again']} ran again, at most {sums['worst']} after one kill")

    # --- The command

    def kill_command(self, session, name, given, expected):
        application = self.logging_example(name)
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
            checkpointed = self.done(application, session)
            if ended:
                self.expect_result(ended, expected)
                self.expect_collected(application, session, name, given)
                break
            self.count_kill(len(set(calls) - checkpointed))
        self.sums["instances"] += len(checkpointed)

    def count_kill(self, again):
        self.sums["kills"] += 1
        self.sums["again"] += again
        self.sums["worst"] = max(self.sums["worst"], again)

    # --- Workers

    def kill_workers(self, session, name, given, expected):
        application = self.logging_example(name)
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
        self.sums["instances"] += len(self.done(application, session))
