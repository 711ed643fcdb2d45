"""A platform of `unum step`: a queue and workers that are processes. step_test.py runs examples on it."""

import json
import random
import signal
import threading
import time

from harness import DONE

REFUSED, BOUNDED, INTERRUPTED = 1, 4, 130
DELIVERIES_MAX = 3
MESSAGES_MAX = 3000
AT_ONCE = 3


def invokes(ended):
    """The messages that a step printed, whole lines only."""
    found = [json.loads(line) for line in ended.out.split("\n")[:-1]]
    return [line["invoke"] for line in found if "invoke" in line]


def report(ended):
    return json.loads(ended.out.rstrip("\n").split("\n")[-1])["report"]


class Message:
    """What stands in a platform's queue until it is acknowledged."""

    def __init__(self, function, payload, options=(), not_before=0):
        self.function, self.payload = function, payload
        self.options, self.not_before = list(options), not_before
        self.deliveries = 0


class Platform:
    """A queue, and workers that are processes of `unum step`. Some messages are delivered twice, also at once,
    and some deliveries are killed at random moments.
    """

    def __init__(self, test, where, options=(), seed=0, twice=0.0, killed=0.0):
        self.test, self.where, self.options = test, where, list(options)
        self.random, self.twice, self.killed = random.Random(seed), twice, killed
        self.queue, self.accepted, self.delivered = [], set(), 0
        self.results, self.failures, self.kills = {}, [], 0

    def run(self, entry, given, session):
        """The result of the workflow, as `unum run` gives it."""
        self.put(Message(entry, json.dumps(given), ["--session", session]))
        while self.queue:
            self.test.assertLess(self.delivered, MESSAGES_MAX)
            due = [message for message in self.queue if message.not_before <= time.time()][:AT_ONCE]
            if not due:
                due_in = min(message.not_before for message in self.queue) - time.time()
                threading.Event().wait(max(0, due_in))
                continue
            for message in due:
                self.queue.remove(message)
            for message, command, kill in [self.begin(message) for message in due]:
                self.end(message, command, kill)
        self.test.assertEqual([], self.failures)
        self.test.assertEqual(1, len(self.results), self.results)
        return next(iter(self.results.values()))

    def put(self, message):
        self.queue.append(message)
        if self.random.random() < self.twice:
            self.queue.append(Message(message.function, message.payload, message.options, message.not_before))

    def begin(self, message):
        message.deliveries += 1
        self.delivered += 1
        command = self.test.start("step", *self.where(message.function), "--function", message.function,
                                  "--attempt", str(message.deliveries), *self.options, *message.options,
                                  stdin=message.payload.encode(), **self.test.store_environment())
        return message, command, self.random.random() < self.killed

    def end(self, message, command, kill):
        if kill and command.ended_within(self.random.uniform(0, 0.2)) is None:
            command.stdin = None  # it has that by now
            command.send(signal.SIGKILL)
            self.kills += 1
        ended = self.test.end_of(command)
        for line in invokes(ended):
            key = line["instance"], line["attempt"]
            if key not in self.accepted:
                self.accepted.add(key)
                self.put(Message(line["function"], line["payload"], not_before=line.get("not_before", 0) / 1000))
        if ended.code == DONE:
            told = report(ended)
            if told["status"] == "failed":
                self.failures.append(told)
            elif "result" in told:
                self.results[told["instance"]] = told["result"]
            return
        self.test.assertIn(ended.code, (-signal.SIGKILL, BOUNDED), ended)
        if ended.code == BOUNDED and message.deliveries == DELIVERIES_MAX:
            told = report(ended)
            message.options += ["--give-up", told["error"], "--cause", told["cause"]]
        self.queue.append(message)
