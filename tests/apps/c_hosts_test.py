"""examples/c-hosts as users have them: programs in C, on a loop of their own, on libuv, and as Nightcore's functions,
built outside the tree against the installed libunum.so.1."""

import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import installed_test  # noqa: E402  (its tests stay its own: only the class is used)

SOURCE = os.environ["UNUM_SOURCE_ROOT"]
EXAMPLE = os.path.join(SOURCE, "examples", "c-hosts")
COMPILER = [*os.environ.get("CC", "cc").split(), "-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
SUM_OF_1000 = "332833500\n"


class CHosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        installed_test.Installed.setUpClass()
        cls.addClassCleanup(installed_test.Installed.tearDownClass)
        installed = installed_test.Installed()
        cls.command = installed.path("bin", "unum")
        cls.outside = tempfile.mkdtemp(dir=installed.scratch.name)
        library = os.path.dirname(glob.glob(installed.path("lib*", "**", "libunum.so.1"), recursive=True)[0])
        cls.environment = dict(os.environ, LD_LIBRARY_PATH=library)
        cls.flags = [*installed.sanitizers(), *installed.pkg_config("--cflags", "--libs", package="unum")]

    def build(self, program, *sources, flags=()):
        built = os.path.join(self.outside, program)
        paths = [os.path.join(EXAMPLE, source) for source in sources]
        installed_test.run(*COMPILER, "-o", built, *paths, *self.flags, *flags)
        return built

    def run_it(self, *command, payload=None, **environment):
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, input=payload,
                              env=dict(self.environment, **environment))

    def make_store(self, name):
        store = os.path.join(self.outside, name)
        made = self.run_it(self.command, "store", "create", "fs:" + store)
        self.assertEqual(0, made.returncode, made.stderr)
        return store

    def stores(self, name):
        """A directory and the Redis of the tests: type and name."""
        yield "fs", self.make_store(name)
        redis = os.environ.get("UNUM_TEST_REDIS")
        if redis is None:
            self.skipTest("UNUM_TEST_REDIS names no server")
        yield "redis", redis

    def expect_sum(self, program, said=""):
        for reactor in ("uring", "epoll"):
            for kind, name in self.stores(f"{os.path.basename(program)}-{reactor}"):
                with self.subTest(reactor=reactor, store=kind):
                    environment = {} if reactor == "uring" else {"UNUM_REACTOR": reactor}
                    ended = self.run_it(program, kind, name, "1000", **environment)
                    self.assertEqual((0, SUM_OF_1000, said), (ended.returncode, ended.stdout, ended.stderr))

    def test_a_program_without_a_loop_of_its_own_fans_in_a_thousand_values(self):
        self.expect_sum(self.build("plain", "plain.c", "platform.c", "functions.c"))

    def test_a_program_on_libuv_does_and_its_own_timer_goes_on(self):
        flags = installed_test.run("pkg-config", "--cflags", "--libs", "libuv").split()
        program = self.build("libuv", "libuv.c", "platform.c", "functions.c", flags=flags)
        self.expect_sum(program, "the program's own timer ticked meanwhile\n")

    def test_a_failure_and_a_store_that_is_not_there_are_told(self):
        program = self.build("plain-told", "plain.c", "platform.c", "functions.c")
        failed = self.run_it(program, "fs", self.make_store("told"), "0")
        self.assertEqual((1, "", "Numbers failed: the input must be a width from 1 to 100000\n"),
                         (failed.returncode, failed.stdout, failed.stderr))
        missing = self.run_it(program, "fs", os.path.join(self.outside, "nowhere"), "3")
        self.assertEqual((1, ""), (missing.returncode, missing.stdout))
        self.assertIn("nowhere", missing.stderr)

    def test_functions_of_nightcore_invoke_each_other_on_threads_of_their_own(self):
        engine = os.path.join(self.outside, "nightcore-engine")
        installed_test.run(*COMPILER, "-pthread", os.path.join(SOURCE, "tests", "support", "nightcore_engine.c"),
                           "-ldl", "-o", engine, *self.flags)
        functions = tempfile.mkdtemp(dir=self.outside)
        for name in ("Numbers", "Square", "Sum"):
            self.build(os.path.join(functions, f"lib{name}.so"), "nightcore.c", "functions.c",
                       flags=["-shared", "-fPIC", f'-DFUNCTION="{name}"'])
        for kind, name in self.stores("nightcore"):
            with self.subTest(store=kind):
                payload = {"Session": "of " + functions, "Data": {"Source": "http", "Value": 100}}
                ended = self.run_it(engine, functions, "Numbers", payload=json.dumps(payload),
                                    UNUM_STORE_TYPE=kind, UNUM_STORE_NAME=name)
                self.assertEqual((0, "328350\n", ""), (ended.returncode, ended.stdout, ended.stderr))


if __name__ == "__main__":
    unittest.main()
