"""`unum serve`: what requests are answered with, the platforms' own forms, and whole applications on several servers
behind a platform that delivers at least once.
"""

import json
import os
import re
import signal
import socket
import threading
import unittest
import uuid

from collector import Collector, attributes
from harness import DONE, SOURCE, USAGE, AppTest, Function, each, fan_in, read_json, scalar
from http_front import Front, Server, unix_post, wide
from network_stores import OnANetworkStore, RedisStore

PLUS = "def lambda_handler(event, context):\n    return event + 1\n"
RAISE = "def lambda_handler(event, context):\n    raise ValueError('not today')\n"
CRASH = "import os\n\ndef lambda_handler(event, context):\n    os.kill(os.getpid(), 9)\n"
# Says that it runs, and returns when it is told to.
HELD = """import os

def lambda_handler(event, context):
    with open(os.environ["UNUM_TEST_EVENTS"], "w") as events:
        events.write("running\\n")
    with open(os.environ["UNUM_TEST_GO"]) as go:
        go.read()
    return event
"""


def payload(value, session="s"):
    return {"Data": {"Source": "http", "Value": value}, "Session": session}


class Serving(AppTest):
    def server(self, *arguments, **environment):
        return Server(self, *arguments, **environment)

    def only(self, code, **settings):
        return self.application({"Only": Function(code, **settings)})


class Answers(Serving):
    """The status is what a platform's retries go by."""

    def test_a_step_that_ended_is_200_whatever_it_ended_in(self):
        server = self.server(self.only(PLUS), "--function", "Only")
        status, told = server.post("/", payload(1))
        self.assertEqual((200, {"status": "succeeded", "function": "Only", "session": "s", "instance": "Only",
                                "attempt": 1, "invocations": 0, "result": 2}), (status, told))
        status, told = server.post("/Only", payload("x", "t"))
        self.assertEqual((200, "failed", "TypeError"), (status, told["status"], told["error"]))

    def test_what_would_never_be_taken_is_400(self):
        server = self.server(self.only(PLUS))
        self.assertEqual("failed", server.post("/Only", "")[1]["status"], "an entry's event may be left out")
        for body, says in (("{", "JSON"), (b"\xff", "JSON"), ({**payload(1), "Fan-out": 1}, "Fan-out")):
            with self.subTest(body=body):
                status, told = server.post("/Only", body)
                self.assertEqual((400, "refused"), (status, told["status"]), told)
                self.assertIn(says, told["cause"])
        server.post("/Only", payload(1))
        status, told = server.post("/Only", payload(2))
        self.assertEqual((400, "Unum.OtherInput"), (status, told["error"]))

    def test_a_store_that_refuses_is_500_with_the_time_to_come_again(self):
        self.unum("store", "create", "fs:" + self.path("store"), code=DONE)
        server = self.server(self.only(PLUS), "--store", "fs:" + self.path("store"))
        with open(self.path("store", "s"), "w", encoding="utf-8"):  # where the session's directory would be
            pass
        status, headers, text = server.request("POST", "/Only", json.dumps(payload(1)))
        self.assertEqual((500, "1", "again"), (status, headers["Retry-After"], json.loads(text)["status"]), text)
        os.remove(self.path("store", "s"))
        self.assertEqual(200, server.post("/Only", payload(1))[0])

    def test_code_that_crashes_three_times_has_failed_and_is_acknowledged(self):
        catch = [{"ErrorEquals": ["Unum.WorkerCrashed"], "Next": "After"}]
        application = self.application({"Only": Function(CRASH, ir={"Catch": catch}), "After": Function()})
        front = Front()
        self.addCleanup(front.close)
        server = self.server(application, "--invoke-url", front.url)
        front.servers = {"Only": [server], "After": [server]}
        result = front.run("Only", 1, "s")
        self.assertEqual("Unum.WorkerCrashed", result["Error"])
        metrics = server.request("GET", "/metrics")[2]
        self.assertIn('unum_steps_total{function="Only",status="caught"} 1\n', metrics)
        self.assertIn('unum_invocations_total{outcome="accepted"} 1\n', metrics)

    def test_spans_are_sent_at_the_end_at_the_latest(self):
        collector = Collector(self)
        server = self.server(self.only(PLUS), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        server.post("/Only", payload(1))
        server.stop()
        span, = collector.spans()
        self.assertEqual(("Only", "s"), (attributes(span)["faas.invocation_id"], attributes(span)["unum.session"]))

    def test_places_and_methods_that_there_are_not(self):
        server = self.server(self.only(PLUS))
        self.assertEqual(404, server.request("POST", "/None", "1")[0])
        self.assertEqual(404, server.request("POST", "/", "1")[0])
        status, headers, _ = server.request("PUT", "/Only", "1")
        self.assertEqual((405, "GET, HEAD, POST"), (status, headers["Allow"]))
        self.assertEqual(405, server.request("GET", "/Only")[0])
        for path in ("/", "/_/health", "/_/ready"):
            self.assertEqual(200, server.request("GET", path)[0])

    def test_a_body_that_is_too_long_is_413(self):
        server = self.server(self.only(PLUS), "--body-bytes-max", "1000")
        self.assertEqual(413, server.request("POST", "/Only", '"' + 2000 * "x" + '"')[0])

    def held(self, *options):
        events, go = self.events(), self.path("go")
        os.mkfifo(go)
        server = self.server(self.only(HELD), "--concurrency", "1", *options, UNUM_TEST_EVENTS=events.path,
                             UNUM_TEST_GO=go)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(server.post("/Only", payload(1))))
        thread.start()
        self.addCleanup(thread.join)
        self.assertEqual("running", events.next())

        def release():
            with open(go, "w", encoding="utf-8"):
                pass

        return server, release, thread, answers

    def test_a_delivery_beyond_those_that_may_run_is_429_and_so_is_ready(self):
        server, release, thread, answers = self.held()
        status, headers, _ = server.request("POST", "/Only", json.dumps(payload(1, "t")))
        self.assertEqual((429, "1"), (status, headers["Retry-After"]))
        self.assertEqual(429, server.request("GET", "/_/ready")[0])
        self.assertEqual(200, server.request("GET", "/_/health")[0])
        metrics = server.request("GET", "/metrics")[2]
        self.assertIn("unum_steps_in_flight 1\n", metrics)
        self.assertIn("unum_deliveries_turned_away_total 1\n", metrics)
        release()
        thread.join()
        self.assertEqual(200, answers[0][0])
        self.assertEqual(200, server.request("GET", "/_/ready")[0])

    def test_sigterm_lets_what_runs_end_and_answers_it(self):
        server, release, thread, answers = self.held("--grace", "60")
        server.command.send(signal.SIGTERM)
        while not any("taking nothing more" in line for line in server.said):
            threading.Event().wait(0.01)
        release()
        thread.join()
        self.assertEqual((200, 1), (answers[0][0], answers[0][1]["result"]))
        self.assertEqual(0, server.command.process.wait(60))
        self.assertEqual([], server.command.wait_for_no_process())

    def test_what_does_not_end_within_the_grace_is_not_acknowledged(self):
        server, _, thread, answers = self.held("--grace", "0.1")
        self.assertEqual(0, server.stop())
        thread.join()
        self.assertEqual(503, answers[0][0])
        self.assertEqual([], server.command.wait_for_no_process())


class Events(Serving):
    """Sessions of entries: a retry of one event is the same session (case 6)."""

    def test_case_6_a_cloud_event_begins_one_session_however_often_it_comes(self):
        server = self.server(self.only(PLUS))
        event = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/a", "ce_type": "t"}
        first = server.post("/Only", 1, **event)[1]
        self.assertEqual(2, first["result"])
        self.assertEqual(first, server.post("/Only", 1, **event)[1])
        structured = {"specversion": "1.0", "id": "1", "source": "/a", "type": "t", "data": 1}
        kind = {"Content_Type": "application/cloudevents+json; charset=utf-8"}
        self.assertEqual(first, server.post("/Only", structured, **kind)[1])
        encoded = {**structured, "data_base64": "MQ=="}
        del encoded["data"]
        self.assertEqual(first, server.post("/Only", encoded, **kind)[1])
        for other in ({"ce_id": "2"}, {"ce_source": "/b"}):
            self.assertNotEqual(first["session"], server.post("/Only", 1, **{**event, **other})[1]["session"])

    def test_case_44_a_request_with_a_key_is_one_session_and_one_without_is_a_new_one(self):
        server = self.server(self.only(PLUS))
        keyed = [server.post("/Only", 1, Idempotency_Key="k")[1]["session"] for _ in range(2)]
        self.assertEqual(keyed[0], keyed[1])
        fresh = {server.post("/Only", 1)[1]["session"] for _ in range(2)}
        self.assertEqual(2, len(fresh | {keyed[0]}) - 1)

    def test_an_event_without_what_it_must_have_is_refused_by_its_name(self):
        server = self.server(self.only(PLUS))
        kind = {"Content_Type": "application/cloudevents+json"}
        whole = {"specversion": "1.0", "id": "1", "source": "/a", "type": "t", "data": 1}
        for name in ("specversion", "id", "source", "type"):
            status, told = server.post("/Only", {key: value for key, value in whole.items() if key != name}, **kind)
            self.assertEqual(400, status)
            self.assertIn(name, told["cause"])
        for body, says in (([], "object"), ({**whole, "specversion": "0.3"}, "0.3"),
                           ({**whole, "id": 7}, "id"), ):
            status, told = server.post("/Only", body, **kind)
            self.assertEqual(400, status)
            self.assertIn(says, told["cause"])
        status, told = server.post("/Only", 1, ce_specversion="1.0", ce_id="1", ce_source="/a")
        self.assertEqual(400, status)
        self.assertIn("ce-type", told["cause"])
        status, told = server.post("/Only", [whole], Content_Type="application/cloudevents-batch+json")
        self.assertEqual(400, status)


class Platforms(Serving):
    def test_azure_wraps_events_and_answers(self):
        server = self.server(self.only(PLUS), FUNCTIONS_CUSTOMHANDLER_PORT=str(free_port()))
        queued = {"Data": {"item": json.dumps(payload(1))}, "Metadata": {"sys": {}}}
        status, told = server.post("/Only", queued)
        self.assertEqual((200, 2, {}), (status, told["ReturnValue"]["result"], told["Outputs"]))
        called = {"Data": {"req": {"Url": "http://x/api", "Method": "POST", "Body": json.dumps(payload(2, "t"))}},
                  "Metadata": {}}
        self.assertEqual(3, server.post("/Only", called)[1]["ReturnValue"]["result"])
        # As the host forwards a request.
        self.assertEqual(4, server.post("/Only", payload(3, "u"))[1]["ReturnValue"]["result"])
        status, told = server.post("/Only", {"Data": {"item": json.dumps(payload(9))}, "Metadata": {}})
        self.assertEqual((400, "refused"), (status, told["ReturnValue"]["status"]))

    def test_fn_calls_over_a_unix_socket(self):
        path = self.path("lsnr.sock")
        application = self.application({"Only": Function(PLUS)})
        command = self.start("serve", application, "--function", "Only", FN_LISTENER="unix:" + path)
        while b" at once" not in command.process.stderr.readline():
            pass
        self.assertEqual(0o666, os.stat(path).st_mode & 0o777)
        calls = {}
        for name, body in (("first", "1"), ("again", "1"), ("bad", "{")):
            calls[name] = unix_post(path, "/call", body, {"Fn-Call-Id": "c1", "Fn-Deadline": "2100-01-01T00:00:00Z"})
        self.assertEqual(200, calls["first"][0])
        self.assertEqual(2, json.loads(calls["first"][1])["result"])
        self.assertEqual(calls["first"], calls["again"])
        self.assertEqual((502, "400"), (calls["bad"][0], calls["bad"][2]["Fn-Http-Status"]))
        late = unix_post(path, "/call", "1", {"Fn-Call-Id": "c2", "Fn-Deadline": "2001-01-01T00:00:00Z"})
        self.assertEqual(502, late[0])
        command.send(signal.SIGTERM)
        self.assertEqual(0, command.process.wait(60))
        self.assertFalse(os.path.exists(path))

    def test_port_comes_from_the_environment_and_then_all_addresses_are_listened_on(self):
        port = free_port()
        command = self.start("serve", self.only(PLUS), PORT=str(port), K_SERVICE="only")
        while b" at once" not in (line := command.process.stderr.readline()):
            pass
        self.assertIn(f"at http://0.0.0.0:{port},".encode(), line)

    def test_it_says_what_it_relies_on(self):
        application = self.application({"First": Function(PLUS, scalar("Second")), "Second": Function(PLUS)})
        for options, says in ((["--invoke", "openfaas:http://gateway:8080"], "community edition"),
                              (["--invoke", "knative:http://broker/ns/default"], "deadLetterSink"),
                              (["--invoke-url", "http://x/{name}"], "Where nobody does")):
            server = self.server(application, *options)
            server.stop()
            self.assertIn(says, "\n".join(server.said))

    def test_wrong_command_lines_are_refused(self):
        application = self.application({"First": Function(PLUS, scalar("Second")), "Second": Function(PLUS)})
        for options, says in (([], "say where with --invoke"),
                              (["--function", "Secnd"], 'did you mean "Second"?'),
                              (["--invoke", "sqs:x"], "openfaas:URL"),
                              (["--invoke", "openfaas:ftp://x"], "http://HOST:PORT"),
                              (["--invoke-url", "http://x/"], "{function}"),
                              (["--invoke-url", "http://x/{fn}"], "{name}"),
                              (["--invoke-url", "http://u:swordfish@x/{name}"], "without a user"),
                              (["--invoke", "knative:http://x", "--invoke-url", "http://x/{name}"], "excludes"),
                              (["--port", "65536"], "--port"),
                              (["--port", "1", "--socket", "x"], "excludes"),
                              (["--function", "Second", "--store", "memory"], "memory"),
                              (["--code", application], "--linked")):
            with self.subTest(options=options):
                ended = self.unum("serve", application, *options)
                self.expect_refusal(ended, USAGE, says)
                self.assertNotIn("swordfish", ended.err)
        for variables, says in (({"PORT": "http"}, "PORT"), ({"FN_LISTENER": "tcp:1"}, "FN_LISTENER"),
                                ({"FN_LISTENER": "unix:/x"}, "--function")):
            ended = self.unum("serve", self.only_named(), **variables)
            self.expect_refusal(ended, USAGE, says)

    def only_named(self):
        if not os.path.exists(self.path("named")):
            self.application({"Only": Function(PLUS)}, "named")
        return self.path("named")

    def test_a_retry_that_asks_for_a_longer_pause_than_may_be_held_is_refused(self):
        retry = [{"ErrorEquals": ["ValueError"], "IntervalSeconds": 60, "MaxAttempts": 1}]
        application = self.only(RAISE, ir={"Retry": retry})
        ended = self.unum("serve", application, "--invoke-url", "http://127.0.0.1:1/{name}")
        self.expect_refusal(ended, USAGE, ["Only", "60"])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Door(Serving):
    """The library over a unix socket; every request and answer is as docs/hosts/http.openapi.yaml says."""

    def setUp(self):
        super().setUp()
        self.described = read_json(os.path.join(SOURCE, "docs", "hosts", "http.openapi.yaml"))  # JSON is YAML
        functions = {"First": Function("def lambda_handler(event, context):\n    return [event, event]\n",
                                       each("Second")),
                     "Second": Function(PLUS, fan_in("Third", ["Second-unumIndex-*"])), "Third": Function(),
                     "Crash": Function(CRASH)}
        self.socket = self.path("door")
        self.server = self.server(self.application(functions), "--socket", self.socket)
        self.called = set()

    def call(self, name, given, code=200):
        described = self.described["paths"]["/v1/" + name]["post"]
        if code != 400:
            self.expect_form(given, described["requestBody"]["content"]["application/json"]["schema"], name)
        status, text, _ = unix_post(self.socket, "/v1/" + name, json.dumps(given), {})
        self.assertEqual(code, status, text)
        answer = json.loads(text)
        self.expect_form(answer, described["responses"][str(status)]["content"]["application/json"]["schema"], name)
        self.called.add(name)
        return answer

    def expect_form(self, value, schema, where):
        """What of JSON Schema the file uses."""
        if "$ref" in schema:
            schema = self.described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
        if "type" in schema:
            self.assertIsInstance(value, kinds[schema["type"]], where)
        if "enum" in schema:
            self.assertIn(value, schema["enum"], where)
        if "minimum" in schema:
            self.assertGreaterEqual(value, schema["minimum"], where)
        for name in schema.get("required", ()):
            self.assertIn(name, value, where)
        for element in value if "items" in schema else ():
            self.expect_form(element, schema["items"], where + "[]")
        for name, member in value.items() if "properties" in schema else ():
            self.assertIn(name, schema["properties"], where)
            self.expect_form(member, schema["properties"][name], where + "." + name)

    def test_a_platform_runs_a_workflow_with_every_call(self):
        session = self.call("create-session-context", {})["session"]
        queue, results = [{"function": "First", "payload": payload(1, session)}], []
        while queue:
            message = queue.pop(0)
            asked = {"function": message["function"], "payload": message["payload"]}
            answer = self.call("step", asked)
            again = self.call("step", {**asked, "attempt": 2})
            self.assertEqual(answer["invocations"], again["invocations"], "another delivery says the same")
            queue += answer["invocations"]
            if "result" in answer["report"]:
                results.append(answer["report"]["result"])
        self.assertEqual([2, 2], results[-1])
        instances = ["Second-unumIndex-0", "Second-unumIndex-1"]
        self.assertEqual({"values": [2, 2]}, self.call("read-input", {"session": session, "instances": instances}))
        self.assertTrue(self.call("check-values-exist", {"session": session, "instances": instances})["exist"])
        self.assertFalse(self.call("check-value-exist", {"session": session, "instance": "None"})["exists"])
        missing = self.call("read-input", {"session": session, "instances": ["None"]}, 404)
        self.assertIn("None", missing["cause"])
        value = {"session": session, "instance": "Mine", "value": {"a": 1.50}}
        self.assertEqual({"written": True}, self.call("write-return-value", value))
        self.assertEqual({"written": False, "stored": {"a": 1.5}}, self.call("write-return-value", value))
        ran = self.call("run", {"input": 1, "session": "r" + session})
        self.assertEqual(("succeeded", [2, 2], []), (ran["status"], ran["result"], ran["failures"]))
        failed = self.call("run", {"input": "x"})
        self.assertEqual(("failed", "TypeError"), (failed["status"], failed["failures"][0]["error"]))
        crashed = {"function": "Crash", "payload": payload(1, session)}
        self.assertEqual("bounded", self.call("step", crashed, 500)["delivery"])
        ended = self.call("give-up", {**crashed, "error": "Unum.WorkerCrashed", "cause": "it crashed", "attempt": 3})
        self.assertEqual(("failed", "Unum.WorkerCrashed"), (ended["report"]["status"], ended["report"]["error"]))
        self.assertEqual({path[len("/v1/"):] for path in self.described["paths"]}, self.called)

    def test_what_is_wrong_with_a_request_is_named(self):
        for name, given, says in (("step", [], "object"), ("step", {}, "function"),
                                  ("step", {"function": "None", "payload": {}}, "None"),
                                  ("step", {"function": "First", "payload": 1}, "Session"),
                                  ("step", {"function": "First", "payload": payload(1), "attempt": 0}, "attempt"),
                                  ("read-input", {"session": "s", "instances": [1]}, "instances"),
                                  ("write-return-value", {"session": "", "instance": "a", "value": 1}, "session")):
            with self.subTest(call=name, given=given):
                told = self.call(name, given, 400)
                self.assertEqual("final", told["delivery"])
                self.assertIn(says, told["cause"])
        self.assertEqual(404, unix_post(self.socket, "/v1/none", "{}", {})[0])
        self.assertEqual(0o600, os.stat(self.socket).st_mode & 0o777)


class Applications(Serving):
    """Whole applications, each function on servers of its own."""

    def setUp(self):
        super().setUp()
        self.session = uuid.uuid4().hex

    def store_options(self):
        return ["--store", "fs:" + self.path("store")]

    def store_environment(self):
        return {}

    def run_on(self, front, functions, entry, given, session, *options, copies=1, name="app"):
        """The result; the functions are spread over servers."""
        application = self.application(functions, name)
        self.addCleanup(front.close)
        for function in functions:
            front.servers[function] = [
                self.server(application, "--function", function, "--invoke-url", front.url, "--concurrency", "2",
                            *self.store_options(), *options, **self.store_environment()) for _ in range(copies)]
        return front.run(entry, given, session)

    def map_and_fan_in(self):
        many = "def lambda_handler(event, context):\n    return list(range(event))\n"
        total = "def lambda_handler(event, context):\n    return sum(event)\n"
        return {"Fork": Function(many, each("Branch")), "Branch": Function(PLUS, fan_in("Sum", ["Branch-unumIndex-*"])),
                "Sum": Function(total)}

    def test_a_map_and_its_fan_in_on_three_servers(self):
        front = Front()
        self.assertEqual(820, self.run_on(front, self.map_and_fan_in(), "Fork", 40, self.session))
        self.assertEqual((42, 42), (front.accepted, front.delivered), "of those that were taken")

    def test_case_47_nothing_is_lost_and_nothing_doubled_by_duplicates_kills_and_lost_answers(self):
        rounds = 30 if wide() else 1
        kills = 0
        for number in range(rounds):
            front = Front(seed=number, twice=0.2, lost=0.1, killed=0.1, drops=True)
            session = f"{self.session}-{number}"
            result = self.run_on(front, self.map_and_fan_in(), "Fork", 20, session, name=f"app-{number}")
            self.assertEqual(210, result)
            kills += front.kills
            self.end_everything()
            self.commands.clear()
        print(f"{rounds} workflows, {kills} servers killed, none lost, none doubled")

    def test_case_7_workflows_at_once_on_one_server_do_not_mix(self):
        count = 1000 if wide() else 60
        application = self.application({"Only": Function(PLUS)})
        server = self.server(application, "--concurrency", "8", *self.store_options(), **self.store_environment())
        told = {}

        def ask(numbers):
            for number in numbers:
                told[number] = server.post("/Only", payload(number, f"{self.session}-{number}"))

        threads = [threading.Thread(target=ask, args=(range(i, count, 8),)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(count):
            status, answer = told[number]
            self.assertEqual((200, number + 1), (status, answer["result"]))
            self.assertEqual(f"{self.session}-{number}", answer["session"])

    def test_case_40_a_branch_s_payload_does_not_grow_with_the_map(self):
        sizes = []
        for count in (10, 100):
            front = Front()
            self.assertEqual(count * (count + 1) // 2,
                             self.run_on(front, self.map_and_fan_in(), "Fork", count, f"{self.session}-{count}",
                                         name=f"app-{count}"))
            sizes.append(front.largest)
            self.end_everything()
            self.commands.clear()
        self.assertLess(sizes[1], sizes[0] + 20)

    def test_case_46_a_result_above_what_is_sent_goes_by_reference(self):
        large = "def lambda_handler(event, context):\n    return 'x' * 3000000\n"
        length = "def lambda_handler(event, context):\n    return len(event)\n"
        front = Front()
        functions = {"First": Function(large, scalar("Second")), "Second": Function(length)}
        self.assertEqual(3000000, self.run_on(front, functions, "First", 1, self.session))
        self.assertLess(front.largest, 1000)

    def test_a_session_that_is_begun_from_outside_is_waited_for_in_the_store(self):
        front = Front()
        self.run_on(front, self.map_and_fan_in(), "Fork", 2, self.session)
        invoke = ["invoke", front.url, self.path("app"), "--input", "3", "--wait", *self.store_options()]
        ended = self.unum(*invoke, code=DONE, **self.store_environment())
        self.assertEqual("6\n", ended.out)
        ended = self.unum("invoke", "knative:ftp://x", self.path("app"), code=USAGE)
        self.assertIn("http://HOST:PORT", ended.err)

    def test_an_attempt_that_is_to_come_waits_within_its_delivery(self):
        busy = ("class Busy(Exception):\n    pass\n\ndef lambda_handler(event, context):\n"
                "    if context.unum_attempt < 3:\n        raise Busy()\n    return context.unum_attempt\n")
        retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "BackoffRate": 1.0}]
        front = Front()
        functions = {"Only": Function(busy, ir={"Retry": retry})}
        self.assertEqual(3, self.run_on(front, functions, "Only", 1, self.session, "--delay-max", "60"))

    def test_an_invocation_that_is_not_accepted_leaves_its_delivery_unacknowledged(self):
        functions = {"First": Function(PLUS, scalar("Second")), "Second": Function(PLUS)}
        application = self.application(functions)
        server = self.server(application, "--invoke-timeout", "0.2", "--invoke-url",
                             f"http://127.0.0.1:{free_port()}/{{function}}", *self.store_options(),
                             **self.store_environment())
        status, told = server.post("/First", payload(1, self.session))
        self.assertEqual((500, "again"), (status, told["status"]))
        metrics = server.request("GET", "/metrics")[2]
        self.assertIn('unum_invocations_total{outcome="not_accepted"} 1\n', metrics)
        self.assertTrue(int(re.search(r"unum_invocation_retries_total (\d+)", metrics).group(1)) > 0)


class ApplicationsOnFs(Applications):
    def setUp(self):
        super().setUp()
        self.unum("store", "create", "fs:" + self.path("store"), code=DONE)


class ApplicationsOnRedis(OnANetworkStore, Applications):
    make_store = RedisStore


if __name__ == "__main__":
    unittest.main()
