"""Workers on a queue in Redis: killed, cut off, through a failover, on a cluster; nothing is lost or done twice.

UNUM_TEST_WIDE=1   1,000 workflows under kills instead of 24
UNUM_KILL_SEED     the seed of an earlier run
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import time
import unittest
import uuid

from collector import Collector, attributes
from harness import DONE, INTERRUPTED, USAGE, AppTest, Function, each, fan_in, lines, log_calls, read_json
from network_stores import RedisStore
from servers.process import LOOPBACK, running
from servers.redis import Redis, RedisCluster, ask

WIDE = bool(os.environ.get("UNUM_TEST_WIDE"))
SEED = int(os.environ.get("UNUM_KILL_SEED", random.SystemRandom().randrange(2**32)))
WORKFLOWS = 1000 if WIDE else 24
WIDTH = 4
LEASE_S = "1"
APP = "under-test"
STREAM = f"unum-queue:{{{APP}}}"
SPLIT = "def lambda_handler(event, context):\n    return [event * 10 + i for i in range(%d)]\n" % WIDTH
BRANCH = "def lambda_handler(event, context):\n    return event * 2\n"
# Tells the test which session is done.
SUM = """import os

def lambda_handler(event, context):
    with open(os.environ["UNUM_TEST_EVENTS"], "w") as events:
        events.write(context.unum_session + "\\n")
    return sum(event)
"""
# Waits on one side of a cut, and goes on on the other.
HELD = """import os, time

def lambda_handler(event, context):
    with open(os.environ["UNUM_TEST_EVENTS"], "w") as events:
        events.write(os.environ["UNUM_TEST_SIDE"] + "\\n")
    if os.environ["UNUM_TEST_SIDE"] == "held":
        time.sleep(600)
    return event * 2
"""


def expected_sum(number):
    return sum(2 * (number * 10 + i) for i in range(WIDTH))


class Streams(AppTest):
    """An application on a queue of its own."""

    def setUp(self):
        super().setUp()
        if not os.environ.get(RedisStore.variable):
            self.skipTest(f"{RedisStore.variable} names no server")
        self.events_pipe = self.events()
        self.log = self.path("log")
        self.workers = []

    def server(self, name="redis", kind=Redis):
        directory = self.path(name)
        os.mkdir(directory)
        server = kind(directory)
        return self.enter(running(server))

    def enter(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def summing(self, branch=BRANCH):
        self.application({"Split": Function(SPLIT, each("Branch")),
                          "Branch": Function(branch, fan_in("Sum", ["Branch-unumIndex-*"])),
                          "Sum": Function(SUM)})
        log_calls(self.path("app"))

    def worker(self, queue, store=None, program=None, side="free", count="2", lease=LEASE_S, **options):
        arguments = ["worker", self.path("app"), "--queue", queue, "--store", store or queue, "--workers", count,
                     "--lease", lease]
        if program:
            options["program"] = program
        command = self.start(*arguments, UNUM_TEST_EVENTS=self.events_pipe.path, UNUM_TEST_LOG=self.log,
                             UNUM_TEST_SIDE=side, **options)
        self.workers.append(command)
        return command

    def send(self, port, session, value, times=1):
        payload = json.dumps({"Data": {"Source": "http", "Value": value}, "Session": session})
        for _ in range(times):
            ask(port, "XADD", STREAM, "*", "function", "Split", "payload", payload)

    def wait_for(self, what, condition, seconds=60):
        """Asks the server until it is so."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what}: " + "\n".join(
                worker.ended.err for worker in self.workers if worker.ended))
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.workers[-1].process.wait(0.05)  # or until it is time to ask again

    def is_idle(self, port):
        return ask(port, "XLEN", STREAM) == "0" and ask(port, "ZCARD", STREAM + ":delayed") == "0"

    def outcome(self, port, session, instance="Sum"):
        """The stored text; empty if there is none."""
        key = f"unum:{{{session}}}:{instance}-output"
        return ask(port, "GET", key) if ask(port, "EXISTS", key) == "1" else ""

    def end_workers(self):
        """SIGTERM, and all of them end well."""
        living = [worker for worker in self.workers if worker.process.poll() is None]
        for worker in living:
            worker.send(signal.SIGTERM)
        for worker in living:
            ended = self.end_of(worker)
            self.assertEqual(DONE, ended.code, ended)

    def expect_sums(self, port, sessions):
        for session, number in sessions.items():
            stored = self.outcome(port, session)
            self.assertIn(str(expected_sum(number)), stored, f"{session}: {stored}")

    def done_sessions(self, count, seconds=60):
        """Waits until so many sessions have told that they are done."""
        done = set()
        while len(done) < count:
            done.add(self.events_pipe.next(seconds))
        return done


class Kills(Streams):
    def test_workers_that_are_killed_at_random_lose_nothing(self):
        """1,000 workflows under UNUM_TEST_WIDE; a tenth of the messages that begin them come twice."""
        print(f"UNUM_KILL_SEED={SEED}")
        chance = random.Random(SEED)
        self.summing()
        server = self.server()
        queue = f"redis:{server.address}"
        for _ in range(3):
            self.worker(queue)
        sessions = {f"s{number}": number for number in range(WORKFLOWS)}
        for session, number in sessions.items():
            self.send(server.port, session, number, times=2 if number % 10 == 0 else 1)
        done = set()
        kills = 0
        next_kill = 3
        while len(done) < WORKFLOWS:
            done.add(self.events_pipe.next(120))
            if len(done) >= next_kill and len(done) < WORKFLOWS - 2:
                next_kill += max(5, WORKFLOWS // 100)
                victim = chance.choice([worker for worker in self.workers if worker.process.poll() is None])
                victim.send(signal.SIGKILL)
                kills += 1
                self.worker(queue)
        self.wait_for("the queue is empty", lambda: self.is_idle(server.port), 120)
        self.end_workers()
        self.expect_sums(server.port, sessions)
        ran = lines(self.log)
        steps = WORKFLOWS * (WIDTH + 2)
        # What a killed worker was computing runs again, and nothing else does but what a duplicate was faster with.
        print(f"{WORKFLOWS} workflows, {kills} kills, {len(ran)} calls for {steps} steps")
        self.assertLessEqual(len(ran), steps + 8 * kills + WORKFLOWS // 10 * 2)
        self.assertEqual("0", ask(server.port, "XLEN", STREAM + ":dead"))

    def test_a_function_that_kills_its_process_fails_its_step_and_no_other(self):
        self.application({"Split": Function("import os\n\ndef lambda_handler(event, context):\n    os._exit(7)\n")})
        server = self.server()
        self.worker(f"redis:{server.address}")
        self.send(server.port, "s", 1)
        self.wait_for("a dead letter", lambda: ask(server.port, "XLEN", STREAM + ":dead") == "1")
        self.end_workers()
        self.assertIn("Unum.WorkerCrashed", ask(server.port, "GET", "unum:{s}:Split-error"))
        self.assertIn("crash 3 of 3", self.workers[0].ended.err)


class Ends(Streams):
    def test_spans_of_all_workers_are_one_trace_and_sent_at_the_end_at_the_latest(self):
        collector = Collector(self)
        self.summing()
        server = self.server()
        for _ in range(2):
            self.worker(f"redis:{server.address}", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        self.send(server.port, "s", 1)
        self.done_sessions(1)
        self.wait_for("the queue is empty", lambda: self.is_idle(server.port))
        self.end_workers()
        spans = {attributes(span)["faas.invocation_id"]: span for span in collector.spans()}
        branches = [f"Branch-unumIndex-{place}" for place in range(WIDTH)]
        self.assertEqual({"Split", "Sum", *branches}, set(spans))
        self.assertEqual(1, len({span["traceId"] for span in spans.values()}))
        self.assertEqual([spans[branch]["spanId"] for branch in branches],
                         [link["spanId"] for link in spans["Sum"]["links"]])

    def held(self):
        self.summing(branch=HELD)
        server = self.server()
        worker = self.worker(f"redis:{server.address}", side="held")
        self.send(server.port, "s", 3)
        self.events_pipe.next()
        return server, worker

    def test_a_worker_that_is_told_to_end_hands_over_what_its_grace_is_too_short_for(self):
        self.summing(branch=HELD)
        server = self.server()
        queue = f"redis:{server.address}"
        worker = self.start("worker", self.path("app"), "--store", queue, "--workers", "2", "--grace", "0.5",
                            "--lease", "3600", UNUM_TEST_EVENTS=self.events_pipe.path, UNUM_TEST_SIDE="held",
                            UNUM_TEST_LOG=self.log)
        self.send(server.port, "s", 3)
        self.events_pipe.next()
        worker.send(signal.SIGTERM)
        self.assertEqual(DONE, self.end_of(worker).code)
        self.worker(queue, lease="3600")
        while self.events_pipe.next() != "s":
            pass
        self.wait_for("the queue is empty", lambda: self.is_idle(server.port))
        self.end_workers()
        self.expect_sums(server.port, {"s": 3})

    def test_a_second_signal_ends_a_worker_at_once(self):
        _, worker = self.held()
        worker.send(signal.SIGTERM)
        self.assertIsNone(worker.ended_within(0.5))
        worker.send(signal.SIGTERM)
        self.assertEqual(INTERRUPTED, self.end_of(worker).code)

    def test_workers_are_shown_with_what_they_run(self):
        server, worker = self.held()
        shown = self.unum("workers", self.path("app"), "--queue", f"redis:{server.address}", "--json", code=DONE).json
        self.assertEqual(1, len(shown["workers"]))
        running_now = [each for each in shown["running"] if each["instance"].startswith("Branch-unumIndex-")]
        self.assertTrue(running_now, shown)
        self.assertEqual({"s"}, {each["session"] for each in running_now})
        self.assertEqual({shown["workers"][0]["worker"]}, {each["worker"] for each in running_now})
        table = self.unum("workers", self.path("app"), "--queue", f"redis:{server.address}", code=DONE).out
        self.assertIn("Branch-unumIndex-", table)
        worker.send(signal.SIGKILL)

    def test_a_queue_that_is_none_is_refused_with_what_to_write(self):
        self.summing()
        self.refused(USAGE, "worker", self.path("app"), says=("keeps no queue", "--queue redis:HOST:PORT"))
        self.refused(USAGE, "worker", self.path("app"), "--queue", "s3:bucket", says="redis:HOST:PORT")
        self.refused(USAGE, "worker", self.path("app"), "--queue", "redis:h", "--store", "memory",
                     says="not shared by workers")


class NetworkSides:
    """Network namespaces, each joined to this one by a cable that can be cut: packets are dropped, nothing ends."""

    def __init__(self, count):
        tag = uuid.uuid4().hex[:6]
        net = random.SystemRandom().randrange(1, 250)
        self.names = [f"unum-{tag}-{number}" for number in range(count)]
        self.cables = [f"u{tag}{number}" for number in range(count)]
        self.addresses = [f"10.{net}.{number}.1" for number in range(count)]

    def __enter__(self):
        for name, cable, address in zip(self.names, self.cables, self.addresses):
            inner = address[:-1] + "2"
            for command in (["netns", "add", name],
                            ["link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name],
                            ["addr", "add", f"{address}/24", "dev", cable], ["link", "set", cable, "up"],
                            ["-n", name, "addr", "add", f"{inner}/24", "dev", "eth0"],
                            ["-n", name, "link", "set", "eth0", "up"], ["-n", name, "link", "set", "lo", "up"]):
                subprocess.run(["ip", *command], check=True, capture_output=True)
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def cut(self, side):
        subprocess.run(["ip", "link", "set", self.cables[side], "down"], check=True)

    def heal(self, side):
        subprocess.run(["ip", "link", "set", self.cables[side], "up"], check=True)

    def program(self, side):
        return ["ip", "netns", "exec", self.names[side], os.environ["UNUM_BINARY"]]


def refusal_of_namespaces():
    """Why there can be none here, or an empty text."""
    try:
        with NetworkSides(1):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespaces: {error}"


class CutOff(Streams):
    def test_a_worker_that_is_cut_off_loses_its_messages_and_disturbs_nobody_when_it_is_back(self):
        refusal = refusal_of_namespaces()
        if refusal:
            self.skipTest(refusal)
        self.summing(branch=HELD)
        sides = self.enter(NetworkSides(2))
        addresses = sides.addresses

        class Reachable(Redis):
            def options(self):
                return ["--bind", LOOPBACK, *addresses, "--protected-mode", "no"]

        server = self.server(kind=Reachable)
        self.worker(f"redis:{addresses[0]}:{server.port}", program=sides.program(0), side="held")
        self.send(server.port, "s", 5)
        self.assertEqual("held", self.events_pipe.next())
        sides.cut(0)
        self.worker(f"redis:{addresses[1]}:{server.port}", program=sides.program(1))
        while self.events_pipe.next() != "s":
            pass
        self.wait_for("the queue is empty", lambda: self.is_idle(server.port))
        self.expect_sums(server.port, {"s": 5})
        before = self.outcome(server.port, "s")
        sides.heal(0)
        # The first one hears that its messages are another's, and takes the next ones.
        self.workers[1].send(signal.SIGTERM)
        self.assertEqual(DONE, self.end_of(self.workers[1]).code)
        self.send(server.port, "t", 6)
        while self.events_pipe.next() != "held":
            pass
        self.assertEqual(before, self.outcome(server.port, "s"))
        self.workers[0].send(signal.SIGKILL)
        self.workers[0].ended_within(10)
        self.worker(f"redis:{server.address}")
        while self.events_pipe.next() != "t":
            pass
        self.wait_for("the queue is empty", lambda: self.is_idle(server.port))
        self.end_workers()
        self.expect_sums(server.port, {"s": 5, "t": 6})


class OnACluster(Streams):
    def test_a_workflow_runs_on_a_cluster_with_two_workers(self):
        cluster = os.environ.get("UNUM_TEST_REDIS_CLUSTER")
        if not cluster:
            self.skipTest("UNUM_TEST_REDIS_CLUSTER names no server")
        self.summing()
        name = f"cluster-{uuid.uuid4().hex[:8]}"
        template = read_json(self.path("app", "unum-template.yaml"))
        template["Globals"]["ApplicationName"] = name
        with open(self.path("app", "unum-template.yaml"), "w", encoding="utf-8") as file:
            json.dump(template, file)
        for _ in range(2):
            self.worker(f"redis:{cluster}")
        sessions = {f"{name}-{number}": number for number in range(6)}
        for session, number in sessions.items():
            payload = json.dumps({"Data": {"Source": "http", "Value": number}, "Session": session})
            self.cluster_call(cluster, "XADD", f"unum-queue:{{{name}}}", "*", "function", "Split", "payload", payload)
        self.done_sessions(len(sessions))
        self.wait_for("the queue is empty",
                      lambda: self.cluster_call(cluster, "XLEN", f"unum-queue:{{{name}}}") == "0")
        self.end_workers()
        for session, number in sessions.items():
            stored = self.cluster_call(cluster, "GET", f"unum:{{{session}}}:Sum-output")
            self.assertIn(str(expected_sum(number)), stored)

    def cluster_call(self, address, *words):
        """By way of the node that has the key."""
        port = int(address.rpartition(":")[2])
        for _ in range(8):
            try:
                return ask(port, *words)
            except Exception as error:  # pylint: disable=broad-exception-caught
                moved = str(error).partition("MOVED ")[2]
                if not moved:
                    raise
                port = int(moved.split()[1].rpartition(":")[2])
        raise AssertionError("redirected in circles")

    def test_a_primary_of_the_queue_that_dies_is_followed_to_its_replica(self):
        """The store is another server: what the replica did not hear of only means that it is delivered again."""
        self.summing()
        store = self.server("store")
        os.mkdir(self.path("cluster"))
        cluster = self.enter(running(RedisCluster(self.path("cluster"), replicas=1, node_timeout_ms=1000)))
        primary = cluster.nodes[cluster.primary_of(STREAM)]
        others = ",".join(node.address for node in cluster.nodes if node is not primary)
        for _ in range(2):
            self.worker(f"redis:{others}", store=f"redis:{store.address}")
        sessions = {f"s{number}": number for number in range(12)}
        for session, number in sessions.items():
            self.send(primary.port, session, number)
        # Accepted is what a replica has: what begins a workflow is nobody's to send again.
        connection = socket.create_connection((LOOPBACK, primary.port), timeout=10)
        with connection:
            connection.sendall(f"DEL {STREAM}:none\r\nWAIT 1 5000\r\n".encode())
            reply = b""
            while reply.count(b"\r\n") < 2:
                reply += connection.recv(100)
        self.assertTrue(reply.endswith(b":1\r\n"), reply)
        self.events_pipe.next()
        primary.kill()
        done = self.done_sessions(len(sessions) - 1)
        self.assertTrue(done)
        self.wait_for("all sessions are done", lambda: all(
            self.outcome(store.port, session) for session in sessions), 60)
        self.end_workers()
        self.expect_sums(store.port, sessions)


if __name__ == "__main__":
    unittest.main()
