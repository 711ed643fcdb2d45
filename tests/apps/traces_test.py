"""Spans of a run, as a collector gets them: OTLP over HTTP as JSON, which is checked field by field."""

import json
import re
import unittest

from collector import Collector, attributes
from harness import DONE, AppTest, Function, each, fan_in

ADD = "def lambda_handler(event, context):\n    return event + 1\n"
SUM = "def lambda_handler(event, context):\n    return sum(event)\n"


class Traces(AppTest):
    def setUp(self):
        super().setUp()
        self.app = self.application({
            "Split": Function(next=each("Add")),
            "Add": Function(ADD, next=fan_in("Sum", ["Add-unumIndex-*"])),
            "Sum": Function(SUM)})

    def run_it(self, collector, **environment):
        return self.unum("run", self.app, "--input", "[1, 2, 3]", code=DONE,
                         OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **environment)

    def check_span(self, span):
        self.assertRegex(span["traceId"], r"^[0-9a-f]{32}$")
        self.assertRegex(span["spanId"], r"^[0-9a-f]{16}$")
        self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
        self.assertIn(span["kind"], (2, 5))
        known = {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
                 "attributes", "links", "status"}
        self.assertEqual(set(), set(span) - known)

    def test_a_run_is_one_trace_of_a_span_for_each_step(self):
        collector = Collector(self)
        self.run_it(collector, OTEL_EXPORTER_OTLP_HEADERS="x-key=a%20b", OTEL_RESOURCE_ATTRIBUTES="team=blue")
        path, headers, sent = collector.requests[0]
        self.assertEqual("/v1/traces", path)
        self.assertEqual("application/json", headers["Content-Type"])
        self.assertEqual("a b", headers["x-key"])
        resource = attributes(json.loads(sent)["resourceSpans"][0]["resource"])
        self.assertEqual("blue", resource["team"])
        self.assertTrue(resource["service.name"])
        spans = {attributes(span)["faas.invocation_id"]: span for span in collector.spans()}
        self.assertEqual({"Split", "Add-unumIndex-0", "Add-unumIndex-1", "Add-unumIndex-2", "Sum"}, set(spans))
        for span in spans.values():
            self.check_span(span)
        self.assertEqual(1, len({span["traceId"] for span in spans.values()}))
        branches = [spans[f"Add-unumIndex-{place}"] for place in range(3)]
        self.assertNotIn("parentSpanId", spans["Split"])
        for branch in branches:
            self.assertEqual(spans["Split"]["spanId"], branch["parentSpanId"])
            self.assertEqual("Add", branch["name"])
        self.assertEqual([branch["spanId"] for branch in branches],
                         [link["spanId"] for link in spans["Sum"]["links"]])
        self.assertIn(spans["Sum"]["parentSpanId"], {branch["spanId"] for branch in branches})

    def test_a_failure_is_a_span_with_its_error(self):
        collector = Collector(self)
        application = self.application({"Only": Function("def lambda_handler(event, context):\n    return 1 / 0\n")},
                                       name="failing")
        self.unum("run", application, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        span, = collector.spans()
        self.assertEqual({"code": 2, "message": "ZeroDivisionError"}, span["status"])
        self.assertEqual("ZeroDivisionError", attributes(span)["error.type"])
        self.assertEqual("failed", attributes(span)["unum.status"])

    def test_spans_are_compressed_and_sent_again_when_the_collector_asks_for_it(self):
        collector = Collector(self, statuses=(503, 429), headers=(("Retry-After", "1"),))
        self.run_it(collector, OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
        self.assertEqual(3, len(collector.requests))
        self.assertEqual(1, len({sent for _, _, sent in collector.requests}))
        self.assertEqual("gzip", collector.requests[0][1]["Content-Encoding"])
        self.assertEqual(15, len(collector.spans()))

    def test_a_collector_that_refuses_or_is_not_there_changes_nothing_of_the_run(self):
        refusing = Collector(self, statuses=(400,) * 9)
        ended = self.run_it(refusing, UNUM_LOG="warn")
        self.assertEqual("9", ended.out.strip())
        self.assertEqual(1, len(refusing.requests))
        self.assertRegex(ended.err, r"5 spans were dropped, and more may be: .* status 400")
        refusing.server.shutdown()
        refusing.server.server_close()
        ended = self.run_it(refusing, OTEL_EXPORTER_OTLP_TIMEOUT="300", UNUM_LOG="warn")
        self.assertEqual("9", ended.out.strip())
        self.assertIn("spans were dropped", ended.err)

    def test_what_a_collector_rejects_is_told(self):
        partly = Collector(self, body='{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}')
        ended = self.run_it(partly, UNUM_LOG="warn")
        self.assertRegex(ended.err, r'the collector rejected "2" spans: "too old"')

    def test_nothing_is_sent_unless_it_is_asked_for(self):
        collector = Collector(self)
        for variables in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"},
                          {"OTEL_TRACES_SAMPLER": "parentbased_always_off"}):
            self.run_it(collector, **variables)
        self.assertEqual([], collector.requests)

    def test_functions_get_their_own_span_as_their_trace_context(self):
        collector = Collector(self)
        application = self.application({"Only": Function(
            "def lambda_handler(event, context):\n    return context.unum_traceparent\n")}, name="telling")
        ended = self.unum("run", application, code=DONE, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        span, = collector.spans()
        told = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", json.loads(ended.out))
        self.assertEqual((span["traceId"], span["spanId"]), told.groups())


if __name__ == "__main__":
    unittest.main()
