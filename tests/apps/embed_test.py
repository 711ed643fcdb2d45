"""examples/embed as a user has it: built outside the tree against the installed library, by pkg-config."""

import glob
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import installed_test  # noqa: E402  (its tests stay its own: only the class is used)

SOURCE = os.environ["UNUM_SOURCE_ROOT"]
EXPECTED = "invoke Report\nSum is 499500\n"


class Embed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        installed_test.Installed.setUpClass()
        cls.addClassCleanup(installed_test.Installed.tearDownClass)
        installed = installed_test.Installed()
        cls.command = installed.path("bin", "unum")
        cls.outside = tempfile.mkdtemp(dir=installed.scratch.name)
        cls.program = os.path.join(cls.outside, "embed")
        sources = sorted(glob.glob(os.path.join(SOURCE, "examples", "embed", "*.cpp")))
        installed_test.run(*installed_test.COMPILER, "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow",
                           "-Werror", *installed.sanitizers(), "-o", cls.program, *sources,
                           *installed.pkg_config("--cflags", "--libs"), cwd=cls.outside)

    def embed(self, *arguments, **environment):
        return subprocess.run([self.program, *arguments], check=False, capture_output=True, text=True,
                              timeout=120, cwd=self.outside, env=dict(os.environ, **environment))

    def test_it_fans_in_a_thousand_values_of_a_directory(self):
        for reactor in ("uring", "epoll"):
            with self.subTest(reactor=reactor):
                store = os.path.join(self.outside, "store-" + reactor)
                made = subprocess.run([self.command, "store", "create", "fs:" + store], check=False,
                                      capture_output=True, text=True, timeout=60)
                self.assertEqual(0, made.returncode, made.stderr)
                environment = {} if reactor == "uring" else {"UNUM_REACTOR": reactor}
                ended = self.embed("fs", store, **environment)
                self.assertEqual((0, EXPECTED, ""), (ended.returncode, ended.stdout, ended.stderr))
                sessions = os.listdir(store)
                self.assertEqual(1, len(sessions))
                names = os.listdir(os.path.join(store, sessions[0]))
                self.assertEqual(1001, sum(name.endswith("-output.json") for name in names))

    def test_it_does_the_same_on_each_network_store_chosen_by_its_name_alone(self):
        aws = {"AWS_ACCESS_KEY_ID": "unumtest", "AWS_SECRET_ACCESS_KEY": "unum-test-secret",
               "AWS_REGION": "us-east-1"}
        s3 = {**aws, "AWS_ACCESS_KEY_ID": "unum-test"}
        for kind, variable, name, settings in (
                ("redis", "UNUM_TEST_REDIS", None, {}),
                ("dynamodb", "UNUM_TEST_DYNAMODB", "embed-test", aws),
                ("s3", "UNUM_TEST_S3", "embed-test", s3)):
            server = os.environ.get(variable)
            if server is None:
                self.skipTest(f"{variable} names no server")
            with self.subTest(store=kind):
                name = name or server
                environment = {**settings, "AWS_ENDPOINT_URL_" + kind.upper(): server}
                made = subprocess.run([self.command, "store", "create", f"{kind}:{name}"], check=False,
                                      capture_output=True, text=True, timeout=60,
                                      env=dict(os.environ, **environment))
                self.assertEqual(0, made.returncode, made.stderr)
                ended = self.embed(kind, name, **environment)
                self.assertEqual((0, EXPECTED, ""), (ended.returncode, ended.stdout, ended.stderr))

    def test_a_store_that_does_not_exist_is_an_error_by_name_and_none_is_made(self):
        missing = os.path.join(self.outside, "missing")
        ended = self.embed("fs", missing)
        self.assertEqual((1, ""), (ended.returncode, ended.stdout))
        self.assertIn("unum store create fs:" + missing, ended.stderr)
        self.assertFalse(os.path.exists(missing))
        self.assertIn("sqs", self.embed("sqs", "jobs").stderr)


if __name__ == "__main__":
    unittest.main()
