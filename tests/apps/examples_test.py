"""Every example gives its expected result, on every store and with any number of workers."""

import json
import os
import subprocess
import unittest

from example_runs import ExampleRuns
from harness import DONE, example_cases

STORES = {
    "fs": [],
    "fs without durability": ["--no-durable"],
    "memory": ["--store", "memory"],
}


class Examples(ExampleRuns):
    def test_every_example_gives_its_result_on_every_store_with_one_worker_and_with_two(self):
        for store, options in STORES.items():
            self.expect_every_example(store, options)

    def test_a_session_that_is_run_again_runs_nothing_again(self):
        self.expect_that_nothing_runs_again()

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


if __name__ == "__main__":
    unittest.main()
