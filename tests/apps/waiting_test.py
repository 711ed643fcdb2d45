"""What a command says of itself while it runs: its log, and what it waits for when nothing moves."""

import os
import re
import select
import signal
import subprocess
import time
import unittest

from harness import DONE, TIMEOUT_S, USAGE, AppTest, Function, each, fan_in
from network_stores import RedisStore
from servers.process import running
from servers.redis import Redis

# Says that it runs, and goes on when the gate is opened.
HELD = """import os

def lambda_handler(event, context):
    with open(os.environ["UNUM_TEST_EVENTS"], "w") as events:
        events.write("runs\\n")
    os.read(os.open(os.environ["UNUM_TEST_GATE"], os.O_RDONLY), 1)
    return event
"""
LIST_END = r"reactor: (io_uring|epoll).*\n(  \d+ .*\n)+"


class Held(AppTest):
    """An application whose branches hang until the test lets them go."""

    def setUp(self):
        super().setUp()
        self.said = ""
        self.gate = self.path("gate")
        os.mkfifo(self.gate)
        self.gate_end = os.open(self.gate, os.O_RDWR)
        self.addCleanup(os.close, self.gate_end)
        self.application({"Split": Function(next=each("Held")),
                          "Held": Function(HELD, fan_in("Sum", ["Held-unumIndex-*"])),
                          "Sum": Function("def lambda_handler(event, context):\n    return sum(event)\n")})

    def read_until(self, command, pattern):
        """Of its stderr, as it comes."""
        descriptor = command.process.stderr.fileno()
        while not re.search(pattern, self.said):
            ready, _, _ = select.select([descriptor], [], [], TIMEOUT_S)
            piece = os.read(descriptor, 65536) if ready else b""
            if not piece:
                raise AssertionError(f"it never said {pattern}:\n{self.said}")
            self.said += piece.decode()
        return self.said

    def open_gate(self, count):
        os.write(self.gate_end, count * b".")

    def begin(self, *options, held=2):
        """A run of three branches, of which two are in the middle of their code."""
        events = self.events()
        command = self.start("run", self.path("app"), "--input", "[1, 2, 3]", "--session", "held", "--workers", "2",
                             *options, UNUM_TEST_EVENTS=events.path, UNUM_TEST_GATE=self.gate)
        self.assertEqual(["runs"] * held, [events.next() for _ in range(held)])
        return command, events

    def end(self, command, left):
        self.open_gate(left)
        ended = command.wait()
        self.assertEqual((DONE, "6"), (ended.code, ended.out.strip()), ended)


class Waiting(Held):
    def test_sigusr1_says_which_functions_hang_and_who_waits_behind_them(self):
        command, _ = self.begin()
        command.send(signal.SIGUSR1)
        said = self.read_until(command, LIST_END)
        self.assertRegex(said, r"run Split, session held: 3 steps in flight, 0 invocations queued, 0 delayed, "
                               r"1 instances done")
        self.assertRegex(said, r"workers: 2 of at most 2 calls run, 1 wait for their turn; [234] processes")
        pids = command.processes()
        for place in (0, 1):
            self.assertRegex(said, rf"step Held-unumIndex-{place}, session held: user code, for \d+\.\d\d s")
            called = re.search(rf"call of Held-unumIndex-{place}, session held: worker process (\d+), for", said)
            self.assertIn(int(called.group(1)), pids)
        self.assertRegex(said, r"call of Held-unumIndex-2, session held: its turn, for")
        self.assertNotIn("Sum", said)
        self.end(command, 3)

    def test_doctor_asks_a_running_command_and_says_where_the_list_went(self):
        command, _ = self.begin("--quiet")
        asked = self.unum("doctor", "--pid", str(command.process.pid), code=DONE)
        self.assertRegex(asked.out, rf"^process {command.process.pid} wrote what it waits for to its stderr: pipe:")
        self.assertIn("step Held-unumIndex-0", self.read_until(command, LIST_END))
        self.end(command, 3)

    def test_doctor_asks_nobody_who_would_die_of_it(self):
        other = subprocess.Popen(["sleep", "60"])
        try:
            self.refused(USAGE, "doctor", "--pid", str(other.pid), says=(f'process {other.pid} ("sleep")', "unum run"))
            self.assertIsNone(other.poll())
        finally:
            other.kill()
            other.wait()
        self.refused(USAGE, "doctor", "--pid", str(other.pid), says="does not exist")
        self.refused(USAGE, "doctor", "--pid", "0", says="--pid")

    # --- The log

    def test_the_log_follows_a_run_from_its_port_to_its_last_worker(self):
        application = self.application({"Split": Function(next=each("Twice")),
                                        "Twice": Function("def lambda_handler(event, context):\n    return 2 * event\n",
                                                          next=fan_in("Sum", ["Twice-unumIndex-*"])),
                                        "Sum": Function("def lambda_handler(event, context):\n    return 'SECRET'\n")},
                                       name="logged")
        ended = self.unum("run", application, "--input", "[1, 2]", "--session", "told", "--quiet", code=DONE,
                          UNUM_LOG="debug")
        lines = ended.err.splitlines()
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (error|warn |info |debug) [a-z]+ +\S")
        for words in (r"reactor begins: (io_uring|epoll)", r"store   opens fs:", r"worker  process \d+ was started",
                      r"host    session=told run of under-test begins in fs:",
                      r"host    session=told instance=Twice-unumIndex-1 accepted from Split",
                      r"runtime session=told instance=Split step begins, attempt 1",
                      r"runtime session=told instance=Split step succeeded: 2 invocations, 0 fan-ins, 5 bytes",
                      r"runtime session=told instance=Twice-\S+ fan-in of 2 values for Sum: claimed",
                      r"worker  process \d+ ended", r"host    session=told run of under-test ended"):
            self.assertTrue(any(re.search(words, line) for line in lines), f"{words}\n{ended.err}")
        self.assertNotIn("SECRET", ended.err)

    def test_levels_by_area_and_a_wrong_setting_is_told_once(self):
        application = self.application({"Echo": Function()}, name="echo")
        for setting, areas in (("off", set()), ("info,worker=off", {"reactor", "store", "host"}),
                               ("runtime=debug", {"runtime"}), ("error", set())):
            with self.subTest(setting=setting):
                ended = self.unum("run", application, "--quiet", code=DONE, UNUM_LOG=setting)
                self.assertEqual(areas, {line.split()[2] for line in ended.err.splitlines()}, ended.err)
        ended = self.unum("run", application, "--quiet", code=DONE, UNUM_LOG="info,radio=warn")
        self.assertEqual(1, ended.err.count("\n"), ended.err)
        self.assertIn('UNUM_LOG: "radio=warn" names no area', ended.err)
        self.assertIn("redis=trace", ended.err)

    def test_a_worker_that_crashes_is_in_the_log_with_the_delivery_that_follows(self):
        application = self.application({"Dies": Function(
            "import os\n\ndef lambda_handler(event, context):\n    os.abort()\n")}, name="dies")
        ended = self.unum("run", application, "--quiet", "--session", "s", UNUM_LOG="warn")
        self.assertRegex(ended.err, r"warn  worker  session=s instance=Dies lost process \d+: Unum.WorkerCrashed")
        self.assertRegex(ended.err, r"warn  host    session=s instance=Dies delivered again, attempt 2: Unum.Worker")
        self.assertRegex(ended.err, r"warn  runtime session=s instance=Dies given up after attempt 3")


class WaitingForAStore(Held):
    def setUp(self):
        super().setUp()
        if not os.environ.get(RedisStore.variable):
            self.skipTest(f"{RedisStore.variable} names no server")

    def test_a_store_that_falls_silent_is_named_with_the_steps_that_wait_for_it(self):
        os.mkdir(self.path("redis"))
        with running(Redis(self.path("redis"))) as server:
            command, events = self.begin("--store", "redis:" + server.address)
            os.kill(server.process.pid, signal.SIGSTOP)
            try:
                self.open_gate(2)
                self.assertEqual("runs", events.next())  # the third one has the place of another
                self.ask_until(command, r"(?s)(step Held-[^\n]*: the store: its outcome to be written, for .*){2}")
                self.assertRegex(self.said, r"step Held-unumIndex-\d, session held: user code")
            finally:
                os.kill(server.process.pid, signal.SIGCONT)
            self.end(command, 1)

    def ask_until(self, command, pattern):
        """Asks again until the list has it: the host reads a worker's result in its own time."""
        deadline = time.monotonic() + TIMEOUT_S
        while not re.search(pattern, self.said):
            self.assertLess(time.monotonic(), deadline, self.said)
            self.said = ""
            command.send(signal.SIGUSR1)
            self.read_until(command, LIST_END)


if __name__ == "__main__":
    unittest.main()
