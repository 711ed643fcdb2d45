"""Every example gives its expected result, on every store and with any number of workers."""

import json
import os
import subprocess
import unittest

from harness import DONE, AppTest, example_cases, lines, outcomes, read_json

STORES = {
    "fs": [],
    "fs without durability": ["--no-durable"],
    "memory": ["--store", "memory"],
}


class Examples(AppTest):
    def test_every_example_gives_its_result_on_every_store_with_one_worker_and_with_two(self):
        self.assertGreaterEqual(len({name for name, _, _ in example_cases()}), 9)
        for name, given, expected in example_cases():
            application = os.path.join(self.scratch, name)
            if not os.path.isdir(application):
                self.example(name)
            for store, options in STORES.items():
                for workers in ("1", "2"):
                    with self.subTest(example=name, input=os.path.basename(given), store=store,
                                      workers=workers):
                        ended = self.unum("run", application, "--input", "@" + given, "--workers", workers,
                                          "--quiet", *options, code=DONE)
                        self.assertEqual(read_json(expected), json.loads(ended.out))
                        self.assertEqual(1, ended.out.count("\n"), "the result and nothing else")
                        self.assertTrue(ended.out.endswith("\n"))
                        self.assertEqual("", ended.err)

    def test_check_accepts_every_example_without_a_warning(self):
        for name in sorted({name for name, _, _ in example_cases()}):
            with self.subTest(example=name):
                ended = self.unum("check", self.example(name), code=DONE)
                self.assertIn(": ok", ended.out)
                self.assertNotIn("warning", ended.out + ended.err)
                self.assertEqual("", ended.err)

    def test_word_count_agrees_with_coreutils_over_a_thousand_branches(self):
        application = self.example("word-count")
        texts = [os.path.join(application, "texts", name)
                 for name in sorted(os.listdir(os.path.join(application, "texts")))]
        ended = self.unum("run", application, "--json", "--input",
                          json.dumps({"files": texts, "chunks": 1000, "top": 1000}), code=DONE)
        self.assertGreaterEqual(ended.json["instances"], 1000)
        self.assertEqual(self.coreutils_counts(texts),
                         {word: count for word, count in ended.json["result"]["top"]})

    @staticmethod
    def coreutils_counts(texts):
        """Each file ends with a line end here, so that no word spans two files."""
        script = ("for file; do cat \"$file\"; echo; done | tr -cs A-Za-z '\\n' | tr A-Z a-z |"
                  " sed '/^$/d' | sort | uniq -c")
        printed = subprocess.run(["sh", "-c", script, "sh", *texts], check=True, capture_output=True,
                                 text=True, env=dict(os.environ, LC_ALL="C")).stdout
        pairs = [line.split() for line in printed.splitlines()]
        return {word: int(count) for count, word in pairs}

    def test_a_session_that_is_run_again_runs_nothing_again(self):
        for name, given, expected in example_cases():
            if os.path.basename(given) != "input.json":
                continue
            with self.subTest(example=name):
                application = self.logging_example(name)
                log = self.path(name + ".log")
                run = ["run", application, "--input", "@" + given, "--session", "again", "--json"]
                first = self.unum(*run, code=DONE, UNUM_TEST_LOG=log).json
                calls = lines(log)
                self.assertEqual(len(calls), len(set(calls)), "each instance ran once")
                self.assertEqual(set(calls), set(outcomes(application, "again")) - self.not_python(application))
                self.assertEqual(first["instances"], len(outcomes(application, "again")))
                second = self.unum(*run, code=DONE, UNUM_TEST_LOG=log).json
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


if __name__ == "__main__":
    unittest.main()
