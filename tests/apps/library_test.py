"""The same application through the library and through the command: results, stored items, errors."""

import json
import os
import unittest

from harness import (DONE, FAILED, MACHINE, USAGE, AppTest, Function, each, example_cases, fan_in,
                     session_directory, stored_files, write)

RUNNER = os.environ["UNUM_TEST_LIBRARY_RUNNER"]
SESSION = "same-session"
RAISE = "def lambda_handler(event, context):\n    raise ValueError('not today')\n"


class Library(AppTest):
    def library(self, *arguments, **environment):
        command = self.start(*arguments, program=(RUNNER,), **environment)
        ended = command.wait()
        self.assertEqual([], command.wait_for_no_process(), "processes that were left behind")
        self.assertEqual(0, ended.code, ended)
        return ended.out.splitlines()

    def contents(self, application):
        """What is stored of the session, by file."""
        found = {}
        directory = session_directory(application, SESSION)
        for name in stored_files(directory):
            with open(os.path.join(directory, name), "rb") as file:
                # Who came last and has the claim, or asked first, is chance; a traceback names files.
                stored = file.read().replace(os.fsencode(application), b"application")
                found[name] = b"" if name.endswith(("-fanin", "-wanted")) else stored
        return found

    def test_every_example_comes_to_the_same_and_stores_the_same(self):
        cases = example_cases()
        self.assertGreater(len(cases), 5)
        for number, (name, given, expected) in enumerate(cases):
            if name in ("chain-100", "word-count"):
                continue  # long, and nothing in them that the others have not
            with self.subTest(example=name, input=os.path.basename(given)):
                by_command = self.example(name, f"command-{number}")
                by_library = self.example(name, f"library-{number}")
                ended = self.unum("run", by_command, "--input", "@" + given, "--session", SESSION, "--json",
                                  "--quiet", code=DONE)
                with open(given, encoding="utf-8") as file:
                    lines = self.library(by_library, SESSION, file.read())
                with open(expected, encoding="utf-8") as file:
                    self.assertEqual(json.load(file), json.loads(lines[-2]))
                self.assertEqual(ended.json["result"], json.loads(lines[-2]))
                self.assertIn("succeeded", lines)
                self.assertEqual(f"{SESSION}: {ended.json['instances']}", lines[-1])
                stored = self.contents(by_library)
                self.assertEqual(self.contents(by_command), stored)
                self.assertGreater(len(stored), 1)

    def test_an_application_of_text_comes_to_the_same(self):
        for name in ("nested-maps", "exclusive-branch", "retry-and-catch", "languages"):
            with self.subTest(example=name):
                given, expected = next(case[1:] for case in example_cases() if case[0] == name)
                with open(given, encoding="utf-8") as file:
                    text = file.read()
                by_library = self.example(name, f"directory-{name}")
                by_text = self.example(name, f"text-{name}")
                lines = self.library(by_library, SESSION, text)
                again = self.library(by_text, SESSION, text, UNUM_TEST_FROM_TEXT="1")
                with open(expected, encoding="utf-8") as file:
                    self.assertEqual(json.load(file), json.loads(again[-2]))
                self.assertEqual(lines[-1], again[-1])
                self.assertEqual(self.contents(by_library), self.contents(by_text))

    def test_an_observer_hears_of_every_invocation_call_and_line(self):
        application = self.application({
            "Split": Function(next=each("Double")),
            "Double": Function("def lambda_handler(event, context):\n    print('got', event)\n    return 2 * event\n",
                               next=fan_in("Sum", ["Double-unumIndex-*"])),
            "Sum": Function("def lambda_handler(event, context):\n    return sum(event)\n")})
        lines = self.library(application, SESSION, "[1, 2, 3]")
        self.assertIn("observed: 1 5 5 5", lines)
        for place, number in enumerate((1, 2, 3)):
            self.assertIn(f"[Double-unumIndex-{place}] got {number}", lines)
        self.assertEqual(["succeeded", "12", f"{SESSION}: 5"], lines[-3:])

    def test_what_was_begun_by_one_goes_on_by_the_other(self):
        application = self.application({"Echo": Function(next={"Name": "Fails", "InputType": "Scalar"}),
                                        "Fails": Function(RAISE)})
        lines = self.library(application, SESSION, '"x"')
        self.assertEqual(["failed", "Fails: ValueError"], lines[-3:-1])
        self.assertEqual(FAILED, self.unum("resume", SESSION, application, "--quiet").code)
        write(os.path.join(application, "fails", "app.py"), Function().code)
        self.assertEqual(["succeeded", '"x"'], self.library(application, SESSION, "--resume")[-3:-1])
        self.assertEqual('"x"\n', self.unum("resume", SESSION, application, "--quiet", code=DONE).out)

    def test_errors_are_the_same(self):
        good = self.application({"Echo": Function()}, name="good")
        self.unum("run", good, "--input", "1", "--session", "begun", code=DONE)
        refused = self.application({"A": Function(next={"Name": "Nobody", "InputType": "Scalar"})}, name="refused")
        missing = self.path("missing")
        for library, command, code, kind, words in (
                ((refused, SESSION, "1"), ("run", refused), USAGE, "invalid", "is refused; nothing was run"),
                ((missing, SESSION, "1"), ("run", missing), USAGE, "invalid", "is refused"),
                ((good, "begun", "2"), ("run", good, "--input", "2", "--session", "begun"), USAGE, "invalid",
                 "was begun with another input"),
                ((good, "never", "--resume"), ("resume", "never", good), USAGE, "invalid", "there is no session never"),
                ((good, SESSION, "1", "fs:" + missing), ("run", good, "--store", "fs:" + missing), MACHINE,
                 "not_found", missing),
                ((good, SESSION, "1", "sqs:jobs"), ("run", good, "--store", "sqs:jobs"), USAGE, "invalid", "sqs"),
                ((good, SESSION, "1", "fs"), ("run", good, "--store", "fs"), USAGE, "invalid", "write TYPE:NAME")):
            with self.subTest(command=command):
                lines = self.library(*library)
                self.assertIn(kind, lines)
                self.assertIn(words, lines[-1])
                ended = self.unum(*command, code=code)
                self.assertIn(lines[-1], ended.err)


if __name__ == "__main__":
    unittest.main()
