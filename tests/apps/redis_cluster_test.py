"""Workflows on a Redis cluster whose primary falls silent, and servers that are no store."""

import os
import signal
import time
import unittest

from harness import DONE, MACHINE, AppTest, Function, each, fan_in, lines, log_calls
from network_stores import RedisStore
from servers.process import Server, free_port, running
from servers.redis import Redis, RedisCluster, ask, redis_server

NODE_TIMEOUT_MS = 2000
# A replica is elected within about twice the node timeout and a second; a command that waits notices within another
# three. The rest is for a machine that is busy.
FAILOVER_S = 25
BRANCHES = 60
SPLIT = "def lambda_handler(event, context):\n    return list(range(event))\n"
# Says that it runs, and works for a while, so that branches are under way when the primary falls silent.
BRANCH = """import os

def lambda_handler(event, context):
    with open(os.environ["UNUM_TEST_EVENTS"], "w") as events:
        events.write("ran\\n")
    sum(range(100_000))
    return event * 2
"""


class SilentPrimary(AppTest):
    """SIGSTOP: connections stay open, and nothing comes."""

    def setUp(self):
        super().setUp()
        if not os.environ.get(RedisStore.variable):
            self.skipTest(f"{RedisStore.variable} names no server")
        os.mkdir(self.path("redis"))
        self.application({"Split": Function(SPLIT, each("Branch")),
                          "Branch": Function(BRANCH, fan_in("Sum", ["Branch-unumIndex-*"])),
                          "Sum": Function("def lambda_handler(event, context):\n    return sum(event)\n")})
        log_calls(self.path("app"))

    def session_at(self, cluster, number):
        return next(session for session in (f"s{i}" for i in range(10_000))
                    if cluster.primary_of(f"unum:{{{session}}}") == number)

    def run_with_silent_primary(self, silent, named):
        with running(RedisCluster(self.path("redis", f"{silent}-{len(named)}"), replicas=1,
                                  node_timeout_ms=NODE_TIMEOUT_MS)) as cluster:
            events = self.events()
            log = self.path(f"log-{silent}-{len(named)}")
            store = "redis:" + ",".join(cluster.nodes[number].address for number in named)
            command = self.start("run", self.path("app"), "--input", str(BRANCHES), "--json", "--store", store,
                                 "--session", self.session_at(cluster, silent), "--workers", "4",
                                 UNUM_TEST_EVENTS=events.path, UNUM_TEST_LOG=log)
            for _ in range(BRANCHES // 4):
                events.next()
            begun = time.monotonic()
            stopped = cluster.nodes[silent].process
            os.kill(stopped.pid, signal.SIGSTOP)
            try:
                ended = command.wait()
            finally:
                os.kill(stopped.pid, signal.SIGCONT)
            took = time.monotonic() - begun
            self.assertEqual(DONE, ended.code, ended)
            self.assertEqual(sum(2 * i for i in range(BRANCHES)), ended.json["result"])
            # What the branches take by themselves is the machine's: the same once more, undisturbed.
            begun = time.monotonic()
            self.unum("run", self.path("app"), "--input", str(BRANCHES), "--store", store, "--session", "undisturbed",
                      "--workers", "4", code=DONE, UNUM_TEST_EVENTS=events.path, UNUM_TEST_LOG=os.devnull)
            self.assertLess(took, FAILOVER_S + time.monotonic() - begun, ended)
            ran = lines(log)
            self.assertEqual(sorted(set(ran)), sorted(ran), "what was stored ran again")
            self.assertEqual(BRANCHES + 2, len(ran))

    def test_a_run_goes_on_when_the_primary_that_was_named_falls_silent(self):
        """(found 14)"""
        self.run_with_silent_primary(silent=0, named=[0])

    def test_a_run_goes_on_when_another_primary_falls_silent(self):
        """(found 14)"""
        self.run_with_silent_primary(silent=1, named=[0])

    def test_a_cluster_is_opened_by_any_of_those_that_were_named(self):
        """(found 14)"""
        with running(RedisCluster(self.path("redis", "open"), replicas=1, node_timeout_ms=NODE_TIMEOUT_MS)) as cluster:
            named = ",".join(node.address for node in cluster.nodes[:3])
            os.kill(cluster.nodes[0].process.pid, signal.SIGSTOP)
            try:
                ended = self.unum("store", "check", f"redis:{named}", code=DONE, timeout=FAILOVER_S)
            finally:
                os.kill(cluster.nodes[0].process.pid, signal.SIGCONT)
            self.assertIn(named, ended.out)


class Sentinel(Server):
    """redis-server as a Sentinel, which watches a primary."""

    name = "redis-sentinel"

    def __init__(self, directory, primary):
        super().__init__(directory)
        self.primary = primary
        self.program = ""

    def install(self):
        self.program = redis_server(os.path.join(self.directory, "bin"))

    def command(self):
        settings = os.path.join(self.directory, "sentinel.conf")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(f"sentinel monitor orders 127.0.0.1 {self.primary.port} 1\n")
        return [self.program, settings, "--sentinel", "--port", str(self.port), "--bind", "127.0.0.1"]

    def is_ready(self):
        try:
            return ask(self.port, "PING") == "PONG"
        except OSError:
            return False


class NoStores(AppTest):
    def setUp(self):
        super().setUp()
        if not os.environ.get(RedisStore.variable):
            self.skipTest(f"{RedisStore.variable} names no server")

    def test_a_sentinel_is_refused_with_what_to_name_instead(self):
        """(found 14)"""
        os.mkdir(self.path("primary"))
        os.mkdir(self.path("sentinel"))
        with running(Redis(self.path("primary"))) as primary, \
                running(Sentinel(self.path("sentinel"), primary)) as sentinel:
            self.refused(MACHINE, "store", "check", f"redis:{sentinel.address}",
                         says=(sentinel.address, "is a Sentinel", "name the primary"))

    def test_servers_that_are_no_cluster_are_not_named_together(self):
        """(found 14)"""
        server = os.environ[RedisStore.variable]
        self.refused(MACHINE, "store", "check", f"redis:{server},127.0.0.1:{free_port()}",
                     says=(server, "a server by itself"))


if __name__ == "__main__":
    unittest.main()
