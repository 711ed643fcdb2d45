"""Runs of every example, on whichever store: examples_test.py and stores_test.py make them."""

import json
import os

from harness import DONE, AppTest, example_cases, lines, log_calls, outcomes, read_json


class ExampleRuns(AppTest):
    """What a store test is made of: a subclass says where the session is kept."""

    def store_options(self):
        return []

    def store_environment(self):
        return {}

    def done(self, application, session):
        """The instances that have a result."""
        return set(outcomes(application, session))

    def expect_every_example(self, store, options=(), workers=("1", "2")):
        self.assertGreaterEqual(len({name for name, _, _ in example_cases()}), 9)
        for name, given, expected in example_cases():
            application = os.path.join(self.scratch, name)
            if not os.path.isdir(application):
                self.example(name)
            for count in workers:
                with self.subTest(example=name, input=os.path.basename(given), store=store, workers=count):
                    ended = self.unum("run", application, "--input", "@" + given, "--workers", count, "--quiet",
                                      *self.store_options(), *options, code=DONE, **self.store_environment())
                    self.assertEqual(read_json(expected), json.loads(ended.out))
                    self.assertEqual(1, ended.out.count("\n"), "the result and nothing else")
                    self.assertTrue(ended.out.endswith("\n"))
                    self.assertEqual("", ended.err)

    def expect_that_nothing_runs_again(self):
        for name, given, expected in example_cases():
            if os.path.basename(given) != "input.json":
                continue
            with self.subTest(example=name):
                application = self.example(name, as_name=name + "-again")
                log_calls(application)
                log, session = self.path(name + ".log"), "again-" + name
                run = ["run", application, "--input", "@" + given, "--session", session, "--json",
                       *self.store_options()]
                environment = {"UNUM_TEST_LOG": log, **self.store_environment()}
                first = self.unum(*run, code=DONE, **environment).json
                calls = lines(log)
                self.assertEqual(len(calls), len(set(calls)), "each instance ran once")
                done = self.done(application, session)
                self.assertEqual(set(calls), done - self.not_python(application))
                self.assertEqual(first["instances"], len(done))
                second = self.unum(*run, code=DONE, **environment).json
                self.assertEqual(calls, lines(log), "nothing ran again")
                self.assertEqual(read_json(expected), second["result"])
                self.assertEqual(first["instances"], second["instances"])

    @staticmethod
    def not_python(application):
        """Functions in other languages, whose calls are not logged."""
        others = set()
        for folder, _, files in os.walk(application):
            if "unum_config.json" in files and "app.py" not in files:
                name = read_json(os.path.join(folder, "unum_config.json"))["Name"]
                others |= {name} | {f"{name}-unumIndex-{i}" for i in range(8)}
        return others
