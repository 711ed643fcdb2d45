"""Programs that use the library as users have them: built outside the tree against the installed one, by pkg-config.

Those of examples/ and of docs/embedding.md.
"""

import glob
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import installed_test  # noqa: E402  (its tests stay its own: only the class is used)

SOURCE = os.environ["UNUM_SOURCE_ROOT"]
REACTORS = ({}, {"UNUM_REACTOR": "epoll"})
EXPECTED = "invoke Report\nSum is 499500\n"


class Example:
    """One program; mixed into its tests."""

    name = ""

    @classmethod
    def sources(cls):
        return sorted(glob.glob(os.path.join(SOURCE, "examples", cls.name, "*.cpp")))

    @classmethod
    def setUpClass(cls):
        installed_test.Installed.setUpClass()
        cls.addClassCleanup(installed_test.Installed.tearDownClass)
        installed = installed_test.Installed()
        cls.command = installed.path("bin", "unum")
        cls.outside = tempfile.mkdtemp(dir=installed.scratch.name)
        cls.program = os.path.join(cls.outside, cls.name)
        installed_test.run(*installed_test.COMPILER, "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow",
                           "-Werror", *installed.sanitizers(), "-o", cls.program, *cls.sources(),
                           *installed.pkg_config("--cflags", "--libs"), cwd=cls.outside)

    def run_it(self, *arguments, given="", **environment):
        return subprocess.run([self.program, *arguments], check=False, capture_output=True, text=True, input=given,
                              timeout=120, cwd=self.outside, env=dict(os.environ, **environment))

    def create_store(self, store, **environment):
        made = subprocess.run([self.command, "store", "create", store], check=False, capture_output=True,
                              text=True, timeout=60, env=dict(os.environ, **environment))
        self.assertEqual(0, made.returncode, made.stderr)

    def network_stores(self):
        """Type, name and environment of each, with what it is in made."""
        aws = {"AWS_ACCESS_KEY_ID": "unumtest", "AWS_SECRET_ACCESS_KEY": "unum-test-secret",
               "AWS_REGION": "us-east-1"}
        s3 = {**aws, "AWS_ACCESS_KEY_ID": "unum-test"}
        for kind, variable, name, settings in (
                ("redis", "UNUM_TEST_REDIS", None, {}),
                ("dynamodb", "UNUM_TEST_DYNAMODB", f"{self.name}-test", aws),
                ("s3", "UNUM_TEST_S3", f"{self.name}-test", s3)):
            server = os.environ.get(variable)
            if server is None:
                self.skipTest(f"{variable} names no server")
            environment = {**settings, "AWS_ENDPOINT_URL_" + kind.upper(): server}
            self.create_store(f"{kind}:{name or server}", **environment)
            yield kind, name or server, environment


class Embed(Example, unittest.TestCase):
    name = "embed"

    def test_it_fans_in_a_thousand_values_of_a_directory(self):
        for reactor in ("uring", "epoll"):
            with self.subTest(reactor=reactor):
                store = os.path.join(self.outside, "store-" + reactor)
                self.create_store("fs:" + store)
                environment = {} if reactor == "uring" else {"UNUM_REACTOR": reactor}
                ended = self.run_it("fs", store, **environment)
                self.assertEqual((0, EXPECTED, ""), (ended.returncode, ended.stdout, ended.stderr))
                sessions = os.listdir(store)
                self.assertEqual(1, len(sessions))
                names = os.listdir(os.path.join(store, sessions[0]))
                self.assertEqual(1001, sum(name.endswith("-output.json") for name in names))

    def test_it_does_the_same_on_each_network_store_chosen_by_its_name_alone(self):
        for kind, name, environment in self.network_stores():
            with self.subTest(store=kind):
                ended = self.run_it(kind, name, **environment)
                self.assertEqual((0, EXPECTED, ""), (ended.returncode, ended.stdout, ended.stderr))

    def test_a_store_that_does_not_exist_is_an_error_by_name_and_none_is_made(self):
        missing = os.path.join(self.outside, "missing")
        ended = self.run_it("fs", missing)
        self.assertEqual((1, ""), (ended.returncode, ended.stdout))
        self.assertIn("unum store create fs:" + missing, ended.stderr)
        self.assertFalse(os.path.exists(missing))
        self.assertIn("sqs", self.run_it("sqs", "jobs").stderr)


class Queue(Example, unittest.TestCase):
    name = "queue"

    def expect_squares(self, width, *arguments, **environment):
        ended = self.run_it(*arguments, str(width), **environment)
        self.assertEqual((0, f"{sum(i * i for i in range(width))}\n", ""),
                         (ended.returncode, ended.stdout, ended.stderr))

    def test_it_runs_a_map_and_its_fan_in_of_any_width(self):
        for reactor in ("uring", "epoll"):
            store = os.path.join(self.outside, "queue-" + reactor)
            self.create_store("fs:" + store)
            environment = {} if reactor == "uring" else {"UNUM_REACTOR": reactor}
            for width in (0, 1, 1000):
                with self.subTest(reactor=reactor, width=width):
                    self.expect_squares(width, "fs", store, **environment)

    def test_it_does_the_same_on_each_network_store(self):
        for kind, name, environment in self.network_stores():
            with self.subTest(store=kind):
                self.expect_squares(100, kind, name, **environment)

    def test_a_store_that_is_missing_ends_it_with_a_message(self):
        store = os.path.join(self.outside, "other")
        self.create_store("fs:" + store)
        ended = self.run_it("fs", os.path.join(store, "none"), "3")
        self.assertEqual((1, ""), (ended.returncode, ended.stdout))
        self.assertIn("does not exist", ended.stderr)


class Handlers(Example, unittest.TestCase):
    name = "handlers"

    def file(self, name, lines):
        with open(os.path.join(self.outside, name), "w", encoding="utf-8") as file:
            file.write("line\n" * lines)

    def test_it_counts_the_lines_of_files_and_goes_on_when_a_missing_one_is_there(self):
        for number, environment in enumerate(REACTORS):
            with self.subTest(environment=environment):
                store = os.path.join(self.outside, f"handlers-{number}")
                self.create_store("fs:" + store)
                self.file("long", 100_000)
                self.file("short", 3)
                command = ("fs", store, "first", "long", f"late-{number}", "short")
                ended = self.run_it(*command, **environment)
                self.assertEqual(1, ended.returncode)
                self.assertIn(f"CannotOpen: late-{number}: No such file", ended.stderr)
                self.assertEqual(["Count-unumIndex-0 done", "Count-unumIndex-1 failed", "Count-unumIndex-2 done",
                                  "Files done", "Sum blocked"], sorted(ended.stdout.splitlines()))
                self.file(f"late-{number}", 20)
                ended = self.run_it(*command, **environment)
                self.assertEqual((0, ""), (ended.returncode, ended.stderr))
                self.assertEqual(["100023", "Count-unumIndex-0 done", "Count-unumIndex-1 done",
                                  "Count-unumIndex-2 done", "Files done", "Sum done"], ended.stdout.splitlines())


class ForeignLoop(Example, unittest.TestCase):
    name = "foreign-loop"

    def test_each_line_is_a_workflow_and_a_bad_one_disturbs_no_other(self):
        for environment in REACTORS:
            with self.subTest(environment=environment):
                lines = "".join(f"[{number},1]\n" for number in range(100))
                ended = self.run_it(given=lines + "nonsense\n[]\n", **environment)
                self.assertEqual((0, ""), (ended.returncode, ended.stderr))
                answers = dict(line.split(" -> ") for line in ended.stdout.splitlines())
                bad = answers.pop("nonsense")
                self.assertIn("not valid JSON", bad)
                self.assertEqual({"[]": "0"} | {f"[{n},1]": str(n * n + 1) for n in range(100)}, answers)


if __name__ == "__main__":
    unittest.main()
