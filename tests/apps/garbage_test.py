"""Sessions that are collected, through the command: what is left, what is shown, what gc removes."""

import json
import os
import unittest

from harness import (DONE, FAILED, USAGE, AppTest, Function, each, fan_in, outcomes, scalar, session_directory,
                     stored_files)

SPLIT = "def lambda_handler(event, context):\n    return [11, 12, 13]\n"
DAY_S = 24 * 3600


class Garbage(AppTest):
    def collected(self):
        return self.application({
            "Split": Function(SPLIT, each("Work")),
            "Work": Function(next=fan_in("Join", ["Work-unumIndex-*"])),
            "Join": Function(),
        }, GC=True)

    def age(self, application, session, seconds):
        directory = session_directory(application, session)
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            then = os.stat(path).st_mtime - seconds
            os.utime(path, (then, then))

    def test_case_37_a_finished_session_holds_its_input_its_result_and_tombstones(self):
        application = self.collected()
        ended = self.unum("run", application, "--session", "s", "--input", "1", code=DONE)
        self.assertEqual([11, 12, 13], json.loads(ended.out))
        tombstones = {f"Work-unumIndex-{i}": "~" for i in range(3)}
        self.assertEqual({"Split": "~", "Join": "[11,12,13]", **tombstones},
                         outcomes(application, "s"))
        others = [name for name in stored_files(session_directory(application, "s"))
                  if not name.endswith("-output.json")]
        self.assertEqual(["Join-gc", "Split-application.json", "Split-input.json"], others)

        again = self.unum("run", application, "--session", "s", "--input", "1", code=DONE)
        self.assertEqual(ended.out, again.out)
        self.assertEqual(ended.out, self.unum("resume", "s", application, code=DONE).out)

        shown = json.loads(self.unum("inspect", "s", application, "--json", code=DONE).out)
        self.assertEqual({"Split": "collected", "Join": "done",
                          **{name: "collected" for name in tombstones}},
                         {each["instance"]: each["state"] for each in shown["instances"]
                          if each["state"] != "waiting"})

    def test_what_a_failure_keeps_waiting_is_shown_behind_tombstones(self):
        application = self.application({
            "Begin": Function(next=scalar("Split")),
            "Split": Function(SPLIT, each("Work")),
            "Work": Function("def lambda_handler(event, context):\n"
                             "    if event == 12:\n        raise ValueError('no')\n    return event\n",
                             fan_in("Join", ["Work-unumIndex-*"])),
            "Join": Function(),
        }, GC=True)
        self.unum("run", application, "--session", "s", code=FAILED)
        shown = json.loads(self.unum("inspect", "s", application, "--json", code=DONE).out)
        self.assertEqual({"Begin": "collected", "Split": "done", "Work-unumIndex-0": "done",
                          "Work-unumIndex-1": "failed", "Work-unumIndex-2": "done", "Join": "blocked"},
                         {each["instance"]: each["state"] for each in shown["instances"]})

    def test_gc_removes_sessions_that_are_old_and_no_others(self):
        application = self.collected()
        for session in ("old", "young"):
            self.unum("run", application, "--session", session, code=DONE)
        self.age(application, "old", 3 * DAY_S)
        for wrong in ("", "2", "d", "-2d", "0d", "2w", "2.5d"):
            self.refused(USAGE, "gc", application, f"--older-than={wrong}", says="--older-than")
        self.refused(USAGE, "gc", application, says="--older-than")
        told = self.unum("gc", application, "--older-than", "2d", "--dry-run", code=DONE)
        self.assertIn("would remove old: ", told.out)
        self.assertTrue(os.path.isdir(session_directory(application, "old")))
        told = self.unum("gc", application, "--older-than", "2d", code=DONE)
        self.assertRegex(told.out, r"^removed old: \d+ items, .*\n$")
        self.assertIn("removed 1 of 2 sessions", told.err)
        self.assertFalse(os.path.exists(session_directory(application, "old")))
        self.unum("resume", "young", application, code=DONE)
        self.refused(USAGE, "resume", "old", application, says="there is no session old")


if __name__ == "__main__":
    unittest.main()
