"""A gate for a test: gate.py in a process of its own, told what to do through its stdin."""

import collections
import json
import os
import select
import subprocess
import sys
import time

GATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gate.py")
ANSWER_S = 20


class GateControl:
    """`with GateControl("127.0.0.1:6379", "next 1 cut down 100") as gate:` ... gate.address"""

    def __init__(self, target, *rules, http=False, seed=None):
        options = ["--http"] if http else []
        if seed is not None:
            options += ["--seed", str(seed)]
        self.process = subprocess.Popen([sys.executable, GATE, target, *options, *rules], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.pending = b""
        self.events = collections.deque()
        try:
            self.address, _, seed_text = self.line().removeprefix("listening on ").partition(", seed ")
            self.seed = int(seed_text)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Its stdin ends, and so does it."""
        self.process.stdin.close()
        try:
            self.process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def line(self, timeout=ANSWER_S):
        deadline = time.monotonic() + timeout
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not piece:
                raise AssertionError("the gate ended" if ready else "the gate does not answer")
            self.pending += piece
        text, _, self.pending = self.pending.partition(b"\n")
        return text.decode()

    def ask(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        while (answer := self.line()).startswith("event "):
            self.events.append(answer)
        if answer.startswith("error"):
            raise ValueError(answer)
        return answer

    def rule(self, text):
        self.ask("rule " + text)

    def stats(self):
        return collections.Counter(json.loads(self.ask("stats")))

    def wait_until_held(self, timeout=ANSWER_S):
        if not self.events:
            self.events.append(self.line(timeout))
        event = self.events.popleft()
        if event != "event held":
            raise AssertionError(f"the gate said {event!r}")
