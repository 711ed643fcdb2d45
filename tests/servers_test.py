"""tests/with-servers.py: what the command gets, and that no server outlives it, however it ends."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import unittest

WITH_SERVERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "with-servers.py")
WAIT_S = 60
# Prints its own id and those of the servers, then waits to be ended.
TELL = ("import os, signal, subprocess; siblings = open(f'/proc/{os.getppid()}/task/{os.getppid()}/children').read();"
        "print('servers', siblings, flush=True); signal.pause()")

# Kills the first server, and goes on once it is gone.
KILL = ("import os, select, signal; pid = open(f'/proc/{os.getppid()}/task/{os.getppid()}/children').read().split()[0];"
        "server = os.pidfd_open(int(pid)); os.kill(int(pid), signal.SIGKILL); select.select([server], [], [])")


class WithServers(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def start(self, *arguments, **environment):
        process = subprocess.Popen([sys.executable, WITH_SERVERS, *arguments], stdout=subprocess.PIPE,
                                   env={**os.environ, "TMPDIR": self.directory, "CI": "", **environment}, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def run_to_end(self, *arguments, **environment):
        process = self.start(*arguments, **environment)
        out, _ = process.communicate(timeout=WAIT_S)
        return process.returncode, out

    def fake_redis(self, script):
        path = os.path.join(self.directory, "redis-server")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        return {"UNUM_TEST_TOOLS": self.directory, "UNUM_TEST_REDIS": ""}

    def test_the_command_gets_the_variables_and_its_exit_code_is_passed_on(self):
        code, out = self.run_to_end("--only", "redis", "sh", "-c",
                                    'echo "at $UNUM_TEST_REDIS"; test -f "$UNUM_TEST_CA" && exit 7')
        self.assertEqual(7, code, out)
        self.assertRegex(out, r"(?m)^starting redis-server on 127\.0\.0\.1:(\d+)$(.|\n)*^at 127\.0\.0\.1:\1$")
        self.assertEqual([], [name for name in os.listdir(self.directory) if "unum-servers" in name])

    def test_a_command_that_is_not_there(self):
        self.assertEqual(127, self.run_to_end("--only", "redis", "/nonexistent/command")[0])

    def test_an_unknown_server_and_no_command_are_refused(self):
        self.assertEqual(1, self.run_to_end("--only", "oracle", "true")[0])
        self.assertEqual(1, self.run_to_end()[0])

    def test_a_server_that_does_not_come_up_shows_its_log_and_fails_in_ci_only(self):
        environment = self.fake_redis("echo no memory today; exit 3\n")
        command = ["--only", "redis", "sh", "-c", 'echo "redis: [$UNUM_TEST_REDIS]"']
        code, out = self.run_to_end(*command, **environment)
        self.assertEqual(0, code, out)
        self.assertIn("ended with code 3; it wrote:\nno memory today", out)
        self.assertIn("redis: []", out)
        code, out = self.run_to_end(*command, **{**environment, "CI": "true"})
        self.assertEqual(1, code, out)
        self.assertNotIn("redis: [", out)

    def test_a_server_that_ends_during_the_command_is_a_failure(self):
        code, out = self.run_to_end("--only", "redis", sys.executable, "-c", KILL)
        self.assertEqual(1, code, out)
        self.assertIn("During the tests, without being asked to: redis-server", out)

    def test_no_server_is_left_however_the_script_ends(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number.name):
                process = self.start("--only", "redis,http", sys.executable, "-c", TELL)
                for line in process.stdout:
                    if line.startswith("servers "):
                        break
                # Opened while they live: a number alone could name another process afterwards.
                servers = [os.pidfd_open(int(pid)) for pid in line.split()[1:]]
                self.assertEqual(3, len(servers), "redis, nginx and the command")
                process.send_signal(number)
                self.assertNotEqual(0, process.wait(WAIT_S))
                for descriptor in servers:
                    ended, _, _ = select.select([descriptor], [], [], WAIT_S)
                    os.close(descriptor)
                    self.assertTrue(ended, "a process outlived the script")


if __name__ == "__main__":
    unittest.main()
