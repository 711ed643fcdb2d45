"""Bad applications, bad user code and bad machines: one clear message, the right exit code, nothing half written."""

import json
import os
import subprocess
import unittest

from harness import (DONE, FAILED, MACHINE, SOURCE, USAGE, AppTest, Function, each, fan_in, outcomes,
                     scalar, session_directory, stored_files, write)


class BadApplication(AppTest):
    """What `unum check` and `unum run` refuse before any user code runs."""

    def refused_application(self, application, *words):
        checked = self.unum("check", application)
        self.assertEqual(USAGE, checked.code, checked)
        ended = self.refused(USAGE, "run", application)
        for word in words:
            self.assertIn(word, checked.out + checked.err)
            self.assertIn(word, ended.err)
        self.assertFalse(os.path.exists(os.path.join(application, ".unum")))

    def one(self, function=None, **settings):
        return self.application({"Only": function or Function()}, **settings)

    def template(self, text):
        self.setUp()  # a place of its own for each
        application = self.one()
        write(os.path.join(application, "unum-template.yaml"), text)
        return application

    def ir(self, text):
        self.setUp()
        application = self.one()
        write(os.path.join(application, "only", "unum_config.json"), text)
        return application

    def test_no_directory_and_no_template(self):
        self.refused_application(self.path("nowhere"), "nowhere")
        os.mkdir(self.path("empty"))
        self.refused_application(self.path("empty"), "unum-template.yaml")
        write(self.path("a-file"), "")
        self.refused(USAGE, "run", self.path("a-file"), says="a-file")

    def test_text_that_is_not_utf8(self):
        application = self.template("Functions: {}")
        with open(os.path.join(application, "unum-template.yaml"), "wb") as file:
            file.write(b"Globals: {}\n# caf\xe9\nFunctions: {}\n")
        self.refused_application(application, "unum-template.yaml:2: the text is not UTF-8")
        application = self.one(name="other")
        os.rename(application, os.fsencode(application) + b"\xe9")
        self.refused(USAGE, "run", os.fsencode(application) + b"\xe9", says="is not UTF-8")

    def test_input_that_is_none(self):
        application = self.one()
        self.refused(USAGE, "run", application, "--input", "@", says="--input @ needs the name of a file")
        self.refused(USAGE, "run", application, "--input", "@" + self.path("none"), says="cannot open")
        self.refused(USAGE, "run", application, "--input", "[" * 2000 + "]" * 2000, says="nested")
        self.refused(USAGE, "run", application, "--input", "{]", says="not valid JSON")

    def test_yaml_that_is_none(self):
        self.refused_application(self.template("Globals: {\n  a: [\n"), "unum-template.yaml")
        self.refused_application(self.template("Globals:\n\tApplicationName: x\n"), "unum-template.yaml:2")
        self.refused_application(self.template(""), "unum-template.yaml")
        self.refused_application(self.template("just text\n"), "unum-template.yaml:1")
        self.refused_application(self.template("\x00\x01"), "unum-template.yaml")

    def test_wrong_types_in_the_template_name_line_and_field(self):
        functions = "\nFunctions:\n  Only:\n    Properties: {CodeUri: only/, Runtime: python3.11}\n"
        for line, field in (("Checkpoint: 7", "Checkpoint"), ("Timeout: soon", "Timeout"),
                            ("ApplicationName: [a]", "ApplicationName"),
                            ("FaaSPlatform: moon", "FaaSPlatform"),
                            ("UnumIntermediaryDataStoreType: shoebox", "shoebox")):
            with self.subTest(line=line):
                self.refused_application(self.template(f"Globals:\n  {line}{functions}"),
                                         "unum-template.yaml:2", field)
        for text in ("Functions: 7\n", "Functions: []\n", "Functions:\n  Only: 7\n",
                     "Functions:\n  Only:\n    Properties: [1]\n"):
            with self.subTest(text=text):
                self.refused_application(self.template(text), "unum-template.yaml")

    def test_unknown_fields_are_warnings_with_their_line(self):
        application = self.template("Globals:\n  Colour: blue\nFunctions:\n  Only:\n    Properties:\n"
                                    "      CodeUri: only/\n      Runtime: python3.11\n      Speed: 9\n"
                                    "      Start: true\n")
        ended = self.unum("run", application, code=DONE)
        for place, field in (("unum-template.yaml:2", "Colour"), ("unum-template.yaml:8", "Speed")):
            self.assertRegex(ended.err, rf"warning: .*{place}.*{field}")

    def test_ir_that_is_no_json_or_has_wrong_fields(self):
        for text, word in (("{", "unum_config.json"), ("", "unum_config.json"), ("[]", "object"),
                           ('{"Name": "Other", "Start": true}', "Other"),
                           ('{"Name": 7, "Start": true}', "Name"),
                           ('{"Name": "Only", "Start": "yes"}', "Start"),
                           ('{"Name": "Only", "Start": true, "Next": 7}', "Next"),
                           ('{"Name": "Only", "Start": true, "Next": {"Name": "Gone", '
                            '"InputType": "Scalar"}}', "Gone"),
                           ('{"Name": "Only", "Start": true, "Next": {"Name": "Only", '
                            '"InputType": "Sideways"}}', "Sideways"),
                           ('{"Name": "Only", "Start": true, "Next": {"Name": "Only", "InputType": '
                            '"Scalar", "Conditional": "$0 <"}}', "Conditional"),
                           ('{"Name": "Only"}', "Start")):
            with self.subTest(text=text):
                self.refused_application(self.ir(text), word)

    def test_a_missing_function_directory_or_ir(self):
        application = self.one()
        os.rename(os.path.join(application, "only"), os.path.join(application, "elsewhere"))
        self.refused_application(application, "Only", "only")
        self.setUp()
        application = self.one()
        os.unlink(os.path.join(application, "only", "unum_config.json"))
        self.refused_application(application, "unum_config.json")

    def test_an_unknown_runtime_names_function_and_choices(self):
        self.refused(USAGE, "run", self.one(Function(runtime="cobol85")),
                     says=("Only", "cobol85", "python3"))


class BadCode(AppTest):
    """User code that cannot be loaded, raises, returns what is no JSON, or ends its process."""

    def python(self, code, **options):
        return self.application({"Only": Function(code, **options)})

    def fails(self, application, error, *words, attempt=1):
        """Exit code 1, and the session has a report and no outcome."""
        ended = self.refused(FAILED, "run", application, "--session", "s")
        self.assertIn(f"Only (function Only, attempt {attempt}) failed: {error}\n", ended.err)
        for word in words:
            self.assertIn(word, ended.err)
        self.assertEqual(["Only-application.json", "Only-error.json", "Only-input.json"],
                         stored_files(session_directory(application, "s")))
        with open(os.path.join(session_directory(application, "s"), "Only-error.json"),
                  encoding="utf-8") as file:
            report = json.load(file)
        self.assertEqual((error, attempt), (report["Error"], report["Attempt"]))
        return ended

    def test_a_handler_that_does_not_import(self):
        self.fails(self.python("import nothing_of_this_name\n"), "Runtime.ImportModuleError",
                   "nothing_of_this_name", "app")

    def test_a_handler_with_a_syntax_error(self):
        self.fails(self.python("def lambda_handler(event, context:\n"), "Runtime.UserCodeSyntaxError", "app.py")

    def test_a_handler_that_is_not_there(self):
        self.fails(self.python("x = 1\n"), "Runtime.HandlerNotFound", "lambda_handler")
        self.setUp()
        self.fails(self.python("x = 1\n", handler="app"), "Runtime.MalformedHandlerName", "MODULE.FUNCTION")

    def test_an_exception_shows_the_traceback_of_the_users_code_alone(self):
        application = self.python("def lambda_handler(event, context):\n    helper()\n\n"
                                  "def helper():\n    {}['absent']\n")
        ended = self.fails(application, "KeyError", "Traceback", "in lambda_handler", "in helper")
        self.assertNotIn("python_worker", ended.err)

    def test_results_that_are_not_json(self):
        for value in ("float('nan')", "float('inf')", "{1, 2}", "b'x'", "object()", "{(1, 2): 3}"):
            with self.subTest(value=value):
                self.setUp()
                self.fails(self.python(f"def lambda_handler(event, context):\n    return {value}\n"),
                           "Runtime.MarshalError", "Only")

    def test_programs_whose_output_is_not_json(self):
        for output in ("NaN", "{", "1 2", "hello", '"\\xff"'):
            with self.subTest(output=output):
                self.setUp()
                script = f"#!/bin/sh\nprintf '{output}'\n"
                self.fails(self.application({"Only": Function(script, runtime="provided.al2023",
                                                              handler="go.sh", file="go.sh")}),
                           "Runtime.MarshalError", "Only")

    def test_a_program_that_cannot_be_executed(self):
        application = self.application({"Only": Function("not a program", runtime="provided.al2023",
                                                         handler="go.sh", file="go.sh")})
        os.chmod(os.path.join(application, "only", "go.sh"), 0o644)
        ended = self.refused(MACHINE, "run", application, says=("Only", "go.sh"))
        self.assertIn("execut", ended.err)
        os.unlink(os.path.join(application, "only", "go.sh"))
        self.refused(MACHINE, "run", application, says=("Only", "go.sh"))

    def test_an_interpreter_that_is_not_there(self):
        application = self.python("def lambda_handler(event, context):\n    return 1\n")
        command = self.start("run", application)
        command.wait()
        ended = subprocess.run([os.environ["UNUM_BINARY"], "run", application], check=False,
                               capture_output=True, text=True, timeout=60,
                               env=dict(os.environ, UNUM_PYTHON="/nonexistent/python"))
        self.assertEqual((MACHINE, ""), (ended.returncode, ended.stdout))
        for word in ("Only", "/nonexistent/python", "UNUM_PYTHON"):
            self.assertIn(word, ended.stderr)

    def test_a_crash_is_delivered_three_times_and_then_reported(self):
        for code, word in (("os._exit(9)", "exit code 9"), ("os.kill(os.getpid(), 11)", "SIGSEGV"),
                           ("os.kill(os.getpid(), 9)", "SIGKILL"), ("os.abort()", "SIGABRT")):
            with self.subTest(code=code):
                self.setUp()
                application = self.python("import os\n\ndef lambda_handler(event, context):\n"
                                          f"    print('attempt', context.unum_attempt)\n    {code}\n")
                ended = self.fails(application, "Unum.WorkerCrashed", word, attempt=3)
                for attempt in (1, 2, 3):
                    self.assertIn(f"[Only] attempt {attempt}\n", ended.err)
                self.assertEqual(2, ended.err.count("delivered again"))

    def test_a_worker_that_dies_once_changes_nothing(self):
        application = self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return list(range(20))\n",
                             each("Part")),
            "Part": Function("import os\n\ndef lambda_handler(event, context):\n"
                             "    if event == 7 and context.unum_attempt == 1:\n"
                             "        os.kill(os.getpid(), 9)\n    return event\n",
                             fan_in("Sum", ["Part-unumIndex-*"])),
            "Sum": Function("def lambda_handler(event, context):\n    return sum(event)\n")})
        ended = self.unum("run", application, code=DONE)
        self.assertEqual("190\n", ended.out)
        self.assertRegex(ended.err, r"Part-unumIndex-7: .*SIGKILL.*delivered again \(attempt 2\)")
        self.assertEqual(1, ended.err.count("delivered again"))

    def test_a_handler_that_calls_exit(self):
        self.fails(self.python("import sys\n\ndef lambda_handler(event, context):\n    sys.exit(3)\n"),
                   "Runtime.ExitError", "3")

    def test_rubbish_on_the_descriptor_of_results(self):
        self.fails(self.python("import os\n\ndef lambda_handler(event, context):\n"
                               "    os.write(4, b'rubbish that is longer than a header')\n    return 1\n"),
                   "Unum.WorkerCrashed", "descriptor 4", attempt=3)
        self.setUp()
        self.fails(self.python("import os\n\ndef lambda_handler(event, context):\n    os.close(4)\n"
                               "    return 1\n"), "Unum.WorkerCrashed", "descriptor", attempt=3)

    def test_printing_any_bytes_to_stdout_harms_nothing(self):
        application = self.python("import os\n\ndef lambda_handler(event, context):\n"
                                  "    os.write(1, b'\\x00\\xff no newline')\n"
                                  "    print('@' * 200000)\n    return 'fine'\n")
        ended = self.unum("run", application, code=DONE)
        self.assertEqual('"fine"\n', ended.out)
        self.assertEqual(200000, ended.err.count("@"))

    def test_a_result_of_100_mb_passes_through_whole(self):
        application = self.application({
            "Big": Function("def lambda_handler(event, context):\n    return 'x' * 100_000_000\n",
                            scalar("Length")),
            "Length": Function("def lambda_handler(event, context):\n    return len(event)\n")})
        ended = self.unum("run", application, "--session", "big", "--no-durable", code=DONE)
        self.assertEqual("100000000\n", ended.out)
        self.assertEqual(100_000_002, os.path.getsize(
            os.path.join(session_directory(application, "big"), "Big-output.json")))

    def test_a_map_over_what_is_no_list_fails_before_its_checkpoint(self):
        application = self.application({"Only": Function(next=each("Part")), "Part": Function()})
        self.fails(application, "Unum.MapInput", "an object")


class BadMachine(AppTest):
    """Stores that are missing, read-only or full. Each needs a file system of its own, so root."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("mounting needs root")

    def mount(self, name, options):
        place = self.path(name)
        os.mkdir(place)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "unum-test", place], check=False,
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest("no file system can be mounted here: " + mounted.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", "--lazy", place], check=True)
        return place

    def wide(self, bytes_each):
        return self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return list(range(40))\n",
                             each("Part")),
            "Part": Function(f"def lambda_handler(event, context):\n    return 'x' * {bytes_each}\n",
                             fan_in("Sum", ["Part-unumIndex-*"])),
            "Sum": Function("def lambda_handler(event, context):\n    return sum(map(len, event))\n")})

    def test_a_full_disk_stops_the_run_and_the_session_goes_on_once_there_is_room(self):
        place = self.mount("small", "size=1m")
        store = os.path.join(place, "store")
        self.unum("store", "create", "fs:" + store, code=DONE)
        application = self.wide(100_000)
        ended = self.refused(MACHINE, "run", application, "--store", "fs:" + store, "--session", "full",
                             says="No space left on device")
        self.assertIn(store, ended.err)
        self.assertEqual(1, ended.err.count("No space left on device"), ended)
        for name in stored_files(store):
            with open(os.path.join(store, name), encoding="utf-8") as file:
                self.assertIsNotNone(json.load(file), "no half-written value " + name)
        subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
        self.assertEqual("4000000\n", self.unum("resume", "full", application, "--store", "fs:" + store,
                                                code=DONE).out)

    def test_a_disk_without_room_for_a_name_stops_the_run(self):
        place = self.mount("few", "size=4m,nr_inodes=16")
        store = os.path.join(place, "store")
        self.unum("store", "create", "fs:" + store, code=DONE)
        self.refused(MACHINE, "run", self.wide(10), "--store", "fs:" + store,
                     says=("No space left on device", store))

    def test_a_read_only_store_is_refused_before_user_code_runs(self):
        place = self.mount("still", "size=1m")
        store = os.path.join(place, "store")
        self.unum("store", "create", "fs:" + store, code=DONE)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        application = self.application({"Only": Function(
            f"def lambda_handler(event, context):\n    open({self.path('ran')!r}, 'w')\n")})
        self.refused(MACHINE, "run", application, "--store", "fs:" + store, says=(store, "ead-only"))
        self.refused(MACHINE, "store", "check", "fs:" + store, says=(store, "ead-only"))
        self.refused(MACHINE, "store", "create", "fs:" + place + "/other", says=("other", "ead-only"))
        self.assertFalse(os.path.exists(self.path("ran")))
        # An application on a read-only place cannot have its embedded store there.
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
        there = os.path.join(place, "app")
        subprocess.run(["cp", "-r", os.path.join(SOURCE, "examples", "loop"), there], check=True)
        subprocess.run(["rm", "-rf", os.path.join(there, ".unum")], check=True)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        self.refused(MACHINE, "run", there, says=(there, "ead-only"))
        self.unum("run", there, "--input", '{"start": 2}', "--store", "memory", code=DONE)

    def test_a_store_that_is_a_file_is_refused(self):
        write(self.path("file"), "")
        application = self.application({"Only": Function()})
        self.refused(MACHINE, "run", application, "--store", "fs:" + self.path("file"), says="file")
        self.assertEqual({}, outcomes(application, "s"))


if __name__ == "__main__":
    unittest.main()
