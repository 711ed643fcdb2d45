"""Commands, options, exit codes, and what goes to stdout and to stderr."""

import json
import os
import re
import shlex
import subprocess
import unittest

from harness import (DONE, FAILED, MACHINE, UNUM, USAGE, AppTest, Function, each, fan_in, outcomes,
                     scalar, session_directory, stored_files, write)

DOUBLE = "def lambda_handler(event, context):\n    return event * 2\n"
RAISE = "def lambda_handler(event, context):\n    raise ValueError('not today')\n"
TALK = """import sys

def lambda_handler(event, context):
    print("to stdout by", event)
    print("to stderr by", event, file=sys.stderr)
    return event
"""


class CommandLine(AppTest):
    def doubler(self, **settings):
        return self.application({"Double": Function(DOUBLE)}, **settings)

    # --- Help and versions

    def test_version_and_help_go_to_stdout(self):
        self.assertRegex(self.unum("--version", code=DONE).out, r"^unum \d+\.\d+\.\d+\n$")
        ended = self.unum("--help", code=DONE)
        for command in ("run", "resume", "check", "inspect", "gc", "store", "link", "step", "doctor"):
            self.assertRegex(ended.out, rf"(?m)^  {command} ")
            self.assertIn("Usage", self.unum(command, "--help", code=DONE).out)
        self.assertIn("130 interrupted", ended.out)

    def test_wrong_usage_is_exit_code_2_and_says_why(self):
        self.refused(USAGE, says="Usage")
        self.refused(USAGE, "run", says="dir")
        self.refused(USAGE, "fly", says="fly")
        self.refused(USAGE, "run", ".", "--workers", "0", says="--workers")
        self.refused(USAGE, "run", ".", "--workers", "many", says="--workers")
        for seconds in ("-1", "0", "nan", "inf", "1e10", "1d"):
            self.refused(USAGE, "run", ".", f"--timeout={seconds}", says="number of seconds above 0")
        for option in ("--store", "--session"):
            self.refused(USAGE, "run", ".", option, "", says=f"{option}: it must not be empty")
        self.refused(USAGE, "run", "", says='"" does not exist')
        self.refused(USAGE, "run", ".", "--speed", "9", says="--speed")
        self.refused(USAGE, "resume", says="session")
        self.refused(USAGE, "inspect", says="session")
        self.refused(USAGE, "store", "paint", "fs:x", says="subcommand")
        self.refused(USAGE, "store", "create", says="store")

    def test_doctor_says_what_is_used(self):
        ended = self.unum("doctor", code=DONE)
        for word in ("unum", "system", "reactor", "python", "node", "workers", "steps"):
            self.assertRegex(ended.out, rf"(?m)^{word} +\S")
        self.assertRegex(ended.out, r"(?m)^reactor +(io_uring|epoll)")
        forced = self.unum("doctor", code=DONE, UNUM_REACTOR="epoll")
        self.assertRegex(forced.out, r"(?m)^reactor +epoll.*UNUM_REACTOR")
        without = self.unum("doctor", code=DONE, UNUM_NODE="/nonexistent/node")
        self.assertRegex(without.out, r"(?m)^node .*/nonexistent/node.*UNUM_NODE")
        self.refused(USAGE, "doctor", says="UNUM_REACTOR", UNUM_REACTOR="steam")

    # --- Input

    def test_the_input_comes_as_text_from_a_file_from_stdin_or_is_an_empty_object(self):
        application = self.doubler()
        write(self.path("given.json"), "[1, 2]\n")
        for options, stdin, result in ((["--input", "21"], None, 42),
                                       (["--input", '"ab"'], None, "abab"),
                                       (["--input", "@given.json"], None, [1, 2, 1, 2]),
                                       (["--input", "-"], b'"x"', "xx"),
                                       (["--input", " 1.5 "], None, 3.0)):
            with self.subTest(options=options):
                ended = self.unum("run", application, *options, stdin=stdin, code=DONE)
                self.assertEqual(result, json.loads(ended.out))
        echo = self.application({"Echo": Function()}, name="echo")
        self.assertEqual("{}\n", self.unum("run", echo, code=DONE).out)
        self.assertEqual("18446744073709551616000\n",
                         self.unum("run", echo, "--input", "18446744073709551616000", code=DONE).out)

    def test_an_input_that_is_none_is_refused_before_anything_is_made(self):
        application = self.doubler()
        write(self.path("broken.json"), '{"a": ')
        for option, words in (("{", "--input"), ("", "--input"), ("nonsense", "--input"),
                              ("@broken.json", "broken.json"), ("@missing.json", "missing.json"),
                              ("@" + self.scratch, "Is a directory")):
            with self.subTest(option=option):
                self.refused(USAGE, "run", application, "--input", option, says=words)
        self.refused(USAGE, "run", application, "--input", "-", stdin=b"", says="stdin")
        self.assertFalse(os.path.exists(os.path.join(application, ".unum")))

    def test_a_payload_as_input_brings_its_session(self):
        application = self.doubler()
        payload = {"Data": {"Source": "http", "Value": 4}, "Session": "brought"}
        ended = self.unum("run", application, "--input", json.dumps(payload), "--json", code=DONE)
        self.assertEqual(("brought", 8), (ended.json["session"], ended.json["result"]))
        self.refused(USAGE, "run", application, "--input", json.dumps(payload), "--session", "other",
                     says=("brought", "other"))

    def test_the_same_session_with_another_input_is_refused(self):
        application = self.doubler()
        run = ["run", application, "--session", "s 1", "--input"]
        self.unum(*run, "[1, 2]", code=DONE)
        self.unum(*run, "[1,2]", code=DONE)  # white space between tokens is no difference
        ended = self.refused(USAGE, *run, "[1,3]", says=("s 1", "another input"))
        self.assertNotIn("instances", ended.err.lower(), "no timeline of nothing")
        self.assertEqual({"Double": "[1,2,1,2]"}, outcomes(application, "s%201"))

    # --- Output

    def test_stdout_has_the_result_and_stderr_has_the_rest(self):
        application = self.application({
            "Talk": Function(TALK.replace("return event", "return [1, 2]"), each("Branch")),
            "Branch": Function(TALK)})
        ended = self.unum("run", application, "--session", "talks", code=DONE)
        self.assertEqual([1, 2], sorted(json.loads(ended.out).values()))
        self.assertIn("session talks", ended.err)
        for label, who in (("Talk", "{}"), ("Branch-unumIndex-0", "1"), ("Branch-unumIndex-1", "2")):
            self.assertIn(f"[{label}] to stdout by {who}\n[{label}] to stderr by {who}\n", ended.err)
        self.assertRegex(ended.err, r"(?m)^Branch +2 ")
        self.assertIn("done: 3 instances", ended.err)
        self.assertNotIn("\x1b", ended.err)

    def test_quiet_leaves_what_user_code_says(self):
        application = self.application({"Talk": Function(TALK)}, Colour="blue")
        noisy = self.unum("run", application, code=DONE)
        self.assertIn("Colour", noisy.err)
        quiet = self.unum("run", application, "--quiet", code=DONE)
        self.assertEqual("[Talk] to stdout by {}\n[Talk] to stderr by {}\n", quiet.err)
        self.assertEqual("{}\n", quiet.out)

    def test_json_has_the_documented_fields_on_success_and_on_failure(self):
        application = self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return [0, 1, 2]\n",
                             each("Part")),
            "Part": Function("def lambda_handler(event, context):\n    return 1 // event\n")})
        ended = self.unum("run", application, "--json", "--session", "parts")
        self.assertEqual(FAILED, ended.code, ended)
        self.assertEqual(["session", "status", "errors", "instances", "seconds"], list(ended.json))
        self.assertEqual(("parts", "failed", 3),
                         tuple(ended.json[key] for key in ("session", "status", "instances")))
        self.assertEqual(1, len(ended.json["errors"]))
        error = ended.json["errors"][0]
        self.assertEqual({"instance", "Error", "Cause"}, set(error))
        self.assertEqual(("Part-unumIndex-0", "ZeroDivisionError"), (error["instance"], error["Error"]))
        self.assertIn("Traceback", error["Cause"])
        write(os.path.join(application, "part", "app.py"), DOUBLE)
        ended = self.unum("resume", "parts", application, "--json", code=DONE)
        self.assertEqual(["session", "status", "result", "instances", "seconds"], list(ended.json))
        self.assertEqual({f"Part-unumIndex-{i}": value for i, value in enumerate((0, 1, 0))},
                         ended.json["result"])
        self.assertEqual(4, ended.json["instances"])
        self.assertGreater(ended.json["seconds"], 0)

    def test_a_failure_leaves_stdout_empty_and_shows_function_instance_attempt_and_traceback(self):
        application = self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return [0, 1]\n", each("Part")),
            "Part": Function(RAISE)})
        ended = self.refused(FAILED, "run", application, "--session", "f")
        for index in (0, 1):
            self.assertRegex(ended.err, rf"Part-unumIndex-{index} \(function Part, attempt 1\) failed: "
                                        r"ValueError\nnot today\nTraceback")
        self.assertIn("raise ValueError('not today')", ended.err)
        self.assertIn(f"unum resume f {application}", ended.err)
        self.assertEqual(["Fork"], sorted(outcomes(application, "f")))

    def test_how_to_go_on_can_be_typed_whatever_the_names_are(self):
        place = self.path("a store")
        self.unum("store", "create", "fs:" + place, code=DONE)
        application = self.application({"Only": Function(RAISE)}, name="it's")
        ended = self.refused(FAILED, "run", application, "--session=-x", "--store", "fs:" + place,
                             "--input", "1")
        write(os.path.join(application, "only", "app.py"), DOUBLE)
        command = re.search(r"go on with: unum (.*)", ended.err)[1]
        self.unum(*shlex.split(command), code=DONE)

    def test_a_reader_of_stderr_that_goes_away_ends_no_run(self):
        application = self.application({
            "Talk": Function(TALK.replace("return event", "return list(range(50))"), each("Branch")),
            "Branch": Function(TALK, fan_in("Sum", ["Branch-unumIndex-*"])),
            "Sum": Function("def lambda_handler(event, context):\n    return sum(event)\n")})
        command = self.start("run", application)
        command.process.stderr.close()
        with command.process.stdout as out:
            self.assertEqual(b"1225\n", out.read())
        self.assertEqual(DONE, command.process.wait())

    def test_a_result_that_cannot_be_written_is_a_failure(self):
        application = self.doubler()
        for command in (["run", application, "--input", "1"], ["run", application, "--json"],
                        ["check", application], ["doctor"], ["--version"]):
            with self.subTest(command=command), open("/dev/full", "wb") as full:
                ended = subprocess.run([UNUM, *command], check=False, stdout=full,
                                       stderr=subprocess.PIPE, timeout=60)
                self.assertEqual(MACHINE, ended.returncode, ended.stderr.decode())
                self.assertIn("stdout", ended.stderr.decode())

    def test_closed_standard_descriptors_do_no_harm(self):
        application = self.application({"Talk": Function(TALK)})
        ended = subprocess.run(["sh", "-c", 'exec "$0" run "$1" --session c --input 7 <&- 2>&-', UNUM,
                                application], check=False, stdout=subprocess.PIPE, timeout=60)
        self.assertEqual((DONE, b"7\n"), (ended.returncode, ended.stdout))
        self.assertEqual({"Talk": "7"}, outcomes(application, "c"))

    # --- What may stand in values and in a store

    def test_strings_and_keys_with_lone_surrogates_are_told_apart_and_kept_found_29(self):
        halves = '{"\\ud800":1,"\\ud801":2,"text":"\\ud801"}'
        conditions = {"One": '$ret["\\ud800"] == 1', "Two": '$ret["\\ud801"] == 2', "Not": '$ret["\\ud800"] == 2',
                      "Text": '$ret["text"] == "\\ud801"', "Other": '$ret["text"] == "\\ud800"'}
        application = self.application({
            "Start": Function(next=[scalar(name, Conditional=text) for name, text in conditions.items()]),
            **{name: Function() for name in conditions}})
        ended = self.unum("run", application, "--input", halves, code=DONE)
        self.assertEqual({"One", "Two", "Text"}, {name.split("-")[0] for name in json.loads(ended.out)})
        self.assertEqual({json.dumps(json.loads(halves))},
                         {json.dumps(value) for value in json.loads(ended.out).values()})

    def test_a_session_with_half_a_character_is_refused_found_29(self):
        payload = '{"Data":{"Source":"http","Value":4},"Session":"\\ud800"}'
        self.refused(USAGE, "run", self.doubler(), "--input", payload, says=("Session", "lone surrogate"))

    def test_a_stored_failure_that_says_nothing_is_shown_as_such_found_29(self):
        application = self.application({
            "Only": Function(RAISE, {"Name": "Mend", "InputType": "Error"}),
            "Mend": Function()})
        self.unum("run", application, "--session", "s", code=DONE)
        place = session_directory(application, "s")
        for stored in ("!{}", '!{"Error":"","Cause":""}', '!{"Error":1}'):
            with self.subTest(stored=stored):
                write(os.path.join(place, "Only-output.json"), stored)
                ended = self.unum("inspect", "s", application, code=DONE)
                self.assertRegex(ended.out, r"(?m)^Only .*caught .*Unum.UnnamedFailure: what is stored")

    # --- Stores

    def test_the_embedded_default_store_is_made_and_a_named_one_never(self):
        application = self.doubler()
        self.unum("run", application, "--input", "1", code=DONE)
        self.assertTrue(os.path.isdir(os.path.join(application, ".unum", "store")))
        missing = self.path("missing")
        create = f"unum store create fs:{missing}"
        other = self.doubler_in("named", UnumIntermediaryDataStoreType="fs",
                                UnumIntermediaryDataStoreName=missing)
        self.refused(MACHINE, "run", other, says=("fs", missing, create))
        self.refused(MACHINE, "run", application, "--store", "fs:" + missing, says=("fs", missing, create))
        self.refused(MACHINE, "inspect", "s", "--store", "fs:" + missing, says=missing)
        self.refused(MACHINE, "resume", "s", application, "--store", "fs:" + missing, says=missing)
        self.refused(MACHINE, "store", "check", "fs:" + missing, says=("fs", missing, create))
        self.assertFalse(os.path.exists(missing))

    def doubler_in(self, name, **settings):
        return self.application({"Double": Function(DOUBLE)}, name=name, **settings)

    def test_store_create_and_check(self):
        place = self.path("made here", "store")
        made = self.unum("store", "create", "fs:" + place, code=DONE)
        self.assertIn("was made", made.out)
        self.assertIn("exists already", self.unum("store", "create", "fs:" + place, code=DONE).out)
        self.assertIn(" 0 sessions", self.unum("store", "check", "fs:" + place, code=DONE).out)
        application = self.doubler()
        self.unum("run", application, "--store", "fs:" + place, "--session", "kept", "--input", "1",
                  code=DONE)
        self.assertIn(" 1 session", self.unum("store", "check", "fs:" + place, code=DONE).out)
        self.assertFalse(os.path.exists(os.path.join(application, ".unum")))
        self.assertIn("Double", self.unum("inspect", "kept", "--store", "fs:" + place, code=DONE).out)
        for text in ("fs", "fs:", ":x", ""):
            self.refused(USAGE, "store", "check", text, says="TYPE:NAME")
        self.refused(USAGE, "store", "create", "shelf:x", says="shelf")

    def test_a_queue_as_the_store_is_refused_with_the_reason(self):
        application = self.doubler()
        for queue in ("sqs", "sns", "kafka", "pubsub", "eventbridge"):
            with self.subTest(queue=queue):
                self.refused(USAGE, "run", application, "--store", queue + ":jobs",
                             says=(queue, "by name"))
                named = self.doubler_in(queue, UnumIntermediaryDataStoreType=queue)
                self.refused(USAGE, "run", named, says=(queue, "by name"))
                self.refused(USAGE, "store", "create", queue + ":jobs", says=(queue, "by name"))
        self.assertFalse(os.path.exists(os.path.join(application, ".unum")))

    def test_memory_keeps_nothing_and_says_so(self):
        application = self.application({"Raise": Function(RAISE)})
        ended = self.refused(FAILED, "run", application, "--store", "memory", says="ValueError")
        self.assertNotIn("unum resume", ended.err)
        self.assertEqual([], stored_files(os.path.join(application, ".unum")))

    # --- Inspect and resume

    def test_inspect_shows_each_instance_in_a_table_and_as_json(self):
        application = self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return [5, 0, 7]\n",
                             each("Part")),
            "Part": Function("def lambda_handler(event, context):\n    return 35 // event\n",
                             fan_in("Sum", ["Part-unumIndex-*"])),
            "Sum": Function("def lambda_handler(event, context):\n    return sum(event)\n")})
        self.unum("run", application, "--session", "look", code=FAILED)
        table = self.unum("inspect", "look", application, code=DONE).out
        self.assertRegex(table, r"(?m)^instance +state +size +time$")
        self.assertRegex(table, r"(?m)^Fork +done +7 B +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$")
        self.assertRegex(table, r"(?m)^Part-unumIndex-1 +failed .*ZeroDivisionError: ")
        listed = self.unum("inspect", "look", application, "--json", code=DONE).json
        self.assertEqual("look", listed["session"])
        states = {item["instance"]: item["state"] for item in listed["instances"]}
        self.assertEqual({"Fork": "done", "Part-unumIndex-0": "done", "Part-unumIndex-1": "failed",
                          "Part-unumIndex-2": "done", "Sum": "blocked"}, states)
        self.assertRegex(table, r"(?m)^Sum +blocked .*waits for Part-unumIndex-1 \(failed\)$")
        for item in listed["instances"]:
            self.assertEqual({"instance", "state", "bytes", "modified_unix_ns", "detail"}, set(item))
        write(os.path.join(application, "part", "app.py"), DOUBLE)
        self.unum("run", application, "--session", "look", code=DONE)
        table = self.unum("inspect", "look", cwd=application, code=DONE).out
        self.assertEqual(5, len(re.findall(r"(?m) done ", table)), table)
        self.assertNotIn("failed", table)

    def test_inspect_prints_times_of_all_centuries_found_22(self):
        place = self.path("store")
        application = self.application({"Double": Function(DOUBLE)})
        self.unum("store", "create", "fs:" + place, code=DONE)
        self.unum("run", application, "--input", "1", "--session", "old", "--store", "fs:" + place, code=DONE)
        file = os.path.join(place, "old", "Double-output.json")
        for seconds, nanoseconds, printed in ((-1, 250_000_000, "1969-12-31 23:59:59.250"),
                                              (-86_400, 0, "1969-12-31 00:00:00.000"),
                                              (10_413_792_000, 0, "after 2262-04-11"),
                                              (-10_413_792_000, 0, "before 1677-09-22")):
            moment = seconds * 10**9 + nanoseconds
            os.utime(file, ns=(moment, moment))
            if os.stat(file).st_mtime_ns != moment:
                continue  # a file system that does not reach that far
            shown = self.unum("inspect", "old", "--store", "fs:" + place, code=DONE, TZ="UTC").out
            self.assertIn(printed, shown)
            listed = self.unum("inspect", "old", "--store", "fs:" + place, "--json", code=DONE).json
            self.assertEqual(max(-2**63, min(moment, 2**63 - 1)), listed["instances"][0]["modified_unix_ns"])

    def test_inspect_tells_a_caught_failure_from_a_result(self):
        place = self.path("store")
        application = self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return [5, 0]\n", each("Part")),
            "Part": Function("def lambda_handler(event, context):\n    return [35 // event] * 20\n",
                             [scalar("Good"), {"Name": "Bad", "InputType": "Error"}]),
            "Good": Function(), "Bad": Function()})
        self.unum("store", "create", "fs:" + place, code=DONE)
        self.unum("run", application, "--session", "look", "--store", "fs:" + place, code=DONE)
        expected = {"Fork": "done", "Part-unumIndex-0": "done", "Part-unumIndex-1": "caught",
                    "Good-unumIndex-0": "done", "Bad-unumIndex-1": "done"}
        self.unum("run", application, "--session", "look", code=DONE)
        for where in ([application], ["--store", "fs:" + place]):
            with self.subTest(where=where[0]):
                listed = self.unum("inspect", "look", *where, "--json", code=DONE).json["instances"]
                self.assertEqual(expected, {item["instance"]: item["state"] for item in listed})
                table = self.unum("inspect", "look", *where, code=DONE).out
                self.assertRegex(table, r"(?m)^Part-unumIndex-1 +caught .*  ZeroDivisionError: ")

    def test_what_is_stored_and_damaged_is_named(self):
        application = self.application({"Only": Function(RAISE)})
        self.refused(FAILED, "run", application, "--session", "look")
        stored = session_directory(application, "look")
        write(os.path.join(stored, "Only-error.json"), "{bad")
        table = self.unum("inspect", "look", application, code=DONE).out
        self.assertRegex(table, r"(?m)^Only +failed .*what is stored is not JSON")
        write(os.path.join(stored, "Only-input.json"), "{bad")
        self.refused(MACHINE, "resume", "look", application,
                     says="the input that session look was begun with: not valid JSON")

    def test_resume_goes_on_after_the_code_was_fixed_without_running_what_is_done(self):
        application = self.application({
            "First": Function(self.counted("First", "return event + 1"), scalar("Second")),
            "Second": Function(self.counted("Second", "raise RuntimeError('broken')"))})
        ended = self.refused(FAILED, "run", application, "--input", "1", "--session", "mend",
                             says="RuntimeError")
        self.assertIn("unum resume mend", ended.err)
        self.refused(FAILED, "resume", "mend", application, says="RuntimeError")
        write(os.path.join(application, "second", "app.py"), self.counted("Second", "return event * 10"))
        self.assertEqual("20\n", self.unum("resume", "mend", cwd=application, code=DONE).out)
        with open(self.path("calls"), encoding="utf-8") as file:
            self.assertEqual(["First", "Second", "Second", "Second"], file.read().split())
        files = stored_files(os.path.join(application, ".unum", "store"))
        self.assertIn("mend/Second-output.json", files)

    def counted(self, name, statement):
        return (f"def lambda_handler(event, context):\n"
                f"    with open({self.path('calls')!r}, 'a') as file:\n"
                f"        file.write('{name}\\n')\n    {statement}\n")

    def test_an_unknown_session_is_exit_code_2(self):
        application = self.doubler()
        for where in ("never run", "run before"):
            with self.subTest(where=where):
                self.refused(USAGE, "resume", "nobody", application, says=("no session", "nobody"))
                self.refused(USAGE, "inspect", "nobody", application, says=("no session", "nobody"))
                if where == "never run":
                    self.assertFalse(os.path.exists(os.path.join(application, ".unum")))
                self.unum("run", application, "--input", "1", code=DONE)

    def test_sessions_may_have_any_name_and_none_leaves_the_store(self):
        application = self.doubler()
        for session in ("..", "a/b", "../../x", "\u00e9 \u4e2d", "x" * 3000, "."):
            with self.subTest(session=session[:20]):
                ended = self.unum("run", application, "--input", "3", "--session", session, "--json")
                self.assertEqual(DONE, ended.code, ended)
                self.assertEqual(session, ended.json["session"])
                again = self.unum("inspect", session, application, "--json", code=DONE)
                self.assertEqual(session, again.json["session"])
        # Sessions stand in JSON: two of other bytes would be one there.
        for command in (["run", application, "--session", b"\xff"], ["resume", b"\xfe", application]):
            self.refused(USAGE, *command, says="it is not UTF-8")
        self.assertEqual([".unum", "double", "unum-template.yaml"], sorted(os.listdir(application)))
        self.assertEqual(["store"], os.listdir(os.path.join(application, ".unum")))

    # --- Check

    def test_check_refuses_what_run_refuses_and_warnings_refuse_nothing(self):
        good = self.doubler()
        self.assertIn(": ok", self.unum("check", good, code=DONE).out)
        self.assertIn(": ok", self.unum("check", cwd=good, code=DONE).out)
        bad = self.application({
            "Fork": Function(next=each("Part")),
            "Part": Function(next={"Name": "Sum", "InputType": {"Fan-in": {"Values": ["Part-unumIndex-*"]}}}),
            "Sum": Function()}, name="bad")
        checked = self.unum("check", bad)
        self.assertEqual(USAGE, checked.code, checked)
        self.assertIn("Pop", checked.out)
        self.refused(USAGE, "run", bad, "--input", "[1]", says=("Pop", "nothing was run"))
        self.assertFalse(os.path.exists(os.path.join(bad, ".unum")))

    def test_migrate_rewrites_an_older_form_and_the_result_runs(self):
        application = self.application({"First": Function(), "Second": Function(DOUBLE)})
        path = os.path.join(application, "first", "unum_config.json")
        write(path, json.dumps({"Name": "First", "Start": True, "Next": {"Name": "Second"},
                                "NextInput": "Scalar"}))
        before = self.unum("run", application, "--input", "4", code=DONE).out
        self.assertIn("rewritten: ", self.unum("check", application, "--migrate", code=DONE).out)
        with open(path, encoding="utf-8") as file:
            self.assertEqual("Scalar", json.load(file)["Next"]["InputType"])
        self.assertEqual(before, self.unum("run", application, "--input", "4", code=DONE).out)
        self.assertIn("already", self.unum("check", application, "--migrate", code=DONE).out)


if __name__ == "__main__":
    unittest.main()
