"""Whole applications on the network stores, unchanged: every example, kills of workers and of the command, kills
of the servers.

UNUM_STORE_KILL_ROUNDS    rounds of each kind on each store (default 4; 50 kill some 300 workers in all)
UNUM_SERVER_KILL_ROUNDS   kills of each of the four servers (default 2; 13 are 52 in all)
UNUM_KILL_SEED            the seed of an earlier run
"""

import os
import random
import unittest
import uuid

import example_runs
import kill_rounds
from harness import DONE, FAILED, MACHINE, AppTest, Function, each, fan_in, lines
from network_stores import DynamoDbStore, OnANetworkStore, RedisStore, S3Store
from servers.process import running
from servers.redis import Redis

WIDTH = 30
SERVER_KILLS = int(os.environ.get("UNUM_SERVER_KILL_ROUNDS", "2"))
BRANCH = """import os

events = os.open(os.environ["UNUM_TEST_EVENTS"], os.O_WRONLY)
log = os.open(os.environ["UNUM_TEST_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def lambda_handler(event, context):
    os.write(log, context.unum_instance.encode() + b"\\n")
    os.write(events, b"one\\n")
    return event
"""


class OnEach:
    """The tests; below, a class for each store. (Tests in here are not collected by themselves.)"""

    class Examples(OnANetworkStore, example_runs.ExampleRuns):
        def test_every_example_gives_its_result(self):
            self.expect_every_example(self.store.type, ["--no-durable"], workers=("2",))

        def test_a_session_that_is_run_again_runs_nothing_again(self):
            self.expect_that_nothing_runs_again()

    class Kills(OnANetworkStore, kill_rounds.KillRounds):
        ROUNDS = int(os.environ.get("UNUM_STORE_KILL_ROUNDS", "4"))

        def kills(self, kill_one):
            """Sessions of other tests are on the same server."""
            prefix = uuid.uuid4().hex[:8]
            self.rounds(lambda session, *case: kill_one(f"{prefix}-{session}", *case))

        def test_the_command_killed_at_random(self):
            self.kills(self.kill_command)

        def test_workers_killed_at_random(self):
            self.kills(self.kill_workers)

    class ServerKills(AppTest):
        """The server dies in the middle of a fan-in and comes back; so does the workflow."""

        make_store = None

        def server(self, store, directory):
            return store.server(directory)

        def setUp(self):
            super().setUp()
            self.random = random.Random(kill_rounds.SEED)
            self.application({
                "Fork": Function(f"def lambda_handler(event, context):\n    return list(range({WIDTH}))\n",
                                 each("Branch")),
                "Branch": Function(BRANCH, fan_in("Sum", ["Branch-unumIndex-*"])),
                "Sum": Function(BRANCH.replace("return event", "return sum(event)"))})

        def test_the_server_killed_in_the_middle_of_a_fan_in(self):
            store = self.make_store()
            with running(self.server(store, self.path("server"))) as server:
                store.create(server.address)
                for number in range(SERVER_KILLS):
                    moment = self.random.randrange(1, WIDTH)
                    with self.subTest(seed=kill_rounds.SEED, round=number, killed_at_branch=moment):
                        self.kill_server_once(store, server, f"round-{number}", moment)

        def kill_server_once(self, store, server, session, moment):
            self.log, self.pipe = self.path(session + ".log"), self.events()
            command = self.start_run(store, server.address, session)
            for _ in range(moment):
                self.pipe.next()
            server.kill()
            server.restart()
            ended = command.wait()
            self.assertEqual([], command.wait_for_no_process())
            calls = lines(self.log)
            self.assertEqual(len(calls), len(set(calls)), "one run calls each instance once")
            if ended.code != DONE:
                self.expect_clear_error(store, ended)
                checkpointed = store.done(server.address, session)
                self.expect_kept(checkpointed)
                ended = self.start_run(store, server.address, session).wait()
                again = set(lines(self.log)[len(calls):])
                self.assertEqual(set(), again & checkpointed, "checkpointed, and ran again")
            self.assertEqual((DONE, f"{WIDTH * (WIDTH - 1) // 2}\n"), (ended.code, ended.out), ended)
            self.assertEqual(WIDTH + 2, len(store.done(server.address, session)))

        def start_run(self, store, at, session):
            return self.start("run", self.path("app"), "--session", session, "--workers", "2", "--timeout", "60",
                              "--quiet", "--store", store.name(at), UNUM_TEST_LOG=self.log,
                              UNUM_TEST_EVENTS=self.pipe.path, **store.environment(at))

        def expect_clear_error(self, store, ended):
            self.assertIn(ended.code, (FAILED, MACHINE), ended)
            self.assertEqual("", ended.out)
            self.assertIn(store.type, ended.err)
            self.assertNotIn("internal error", ended.err)

        def expect_kept(self, checkpointed):
            self.assertIn("Fork", checkpointed, "branches ran, so the server had taken it")


class ExamplesOnRedis(OnEach.Examples):
    make_store = RedisStore


class ExamplesOnDynamoDb(OnEach.Examples):
    make_store = DynamoDbStore


class ExamplesOnS3(OnEach.Examples):
    make_store = S3Store


class KillsOnRedis(OnEach.Kills):
    make_store = RedisStore


class KillsOnDynamoDb(OnEach.Kills):
    make_store = DynamoDbStore


class KillsOnS3(OnEach.Kills):
    make_store = S3Store


class KillsOfRedis(OnEach.ServerKills):
    make_store = RedisStore


class KillsOfRedisFlushedEverySecond(OnEach.ServerKills):
    """Two seconds of results may be gone with the server; they run again."""

    make_store = RedisStore

    def server(self, store, directory):
        return Redis(directory, appendfsync="everysec")

    def expect_kept(self, checkpointed):
        pass


class KillsOfDynamoDb(OnEach.ServerKills):
    make_store = DynamoDbStore


class KillsOfS3(OnEach.ServerKills):
    make_store = S3Store


if __name__ == "__main__":
    unittest.main()
