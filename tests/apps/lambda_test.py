"""AWS Lambda: functions in environments that are frozen and killed, behind the tests' own service.

UNUM_TEST_WIDE=1   hundreds of kills, and a thousand invocations at once in one process
UNUM_LAMBDA_SEED   the seed of an earlier run
"""

import json
import os
import random
import shutil
import signal
import sys
import uuid

sys.path.insert(0, os.path.join(os.environ["UNUM_SOURCE_ROOT"], "tests"))

# pylint: disable=wrong-import-position
from collector import Collector, attributes
from harness import (DONE, MACHINE, UNUM, AppTest, Function, each, example_cases, fan_in, lines, log_calls,
                     read_json, scalar)
from lambda_front_door import ACCESS_KEY, SECRET_KEY, FrontDoor
from network_stores import AWS, DynamoDbStore, OnANetworkStore, RedisStore, S3Store
from servers import install, versions

WIDE = bool(os.environ.get("UNUM_TEST_WIDE"))
SEED = int(os.environ.get("UNUM_LAMBDA_SEED", random.SystemRandom().randrange(2**32)))
PREFIX = "stack-"
PLUS = "def lambda_handler(event, context):\n    return event + 1\n"
LIST = "def lambda_handler(event, context):\n    return list(range(event))\n"
SUM = "def lambda_handler(event, context):\n    return sum(event)\n"
BIG = "def lambda_handler(event, context):\n    return [str(event) * 2000]\n"
FIRST_LENGTH = "def lambda_handler(event, context):\n    return len(event[0])\n"
# Amazon's context tells the instance by the client's.
LOG_AT_AMAZON = """
import os
_code = lambda_handler

def lambda_handler(event, context):
    with open(os.environ["UNUM_TEST_LOG"], "a") as log:
        log.write(context.client_context.custom["unum_instance"] + "\\n")
    return _code(event, context)
"""
# Takes the whole environment with it, once.
KILLS_ITS_ENVIRONMENT = """import os

def lambda_handler(event, context):
    if not os.path.exists(os.environ["UNUM_TEST_ONCE"]):
        open(os.environ["UNUM_TEST_ONCE"], "w").close()
        os.kill(os.getppid(), 9)
    return event
"""
CRASH = "import os\n\ndef lambda_handler(event, context):\n    os.kill(os.getpid(), 9)\n"
SLEEP = "import time\n\ndef lambda_handler(event, context):\n    time.sleep(60)\n"
FAIL_TWICE = """def lambda_handler(event, context):
    if context.unum_attempt < 3:
        raise ValueError("not yet")
    return context.unum_attempt
"""


class Lambdas(AppTest):
    """Applications deployed at a front door."""

    def setUp(self):
        super().setUp()
        self.front = None
        self.logs = self.path("logs")
        os.mkdir(self.logs)

    def store_name(self):
        return "fs:" + self.path("store")

    def store_environment(self):
        return {}

    def deploy(self, application, names=None, **options):
        """Each function in a task root of its own, the linked files in it."""
        add = {name: options.pop(name) for name in ("timeout_s", "environments_max", "concurrency") if name in options}
        variables, runtime = options.pop("variables", {}), options.pop("runtime", [])
        if self.store_name().startswith("fs:"):
            self.unum("store", "create", self.store_name(), code=DONE)
        linked = self.path(f"linked-{uuid.uuid4().hex[:6]}")
        self.unum("link", application, "--out", linked, code=DONE)
        environment = {"UNUM_LAMBDA_PREFIX": PREFIX, "UNUM_STORE": self.store_name(), "UNUM_PYTHON": sys.executable,
                       **self.store_environment(), **variables}
        self.front = FrontDoor(self.logs, environment, **options)
        self.addCleanup(self.front.close)
        folders = self.folders(application)
        bootstrap = self.path("bootstrap")
        if not os.path.exists(bootstrap):
            os.symlink(UNUM, bootstrap)
        for name in read_json(os.path.join(linked, "application.json"))["Functions"]:
            root = self.path(f"task-{uuid.uuid4().hex[:6]}")
            shutil.copytree(folders[name], root)
            os.symlink(linked, os.path.join(root, "unum-linked"))
            self.front.add((names or {}).get(name, PREFIX + name), root, [bootstrap, *runtime], **add)
        return self.front

    def folders(self, application):
        """The code of each function, by its configuration."""
        found = {}
        for folder, _, files in os.walk(application):
            if "unum_config.json" in files:
                found[read_json(os.path.join(folder, "unum_config.json"))["Name"]] = folder
        return found

    def run_to_its_end(self, entry, given, request_id=None, redrives=20):
        """Until nothing is under way, and nothing failed is left. Returns the session."""
        session = self.front.invoke(PREFIX + entry, given, request_id)
        self.front.wait_until_idle()
        for _ in range(redrives):
            if not self.front.redrive():
                break
            self.front.wait_until_idle()
        self.assertEqual([], [event.failures for event in self.front.dead_letters], self.front.logs()[-5000:])
        self.assertEqual([], self.front.problems)
        return session

    def inspect(self, session, application):
        return self.unum("inspect", session, application, "--store", self.store_name(), "--json", code=DONE,
                         **self.store_environment()).json

    def result(self, session, application, given):
        """What the workflow came to, without any step that is run here."""
        state = self.inspect(session, application)
        left = [instance for instance in state["instances"] if instance["state"] not in ("done", "caught")]
        self.assertEqual([], left, self.front.logs()[-5000:])
        before = lines(self.path("calls"))
        result = self.run_json(application, "--session", session, "--input", json.dumps(given), "--store",
                               self.store_name(), "--quiet", UNUM_TEST_LOG=self.path("calls"),
                               **self.store_environment())
        self.assertEqual(before, lines(self.path("calls")), "steps that Lambda had not run")
        return result


class Deliveries(Lambdas):
    def chain(self, **options):
        return self.application({"First": Function(PLUS, scalar("Second")), "Second": Function(PLUS)}, **options)

    def test_an_application_runs_from_its_entry_to_its_result(self):
        application = self.application({"Split": Function(LIST, each("Plus")),
                                        "Plus": Function(PLUS, fan_in("Sum", ["Plus-unumIndex-*"])),
                                        "Sum": Function(SUM)})
        log_calls(application)
        self.deploy(application, variables={"UNUM_TEST_LOG": self.path("calls")})
        session = self.run_to_its_end("Split", 10)
        self.assertEqual(55, self.result(session, application, 10))
        self.assertEqual(12, len(lines(self.path("calls"))))
        self.assertTrue(all(ok for _, ok, _ in self.front.answers), self.front.answers)

    def test_spans_are_sent_before_the_environment_may_be_frozen(self):
        collector = Collector(self)
        application = self.chain()
        self.deploy(application, variables={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
        session = self.run_to_its_end("First", 1)
        self.assertEqual(3, self.result(session, application, 1))
        spans = {attributes(span)["faas.invocation_id"]: span for span in collector.spans()}
        self.assertEqual({"First", "Second"}, set(spans))
        self.assertEqual(spans["First"]["spanId"], spans["Second"]["parentSpanId"])

    def test_cases_6_and_44_every_delivery_of_one_request_is_of_one_session(self):
        application = self.application({"First": Function(KILLS_ITS_ENVIRONMENT, scalar("Second")),
                                        "Second": Function(PLUS)})
        self.deploy(application, variables={"UNUM_TEST_ONCE": self.path("once")})
        session = self.run_to_its_end("First", 1)
        self.assertEqual(2, self.result(session, application, 1))
        self.assertEqual(3, self.front.deliveries)
        self.assertEqual([session], os.listdir(self.path("store")))

    def test_case_7_many_events_at_once_in_one_process_do_not_mix(self):
        count = 1000 if WIDE else 100
        application = self.chain()
        self.deploy(application, concurrency=8, environments_max=1)
        sessions = {self.front.invoke(PREFIX + "First", {"Data": {"Source": "http", "Value": number},
                                                        "Session": f"s{number}"}): number for number in range(count)}
        self.front.wait_until_idle()
        self.assertEqual(count, len(sessions))
        for number in range(0, count, count // 20):
            self.assertEqual(number + 2, self.result(f"s{number}", application, number))
        self.assertEqual(count, len(os.listdir(self.path("store"))))

    def test_case_40_the_payload_of_a_branch_does_not_grow_with_the_map(self):
        application = self.application({"Split": Function(LIST, each("Plus")),
                                        "Plus": Function(PLUS, fan_in("Sum", ["Plus-unumIndex-*"])),
                                        "Sum": Function(SUM)})
        self.deploy(application)
        sizes = {}
        for count in (4, 64):
            before = len(self.front.invokes)
            session = self.run_to_its_end("Split", count)
            self.assertEqual(count * (count + 1) // 2, self.result(session, application, count))
            sizes[count] = max(size for _, _, size in self.front.invokes[before:])
        self.assertLess(sizes[64] - sizes[4], 32, sizes)

    def test_case_46_results_above_the_limit_of_payloads_go_by_reference(self):
        application = self.application({"First": Function(BIG, scalar("Second")), "Second": Function(FIRST_LENGTH)})
        self.deploy(application, variables={"UNUM_LAMBDA_PAYLOAD_BYTES_MAX": "1500"})
        session = self.run_to_its_end("First", 7)
        self.assertEqual(2000, self.result(session, application, 7))
        self.assertLess(max(size for _, _, size in self.front.invokes), 1500)

    def test_case_47_an_event_is_answered_only_when_what_follows_was_accepted(self):
        application = self.chain()
        self.deploy(application)
        refuse = [lambda request, *_: request.refuse(403, "AccessDeniedException", "not allowed")] * 3
        self.front.plan(*refuse)
        session = self.front.invoke(PREFIX + "First", 1)
        self.front.wait_until_idle()
        self.assertEqual([session], [event.request_id for event in self.front.dead_letters])
        for text in self.front.dead_letters[0].failures:
            self.assertIn("Invoke of Second (stack-Second): AccessDeniedException", json.loads(text)["errorMessage"])
        self.assertEqual(1, self.front.redrive())
        self.front.wait_until_idle()
        self.assertEqual(3, self.result(session, application, 1))

    def test_throttling_and_errors_of_the_service_are_waited_out(self):
        application = self.chain()
        self.deploy(application)
        self.front.plan(
            lambda request, *_: request.refuse(429, "TooManyRequestsException", "Rate Exceeded.", Retry_After=1),
            lambda request, *_: request.refuse(502, "EC2ThrottledException", "later"),
            lambda request, *_: request.refuse(409, "ResourceConflictException", "is being changed"),
            lambda request, *_: request.refuse(500, "ServiceException", "unknown"))
        session = self.run_to_its_end("First", 1)
        self.assertEqual(3, self.result(session, application, 1))
        self.assertEqual([True, True], [ok for _, ok, _ in self.front.answers])
        self.assertEqual(5, len(self.front.invokes))

    def test_functions_are_found_by_the_names_that_a_file_gives(self):
        application = self.chain()
        arn = "arn:aws:lambda:us-east-1:123456789012:function:Other_Name:live"
        self.deploy(application, names={"Second": "Other_Name"}, variables={"UNUM_FUNCTION": ""})
        linked = os.path.realpath(os.path.join(self.front.find(PREFIX + "First").root, "unum-linked"))
        with open(os.path.join(linked, "function-arn.yaml"), "w", encoding="utf-8") as file:
            file.write(f"Second: {arn}\n")
        self.front.find("Other_Name").environment["UNUM_FUNCTION"] = "Second"
        session = self.run_to_its_end("First", 1)
        self.assertEqual(3, self.result(session, application, 1))
        self.assertEqual([arn], [name for name, _, _ in self.front.invokes])

    def test_code_that_crashes_each_time_is_given_up_in_one_invocation(self):
        application = self.application({"First": Function(CRASH, ir={"Catch": [
            {"ErrorEquals": ["Unum.WorkerCrashed"], "Next": "Second"}]}), "Second": Function()})
        self.deploy(application)
        session = self.run_to_its_end("First", 1)
        states = {instance["instance"]: instance["state"] for instance in
                  self.inspect(session, application)["instances"]}
        self.assertEqual({"First": "caught", "Second": "done"}, states)
        self.assertEqual(2, self.front.deliveries)

    def test_code_that_takes_all_the_time_is_stopped_before_lambda_stops_everything(self):
        application = self.application({"First": Function(SLEEP, ir={"Catch": [
            {"ErrorEquals": ["States.Timeout"], "Next": "Second"}]}), "Second": Function()})
        self.deploy(application, timeout_s=5)
        session = self.run_to_its_end("First", 1)
        states = {instance["instance"]: instance["state"] for instance in
                  self.inspect(session, application)["instances"]}
        self.assertEqual({"First": "caught", "Second": "done"}, states)
        self.assertEqual([True, True], [ok for _, ok, _ in self.front.answers])

    def test_a_short_delay_of_retry_is_waited_for_in_place(self):
        application = self.application({"First": Function(FAIL_TWICE, ir={"Retry": [
            {"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 1}]})})
        self.deploy(application)
        session = self.run_to_its_end("First", 1)
        self.assertEqual(3, self.result(session, application, 1))

    def test_a_session_is_begun_from_anywhere_and_waited_for(self):
        application = self.chain()
        front = self.deploy(application)
        variables = {**AWS, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                     "AWS_ENDPOINT_URL_LAMBDA": front.url}
        ended = self.unum("invoke", f"lambda:{PREFIX}First", application, "--input", "1", "--store",
                          self.store_name(), "--wait", code=DONE, **variables)
        self.assertEqual("3", ended.out.strip())
        self.refused(MACHINE, "invoke", "lambda:nobody", application, "--input", "1", says="nobody", **variables)

    def test_a_payload_that_is_none_is_a_failure_that_says_so(self):
        self.deploy(self.chain())
        self.front.accept(self.front.find(PREFIX + "Second"), b"not json")
        self.front.wait_until_idle()
        event, = self.front.dead_letters
        self.assertEqual(3, len(event.failures))
        self.assertIn("JSON", json.loads(event.failures[0])["errorMessage"])


class Starts(Lambdas):
    def refused(self, says, **variables):
        """An environment that cannot start says why, and the event comes back."""
        application = self.application({"Only": Function(PLUS)}, f"app-{uuid.uuid4().hex[:4]}")
        self.deploy(application, variables=variables)
        self.front.invoke(PREFIX + "Only", 1)
        self.front.wait_until_idle()
        self.assertEqual(1, len(self.front.dead_letters))
        self.assertIn(says, self.front.inits[0]["errorMessage"])

    def test_what_cannot_start_says_why(self):
        self.refused("UNUM_LAMBDA_DELAY_MAX is \"x\"", UNUM_LAMBDA_DELAY_MAX="x")
        self.refused("Nobody", UNUM_FUNCTION="Nobody")
        self.refused("data store", UNUM_STORE="memory:")
        self.refused("/nowhere", UNUM_STORE="fs:/nowhere")

    def test_sigterm_ends_a_process_that_waits(self):
        self.deploy(self.application({"Only": Function(PLUS)}))
        self.run_to_its_end("Only", 1)
        environment, = self.front.functions[PREFIX + "Only"].environments
        self.assertTrue(environment.extension_waits.wait(20))
        environment.shut_down(signal.SIGTERM)
        self.assertTrue(environment.over.wait(20))
        self.assertEqual(0, environment.process.returncode)

    def test_outside_of_lambda_the_command_says_what_it_is_for(self):
        ended = self.unum("lambda", code=2)
        self.assertIn("AWS_LAMBDA_RUNTIME_API is not set", ended.err)


class Proxied(Lambdas):
    """Amazon's own client for Python, unchanged, behind unum."""

    def runtime(self):
        python = install.python_module("awslambdaric", versions.AWSLAMBDARIC, "awslambdaric")
        return [python, "-m", "awslambdaric", "app.lambda_handler"]

    def test_handlers_see_their_input_and_not_what_was_done_before(self):
        application = self.application({"Split": Function(LIST + LOG_AT_AMAZON, each("Plus")),
                                        "Plus": Function(PLUS + LOG_AT_AMAZON, fan_in("Sum", ["Plus-unumIndex-*"])),
                                        "Sum": Function(SUM + LOG_AT_AMAZON)})
        self.deploy(application, runtime=self.runtime(), variables={"UNUM_TEST_LOG": self.path("calls")})
        session = self.run_to_its_end("Split", 4)
        calls = lines(self.path("calls"))
        self.assertEqual(sorted(["Split", "Sum", *(f"Plus-unumIndex-{index}" for index in range(4))]), sorted(calls))
        self.run_to_its_end("Split", 4, session)
        self.assertEqual(calls, lines(self.path("calls")), "an outcome that was there reached a handler")
        self.assertEqual(10, self.result(session, application, 4))

    def test_failures_of_every_kind_are_those_that_the_workflow_knows(self):
        codes = {"ValueError": "def lambda_handler(event, context):\n    raise ValueError('no')\n",
                 "Runtime.ImportModuleError": "import nothing_of_that_name\n",
                 "Unum.WorkerCrashed": "import os\n\ndef lambda_handler(event, context):\n    os._exit(3)\n"}
        for error, code in codes.items():
            with self.subTest(error=error):
                application = self.application(
                    {"First": Function(code, ir={"Catch": [{"ErrorEquals": [error], "Next": "Second"}]}),
                     "Second": Function()}, error)
                self.deploy(application, runtime=self.runtime())
                session = self.run_to_its_end("First", 1)
                states = {instance["instance"]: instance["state"] for instance in
                          self.inspect(session, application)["instances"]}
                self.assertEqual({"First": "caught", "Second": "done"}, states, self.front.logs()[-3000:])
                self.front.close()


class Kills(Lambdas):
    """Examples while environments are killed and a tenth of the events comes twice: none is lost, none doubled."""

    killed = 0.15
    examples = ("nested-maps", "fold", "exclusive-branch", "retry-and-catch")
    kills_wanted = 300 if WIDE else 8

    def test_examples_come_to_their_results(self):
        cases = [case for case in example_cases() if case[0] in self.examples]
        kills = doubled = number = 0
        while kills < self.kills_wanted:
            name, given, expected = cases[number % len(cases)]
            seed = SEED + number
            number += 1
            with self.subTest(example=name, seed=seed):
                application = self.example(name, f"{name}-{number}")
                log_calls(application)
                front = self.deploy(application, seed=seed, twice=0.1, killed=self.killed,
                                    variables={"UNUM_TEST_LOG": self.path("calls")})
                entry = json.loads(self.unum("link", application, code=DONE).out)["application.json"]["Entry"]
                session = self.run_to_its_end(entry, read_json(given), f"{name}-{seed}")
                self.assertEqual(read_json(expected), self.result(session, application, read_json(given)))
                front.close()
                kills, doubled = kills + front.kills, doubled + front.duplicates
        print(f"lambda kills: {kills} environments killed, {doubled} events twice, {number} runs, seed {SEED}",
              file=sys.stderr)


class KillsOnFs(Kills):
    pass


class OnAStore(OnANetworkStore, Kills):
    kills_wanted = 60 if WIDE else 4

    def store_name(self):
        return self.store.name(self.at)


class KillsOnRedis(OnAStore):
    make_store = RedisStore


class KillsOnDynamoDb(OnAStore):
    make_store = DynamoDbStore


class KillsOnS3(OnAStore):
    make_store = S3Store


del Kills, OnAStore
