"""`unum step` and `unum link`: platforms without a library, their deliveries, and what is deployed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest
import uuid

from harness import (DONE, MACHINE, SOURCE, UNUM, USAGE, AppTest, Function, each, fan_in, read_json, scalar,
                     stored_files, write)
from network_stores import OnANetworkStore, RedisStore
from step_platform import BOUNDED, INTERRUPTED, REFUSED, Platform, invokes, report

PLUS = "def lambda_handler(event, context):\n    return event + 1\n"
RAISE = "def lambda_handler(event, context):\n    raise ValueError('not today')\n"
CRASH = "import os\n\ndef lambda_handler(event, context):\n    os.kill(os.getpid(), 9)\n"
# Fails as often as it is told, of all attempts; how often it ran it knows from its own context.
BUSY = """class Busy(Exception):
    pass

def lambda_handler(event, context):
    if context.unum_attempt < event["attempts"]:
        raise Busy("later")
    return context.unum_attempt
"""
# Says that it runs, and returns when it is told to.
HELD = """import os

def lambda_handler(event, context):
    with open(os.environ["UNUM_TEST_EVENTS"], "w") as events:
        events.write("running\\n")
    with open(os.environ["UNUM_TEST_GO"]) as go:
        go.read()
    return event
"""


class Steps(AppTest):
    """What the classes below share."""

    def store_options(self):
        return []

    def store_environment(self):
        return {}

    def step(self, application, function, given, *options, code=DONE, **environment):
        """One delivery to its end; a payload is text, an input anything else."""
        text = given if isinstance(given, str) else json.dumps(given)
        return self.unum("step", application, "--function", function, *options, stdin=text.encode(), code=code,
                         **environment)

    def refuse_step(self, application, function, given, *options, says):
        ended = self.unum("step", application, "--function", function, *options, stdin=given.encode())
        self.expect_refusal(ended, USAGE, says)

    def chain(self, name="app", **settings):
        functions = {"First": Function(PLUS, scalar("Second")), "Second": Function(PLUS)}
        return self.application(functions, name, **settings)


class OneStep(Steps):
    def test_it_prints_what_follows_and_how_it_ended(self):
        application = self.chain()
        ended = self.step(application, "First", 1, "--session", "s")
        message, = invokes(ended)
        self.assertEqual(("Second", "s", "Second", 1), tuple(message[key] for key in (
            "function", "session", "instance", "attempt")))
        self.assertNotIn("not_before", message)
        self.assertEqual({"status": "succeeded", "function": "First", "session": "s", "instance": "First",
                          "attempt": 1, "invocations": 1}, report(ended))
        self.assertEqual("", ended.err)
        last = self.step(application, "Second", message["payload"])
        self.assertEqual([], invokes(last))
        self.assertEqual(3, report(last)["result"])

    def test_a_delivery_again_runs_nothing_and_says_the_same(self):
        application = self.chain()
        first = self.step(application, "First", 1, "--session", "s")
        write(os.path.join(application, "first", "app.py"), RAISE)
        again = self.step(application, "First", 1, "--session", "s", "--attempt", "2")
        self.assertEqual(invokes(first), invokes(again))
        self.assertEqual("succeeded", report(again)["status"])

    def test_what_stands_in_a_value_never_breaks_a_line(self):
        cat = {"code": "#!/bin/sh\ncat\n", "runtime": "provided.al2023", "file": "bootstrap"}
        application = self.application({"First": Function(**cat, next=scalar("Second")), "Second": Function(**cat)})
        given = '{"a\\n\\u2028": 12345678901234567890.50,\n\n "b": "\u00e4"}'
        message, = invokes(self.step(application, "First", given, "--session", "s"))
        self.assertIn("12345678901234567890.50", message["payload"])
        ended = self.step(application, "Second", message["payload"])
        self.assertEqual(1, ended.out.count("\n"))
        self.assertIn('"result":{"a\\n\\u2028":12345678901234567890.50,"b":"\u00e4"}', ended.out)

    def test_a_wide_map_is_a_line_for_each_element_while_they_are_read(self):
        code = "def lambda_handler(event, context):\n    return ['x' * 100] * event\n"
        application = self.application({"First": Function(code, each("Second")), "Second": Function(PLUS)})
        ended = self.step(application, "First", 2000, "--session", "s")
        self.assertEqual({f"Second-unumIndex-{i}" for i in range(2000)},
                         {message["instance"] for message in invokes(ended)})
        self.assertEqual((2001, 2000), (ended.out.count("\n"), report(ended)["invocations"]))

    def test_user_code_prints_to_stderr(self):
        code = "def lambda_handler(event, context):\n    print('hello')\n    return event\n"
        ended = self.step(self.application({"Only": Function(code)}), "Only", 1, "--session", "s")
        self.assertEqual("[Only] hello\n", ended.err)
        self.assertEqual(1, ended.out.count("\n"))

    def test_a_failure_of_the_code_is_acknowledged_and_stands_in_the_session(self):
        application = self.application({"Only": Function(RAISE)})
        told = report(self.step(application, "Only", 1, "--session", "s"))
        self.assertEqual(("failed", "ValueError"), (told["status"], told["error"]))
        self.assertIn("not today", told["cause"])
        inspected = self.unum("inspect", "s", application, "--json", code=DONE).json
        self.assertEqual(["failed"], [instance["state"] for instance in inspected["instances"]])

    def test_a_crash_is_delivered_again_and_then_given_up(self):
        catch = [{"ErrorEquals": ["Unum.WorkerCrashed"], "Next": "After"}]
        application = self.application({"Only": Function(CRASH, ir={"Catch": catch}), "After": Function()})
        options = ["--session", "s"]
        for attempt in ("1", "2", "3"):
            ended = self.step(application, "Only", 1, *options, "--attempt", attempt, code=BOUNDED)
            told = report(ended)
            self.assertEqual(("bounded", "Unum.WorkerCrashed", int(attempt)),
                             (told["status"], told["error"], told["attempt"]))
            self.assertEqual([], invokes(ended))
        ended = self.step(application, "Only", 1, *options, "--attempt", "3", "--give-up", told["error"],
                          "--cause", told["cause"])
        self.assertEqual(("caught", "Unum.WorkerCrashed"), (report(ended)["status"], report(ended)["error"]))
        message, = invokes(ended)
        self.assertEqual("Unum.WorkerCrashed",
                         report(self.step(application, "After", message["payload"]))["result"]["Error"])

    def test_an_attempt_that_is_to_come_has_its_time(self):
        retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 60}]
        application = self.application({"Only": Function(BUSY, ir={"Retry": retry})})
        before = time.time()
        ended = self.step(application, "Only", {"attempts": 2}, "--session", "s", "--delay-max", "240")
        message, = invokes(ended)
        self.assertEqual(2, message["attempt"])
        self.assertGreaterEqual(message["not_before"] / 1000, before + 59)
        self.assertLess(message["not_before"] / 1000, time.time() + 61)
        told = report(ended)
        self.assertEqual(("will_retry", "Busy", message["not_before"]),
                         (told["status"], told["error"], told["not_before"]))
        last = self.step(application, "Only", message["payload"], "--delay-max", "240")
        self.assertEqual(2, report(last)["result"])

    def test_a_retry_that_the_platform_cannot_wait_for_is_refused(self):
        retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 60, "MaxAttempts": 1}]
        application = self.application({"Only": Function(BUSY, ir={"Retry": retry})})
        for options in ([], ["--delay-max", "59"]):
            self.refuse_step(application, "Only", "{}", "--session", "s", *options, says=["Only", "60"])

    def test_large_results_go_by_name_where_the_platform_takes_no_more(self):
        code = "def lambda_handler(event, context):\n    return ['x' * 100000, 'y' * 100000]\n"
        length = "def lambda_handler(event, context):\n    return len(event)\n"
        application = self.application({"First": Function(code, each("Second")), "Second": Function(length)})
        messages = invokes(self.step(application, "First", 1, "--session", "s", "--payload-bytes-max", "4000"))
        self.assertEqual(2, len(messages))
        for message in messages:
            self.assertLess(len(message["payload"]), 4000)
            ended = self.step(application, "Second", message["payload"])
            self.assertEqual(100000, report(ended)["result"])

    def test_a_session_of_steps_can_be_resumed_and_a_run_gone_on_with(self):
        application = self.chain()
        self.step(application, "First", 1, "--session", "s")
        self.assertEqual("3\n", self.unum("resume", "s", application, "--quiet", code=DONE).out)
        ran = self.unum("run", application, "--input", "5", "--session", "t", "--quiet", code=DONE)
        self.assertEqual("7\n", ran.out)
        message, = invokes(self.step(application, "First", 5, "--session", "t"))
        self.assertEqual(7, report(self.step(application, "Second", message["payload"]))["result"])

    def test_a_payload_by_hand_begins_a_session_too(self):
        application = self.chain()
        payload = json.dumps({"Data": {"Source": "http", "Value": 1}, "Session": "s"})
        by_hand = self.step(application, "First", payload)
        self.assertEqual(invokes(by_hand), invokes(self.step(application, "First", 1, "--session", "s")))


class Deliveries(Steps):
    """What becomes of a delivery that does not end as it should."""

    def held(self):
        """A step in the middle of its code, and how to let it go on."""
        application = self.application({"First": Function(HELD, scalar("Second")), "Second": Function(PLUS)})
        events, go = self.events(), self.path("go")
        os.mkfifo(go)
        environment = {"UNUM_TEST_EVENTS": events.path, "UNUM_TEST_GO": go}

        def start():
            command = self.start("step", application, "--function", "First", "--session", "s", stdin=b"1",
                                 **environment)
            command.process.stdin.write(b"1")
            command.process.stdin.close()
            command.process.stdin = None
            command.stdin = None
            self.assertEqual("running", events.next())
            return command

        def release():
            with open(go, "w", encoding="utf-8"):
                pass

        return application, start, release

    def expect_to_go_on(self, start, release):
        command = start()
        release()
        ended = self.end_of(command)
        self.assertEqual(DONE, ended.code, ended)
        self.assertEqual("Second", invokes(ended)[0]["instance"])

    def test_an_invocation_that_nobody_reads_is_not_acknowledged(self):
        _, start, release = self.held()
        command = start()
        command.process.stdout.close()
        release()
        code = command.process.wait(60)
        err = command.process.stderr.read().decode()
        self.assertEqual(MACHINE, code, err)
        self.assertIn("cannot write to stdout: Broken pipe; the delivery is not acknowledged", err)
        self.assertEqual([], command.wait_for_no_process())
        again = self.unum("step", self.path("app"), "--function", "First", "--session", "s", stdin=b"1", code=DONE)
        self.assertEqual("Second", invokes(again)[0]["instance"], "what was computed was kept")

    def test_a_stdout_that_is_full_is_not_acknowledged_either(self):
        application = self.chain()
        ended = subprocess.run(["sh", "-c", f"exec {UNUM} step {application} --function First --session s >/dev/full"],
                               check=False, input=b"1", capture_output=True)
        self.assertEqual(MACHINE, ended.returncode, ended.stderr)

    def test_a_step_that_is_told_to_end_is_delivered_again(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signal=number):
                self.setUp()
                _, start, release = self.held()
                command = start()
                command.send(number)
                ended = self.end_of(command)
                self.assertEqual(INTERRUPTED, ended.code, ended)
                self.assertEqual("interrupted", report(ended)["status"])
                self.expect_to_go_on(start, release)

    def test_a_step_that_is_killed_is_delivered_again(self):
        _, start, release = self.held()
        command = start()
        command.send(signal.SIGKILL)
        self.assertEqual(-signal.SIGKILL, self.end_of(command).code)
        self.expect_to_go_on(start, release)

    def test_what_is_no_payload_is_refused(self):
        application = self.chain()
        self.step(application, "First", 1, "--session", "before")  # so that there is a store
        for given, says in (("{", "JSON"), ("[]", "object"), ('{"Data": 1, "Session": "s"}', "Data"),
                            ('{"Data": {"Source": "http", "Value": 1}}', "Session"),
                            ('{"Data": {"Source": "sqs", "Value": "x"}, "Session": "s"}', "sqs")):
            with self.subTest(payload=given):
                ended = self.step(application, "Second", given, code=REFUSED)
                told = report(ended)
                self.assertEqual(("refused", "Second", 1), (told["status"], told["function"], told["attempt"]))
                self.assertIn(says, told["cause"])
                self.assertIn(says, ended.err)
                self.assertEqual([], invokes(ended))
        self.assertEqual(["before"], os.listdir(os.path.join(application, ".unum", "store")))

    def test_a_session_with_another_input_or_of_another_application_is_refused(self):
        application = self.chain()
        other = self.chain("other", ApplicationName="other")
        store = ["--store", "fs:" + self.path("app", ".unum", "store")]
        self.step(application, "First", 1, "--session", "s")
        told = report(self.step(application, "First", 2, "--session", "s", code=REFUSED))
        self.assertEqual(("Unum.OtherInput", "s", "First"), (told["error"], told["session"], told["instance"]))
        told = report(self.step(other, "First", 1, "--session", "s", *store, code=REFUSED))
        self.assertEqual("Unum.OtherApplication", told["error"])

    def test_a_session_that_a_changed_function_has_results_in_goes_on_when_told_to(self):
        application = self.chain()
        self.step(application, "First", 1, "--session", "s")
        write(os.path.join(application, "first", "unum_config.json"),
              json.dumps({"Name": "First", "Start": True, "Next": scalar("Second", **{"Conditional": "1 == 1"})}))
        told = report(self.step(application, "First", 1, "--session", "s", code=REFUSED))
        self.assertEqual("Unum.ChangedFunctions", told["error"])
        self.step(application, "First", 1, "--session", "s", "--accept-changes")

    def test_a_store_that_is_not_there_is_delivered_again(self):
        application = self.chain()
        ended = self.step(application, "First", 1, "--session", "s", "--store", "fs:" + self.path("none"),
                          code=MACHINE)
        self.assertIn("unum store create fs:" + self.path("none"), ended.err)
        self.assertEqual("", ended.out)
        message = json.dumps({"Data": {"Source": "http", "Value": 1}, "Session": "s"})
        self.step(application, "Second", message, code=MACHINE)
        self.assertFalse(os.path.exists(os.path.join(application, ".unum")), "only an entry makes the default")

    def test_a_wrong_command_line_acknowledges_nothing(self):
        application = self.chain()
        message = json.dumps({"Data": {"Source": "http", "Value": 1}, "Session": "s"})
        step = ["step", application]
        for options, given, says in (
                (step, message, "--function is required"),
                ([*step, "--function", "Secnd"], message, 'did you mean "Second"?'),
                ([*step, "--function", "Second", "--retry"], message, "--retry"),
                ([*step, "--function", "Second", "--attempt", "0"], message, "--attempt"),
                ([*step, "--function", "Second", "--cause", "x"], message, "--give-up"),
                ([*step, "--function", "Second", "--code", application], message, "--linked"),
                ([*step, "--function", "Second", "--linked", application], message, "linked"),
                ([*step, "--function", "Second", "--session", "s"], message, "which First does, not Second"),
                ([*step, "--function", "First"], "1", "--session"),
                ([*step, "--function", "First", "--session", "t"], message, "is of session s"),
                ([*step, "--function", "Second"], " \n", "no payload on stdin"),
                ([*step, "--function", "Second", "--store", "sqs:q"], message, "sqs"),
                ([*step, "--function", "Second", "--store", "memory"], message, "memory"),
                (["step", self.path("none"), "--function", "F"], message, "does not exist")):
            with self.subTest(options=options[1:]):
                self.expect_refusal(self.unum(*options, stdin=given.encode()), USAGE, says)

    def test_an_application_that_check_refuses_is_not_run(self):
        application = self.application({"First": Function(PLUS, scalar("None"))})
        self.refuse_step(application, "First", "1", "--session", "s", says="None")
        self.refused(USAGE, "link", application, says="None")
        self.refused(USAGE, "link", application, "--out", self.path("out"), says="None")
        self.assertFalse(os.path.exists(self.path("out")))


class Linked(Steps):
    """What `unum link` writes, and steps of functions that are deployed alone."""

    def link(self, application, out="out"):
        self.unum("link", application, "--out", self.path(out), code=DONE)
        return self.path(out)

    def alone(self, out, application, function, *options):
        return ["step", "--linked", out, "--function", function, "--code",
                os.path.join(application, function.lower()), *options]

    def test_stdout_and_files_have_the_same_content(self):
        application = self.example("nested-maps")
        out = self.link(application)
        printed = self.unum("link", application, code=DONE).json
        self.assertEqual(sorted(printed), stored_files(out))
        for name, content in printed.items():
            self.assertEqual(content, read_json(os.path.join(out, name)))
        self.assertEqual("World", printed["application.json"]["Entry"])
        for name, content in printed.items():
            self.assertIn("Linked", content)

    def test_what_others_edges_say_is_known_to_a_function_alone(self):
        application = self.example("nested-maps")
        out = self.link(application)
        entry = self.alone(out, os.path.join(SOURCE, "examples", "nested-maps"), "World", "--session", "s")
        given = read_json(os.path.join(application, "input-empty.json"))
        ended = self.unum(*entry, stdin=json.dumps(given).encode(), code=DONE)
        self.assertEqual(["WorldSum"], [message["function"] for message in invokes(ended)])

    def test_giving_up_needs_no_code(self):
        application = self.application({"Only": Function(CRASH)})
        ended = self.unum("step", "--linked", self.link(application), "--function", "Only", "--session", "s",
                          "--give-up", "Gone", "--cause", "the machine burned", stdin=b"1", code=DONE)
        self.assertEqual(("failed", "Gone", "the machine burned"),
                         tuple(report(ended)[key] for key in ("status", "error", "cause")))

    def test_a_second_link_replaces_the_first(self):
        out = self.link(self.application({"A": Function(next=scalar("B")), "B": Function()}, "before"))
        self.assertEqual(["A/unum_config.json", "B/unum_config.json", "application.json"], stored_files(out))
        write(os.path.join(out, "A", "notes"), "mine")
        self.link(self.application({"B": Function()}, "after"))
        self.assertEqual(["A/notes", "B/unum_config.json", "application.json"], stored_files(out))
        self.assertEqual("B", read_json(os.path.join(out, "application.json"))["Entry"])

    def test_files_of_somebody_else_are_left_alone(self):
        application = self.chain()
        for name, text in (("notes", "mine"), ("application.json", "{}"), ("application.json", "no JSON")):
            with self.subTest(file=name, text=text):
                out = self.path(uuid.uuid4().hex)
                os.mkdir(out)
                write(os.path.join(out, name), text)
                self.refused(USAGE, "link", application, "--out", out, says=out)
                self.assertEqual([name], stored_files(out))
        self.refused(USAGE, "link", application, "--out", application, says="not written")
        write(self.path("file"), "")
        self.assertEqual(MACHINE, self.unum("link", application, "--out", self.path("file", "out")).code)

    def test_a_link_that_fails_leaves_no_half_of_a_file(self):
        application = self.chain()
        out = self.link(application)
        before = {name: read_json(os.path.join(out, name)) for name in stored_files(out)}
        os.mkdir(os.path.join(out, "Third"))
        os.mkdir(os.path.join(out, "Third", "unum_config.json"))  # where a file is to be
        functions = {"First": Function(PLUS, scalar("Second")), "Second": Function(PLUS, scalar("Third")),
                     "Third": Function(PLUS)}
        ended = self.unum("link", self.application(functions, "longer"), "--out", out)
        self.assertEqual("", ended.out)
        self.assertIn("cannot replace", ended.err)
        self.assertEqual(before, {name: read_json(os.path.join(out, name)) for name in before})

    def test_a_password_is_not_written(self):
        application = self.chain(UnumIntermediaryDataStoreType="redis",
                                 UnumIntermediaryDataStoreName="redis://me:secret@localhost:6379/1")
        ended = self.unum("link", application, code=DONE)
        self.assertNotIn("secret", ended.out + ended.err)
        self.assertIn("UNUM_REDIS_PASSWORD", ended.err)
        self.assertIn("localhost:6379/1", ended.json["application.json"]["UnumIntermediaryDataStoreName"])

    def test_what_the_template_says_of_the_code_holds_alone(self):
        code = ("import os\n\ndef run(event, context):\n"
                "    return [os.environ['GREETING'], context.get_remaining_time_in_millis() <= 40000]\n")
        application = self.application(
            {"Only": Function(code, handler="app.run",
                              properties={"Environment": {"GREETING": "hello"}, "Timeout": 40})})
        ended = self.unum(*self.alone(self.link(application), application, "Only", "--session", "s"), stdin=b"1",
                          code=DONE)
        self.assertEqual(["hello", True], report(ended)["result"])

    def test_files_that_do_not_belong_together_or_are_damaged_acknowledge_nothing(self):
        application = self.chain()
        first = ["--session", "s"]
        for file, change, says in (
                ("application.json", lambda text: text[:-3], "application.json"),
                ("application.json", lambda text: text.replace('"Linked": 1', '"Linked": 2'), "this version"),
                ("application.json", lambda text: text.replace('"Entry"', '"Entri"'), "Entry is missing"),
                ("application.json", lambda text: text.replace('"GC"', '"GCC"'), "GCC is not known"),
                ("application.json", lambda text: text.replace('"Handler"', '"Handl"'), "Handler is missing"),
                ("application.json", lambda text: text.replace('"fs"', '"sqs"'), "UnumIntermediaryDataStoreType"),
                ("First/unum_config.json", lambda text: text.replace('"Second"', '"Third"'), "unum link"),
                ("First/unum_config.json", lambda text: re.sub(r',\s*"Linked": \{[^}]*\}', "", text), "unum link"),
                ("First/unum_config.json", lambda text: text.replace('"Linked": {', '"Linked": {"New": 1,'),
                 "Linked.New is not known")):
            with self.subTest(file=file, says=says):
                out = self.link(application, uuid.uuid4().hex)
                path = os.path.join(out, file)
                with open(path, encoding="utf-8") as opened:
                    before = opened.read()
                after = change(before).replace(",}", "}").replace(",\n  }", "\n  }")
                self.assertNotEqual(before, after)
                write(path, after)
                ended = self.unum(*self.alone(out, application, "First", *first), stdin=b"1")
                self.expect_refusal(ended, USAGE, says)
        out = self.link(application)
        whole = self.alone(out, application, "First")
        self.expect_refusal(self.unum(*whole[:-2], *first, stdin=b"1"), USAGE, "--code")
        self.expect_refusal(self.unum(*whole[:-1], self.path("none"), *first, stdin=b"1"), USAGE, "none")
        os.remove(os.path.join(out, "application.json"))
        self.assertEqual(MACHINE, self.unum(*self.alone(out, application, "First", *first), stdin=b"1").code)


class Platforms(Steps):
    """Examples on a platform that delivers twice and kills; they come to what `unum run` comes to."""

    SEED = int(os.environ.get("UNUM_STEP_SEED", "1"))
    CASES = (("text-processing", "input.json", "Receive"), ("nested-maps", "input.json", "World"),
             ("nested-maps", "input-empty.json", "World"), ("retry-and-catch", "input.json", "Orders"),
             ("fold", "input-empty.json", "Ledger"))

    def code_of(self, application, function):
        with open(os.path.join(application, "unum-template.yaml"), encoding="utf-8") as file:
            text = file.read()
        place = re.search(rf"\b{function}:\s+Properties:\s+CodeUri: (\S+)", text).group(1)
        return os.path.join(application, place)

    def expect_every_case(self, linked, **chances):
        self.kills = 0
        for number, (name, given, entry) in enumerate(self.CASES):
            with self.subTest(example=name, input=given, seed=self.SEED + number):
                application = os.path.join(self.scratch, name)
                if not os.path.isdir(application):
                    self.example(name)
                self.expect_case(application, given, entry, linked, self.SEED + number, chances)
        self.assertEqual("killed" in chances, self.kills > 0)

    def expect_case(self, application, given, entry, linked, seed, chances):
        def where(function):
            if not linked:
                return [application]
            return ["--linked", out, "--code", self.code_of(application, function)]

        out = application + "-linked"
        if linked:
            self.unum("link", application, "--out", out, code=DONE)
        platform = Platform(self, where, ["--delay-max", "60", *self.store_options()], seed, **chances)
        session = f"step-{uuid.uuid4()}"
        result = platform.run(entry, read_json(os.path.join(application, given)), session)
        self.kills += platform.kills
        self.assertEqual(read_json(os.path.join(application, given.replace("input", "expected"))), result)
        if not linked:  # nothing is left for a run: each instance has its outcome
            again = self.unum("resume", session, application, "--quiet", *self.store_options(), code=DONE,
                              **self.store_environment())
            self.assertEqual(result, json.loads(again.out))


class PlatformsOnFs(Platforms):
    def test_examples_come_to_their_results(self):
        self.expect_every_case(linked=False)

    def test_so_they_do_when_deliveries_are_doubled_and_killed(self):
        self.expect_every_case(linked=True, twice=0.2, killed=0.25)

    def test_so_they_do_when_their_garbage_is_collected(self):
        application = self.example("nested-maps")
        template = os.path.join(application, "unum-template.yaml")
        with open(template, encoding="utf-8") as file:
            text = file.read()
        write(template, text.replace("Globals:\n", "Globals:\n  GC: true\n", 1))
        self.kills = 0
        for linked in (False, True):
            self.expect_case(application, "input.json", "World", linked, self.SEED, {"twice": 0.3, "killed": 0.3})

    def test_a_crash_that_passes_and_one_that_does_not(self):
        functions = {"Split": Function("def lambda_handler(event, context):\n    return [1, 2]\n", each("Fragile")),
                     "Fragile": Function("import os\n\ndef lambda_handler(event, context):\n"
                                         "    if event == 2 or context.unum_attempt == 1:\n"
                                         "        os.kill(os.getpid(), 9)\n    return event\n",
                                         scalar("Join"),
                                         ir={"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Sorry"}]}),
                     "Sorry": Function("def lambda_handler(event, context):\n    return event['Error']\n",
                                       scalar("Join")),
                     "Join": Function(next=fan_in("Sum", ["Join-unumIndex-*"])), "Sum": Function()}
        application = self.application(functions)
        platform = Platform(self, lambda function: [application])
        self.assertEqual([1, "Unum.WorkerCrashed"], platform.run("Split", 0, "s"))

    def test_the_platform_of_the_document_runs_an_example(self):
        with open(os.path.join(SOURCE, "docs", "platforms.md"), encoding="utf-8") as file:
            program = re.search(r"```python\n(.*?)```", file.read(), re.DOTALL).group(1)
        write(self.path("platform.py"), program)
        for name in ("text-processing", "retry-and-catch"):
            with self.subTest(example=name):
                application = self.example(name)
                with open(os.path.join(application, "input.json"), encoding="utf-8") as given:
                    text = given.read()
                command = self.start(self.path("platform.py"), application, "s", text, program=(sys.executable,),
                                     PATH=os.path.dirname(UNUM) + os.pathsep + os.environ["PATH"])
                ended = self.end_of(command)
                self.assertEqual(DONE, ended.code, ended)
                self.assertEqual(read_json(os.path.join(application, "expected.json")), json.loads(ended.out))


class PlatformsOnRedis(OnANetworkStore, Platforms):
    make_store = RedisStore

    def test_examples_come_to_their_results(self):
        self.expect_every_case(linked=True)

    def test_so_they_do_when_deliveries_are_doubled_and_killed(self):
        self.expect_every_case(linked=False, twice=0.2, killed=0.25)


if __name__ == "__main__":
    unittest.main()
