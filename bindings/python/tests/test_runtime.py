"""Steps in the blocking face: handlers and platforms in Python, answered now or later."""

import collections
import concurrent.futures
import json
import threading
import time
import unittest

import unum_workflows as unum
from support import Case

MAP = [
    {"Name": "Map", "Start": True, "Next": {"Name": "Branch", "InputType": "Map"}},
    {"Name": "Branch", "Next": {"Name": "Sum", "InputType": {"Fan-in": {"Values": ["Branch-unumIndex-*"]}},
                                "Payload Modifiers": ["Pop"]}},
    {"Name": "Sum"},
]


class Steps(Case):
    def setUp(self):
        super().setUp()
        self.loop = self.new_loop()
        self.store = self.open_memory(self.loop)
        self.queue = collections.deque()
        self.runtime = self.new_runtime(lambda given: self.queue.append((given.function, given.payload)))

    def new_runtime(self, invoke, **options):
        return self.store.runtime(invoke, **options)

    def step(self, handler, configuration=None, **options):
        """The report of one step of a function that begins a session."""
        function = self.loop.parse_function(configuration or {"Name": "F", "Start": True})
        session = self.store.create_session_context()
        payload = self.loop.entry_payload(json.dumps({"Value": 7}), session)
        self.assertEqual(unum.Identity(session, function.name), function.identify(payload))
        return self.runtime.step(function, payload, handler, **options)

    def run_map(self, handlers):
        functions = {each["Name"]: self.loop.parse_function(each) for each in MAP}
        self.queue.append(("Map", self.loop.entry_payload("{}", "s")))
        results = []
        while self.queue:
            batch, self.queue = self.queue, collections.deque()
            ops = [self.runtime.begin.step(functions[name], payload, handlers[name]) for name, payload in batch]
            results += [report.result for report in (op.wait() for op in ops) if report.result is not None]
        return results

    def test_a_map_and_its_fan_in_run_by_handlers_that_answer_at_once(self):
        self.runtime = self.new_runtime(lambda given: self.queue.append((given.function, given.payload)))
        handlers = {"Map": lambda event, context: list(range(100)), "Branch": lambda event, context: event * 2,
                    "Sum": lambda event, context: sum(event)}
        self.assertEqual([b"9900"], self.run_map(handlers))

    def test_handlers_and_platforms_answer_later_from_other_threads(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            def later(function):
                return lambda *arguments: pool.submit(function, *arguments)
            self.runtime = self.new_runtime(later(lambda given: self.queue.append((given.function, given.payload))))
            handlers = {"Map": later(lambda event, context: list(range(100))),
                        "Branch": later(lambda event, context: event * 2),
                        "Sum": later(lambda event, context: sum(event))}
            self.assertEqual([b"9900"], self.run_map(handlers))

    def test_a_handler_gets_its_event_and_a_context(self):
        seen = []

        def handler(event, context):
            seen.append((event, context.function_name, context.unum_instance, context.unum_attempt, context.input))
            self.assertEqual(36, len(context.unum_session))
            self.assertEqual(36, len(context.aws_request_id))
            self.assertLessEqual(context.get_remaining_time_in_millis(), 9000)
            return unum.RawJson(b'{"a": 1}')
        report = self.step(handler, {"Name": "F", "Start": True, "TimeoutSeconds": 9})
        self.assertEqual([({"Value": 7}, "F", "F", 1, b'{"Value": 7}')], [
            (event, name, instance, attempt, json.dumps(json.loads(data)).encode())
            for event, name, instance, attempt, data in seen])
        self.assertEqual({"a": 1}, json.loads(report.result))
        self.assertEqual((unum.StepStatus.SUCCEEDED, True, False),
                         (report.status, report.user_code_ran, report.adopted))

    def test_an_exception_is_the_failure_of_the_call_under_its_name(self):
        class TooLate(Exception):
            pass

        def handler(event, context):
            raise TooLate("by \ud800 a day")
        report = self.step(handler)
        self.assertEqual((unum.StepStatus.FAILED, "TooLate"), (report.status, report.error))
        self.assertIn("by ? a day", report.cause)
        self.assertIn("in handler", report.cause)
        self.assertNotIn("_serving.py", report.cause)
        for value in (float("nan"), {1, 2}, object()):
            report = self.step(lambda event, context, value=value: value)
            self.assertEqual("Runtime.MarshalError", report.error)
        self.assertEqual("Runtime.MarshalError", self.step(lambda *_: unum.RawJson(b"{no")).error)

        async def coroutine(event, context):
            return 1
        self.assertEqual("TypeError", self.step(coroutine).error)

    def test_text_of_any_kind_comes_through(self):
        for value in ("\u00e9\U0001f600", "\ud800", "\0", ""):
            self.assertEqual(value, json.loads(self.step(lambda *_, value=value: value).result))

    def test_a_failure_can_be_caught_by_an_edge(self):
        configuration = {"Name": "F", "Start": True, "Catch": [
            {"ErrorEquals": ["KeyError"], "Next": "G"}]}
        report = self.step(lambda event, context: event["absent"], configuration)
        self.assertEqual(unum.StepStatus.CAUGHT, report.status)
        self.assertEqual("G", self.queue[0][0])

    def test_a_failure_is_retried_after_the_delay_that_the_platform_is_told(self):
        given = []
        self.runtime = self.new_runtime(given.append, delay_max=3600)
        configuration = {"Name": "F", "Start": True, "Retry": [{"ErrorEquals": ["KeyError"], "IntervalSeconds": 9}]}
        report = self.step(lambda event, context: event["absent"], configuration)
        self.assertEqual((unum.StepStatus.WILL_RETRY, 1), (report.status, report.attempt))
        self.assertEqual([("F", 2)], [(each.function, each.attempt) for each in given])
        self.assertAlmostEqual(given[0].not_before, report.not_before)
        self.assertAlmostEqual(time.time() + 9, report.not_before, delta=5)

    def test_lost_code_is_delivered_again_and_given_up(self):
        def handler(event, context):
            raise unum.Lost("its process died")
        with self.assertRaises(unum.Disconnected) as caught:
            self.step(handler)
        self.assertEqual(unum.Delivery.BOUNDED, caught.exception.delivery)
        self.assertIn("its process died", caught.exception.message)
        function = self.loop.parse_function('{"Name": "F", "Start": true}', "f.json")
        report = self.runtime.give_up(function, self.loop.entry_payload("1", "s"), "Crashed", "three times", 3)
        self.assertEqual((unum.StepStatus.FAILED, "Crashed", "three times"),
                         (report.status, report.error, report.cause))

    def test_a_platform_that_fails_leaves_the_delivery_to_be_made_again(self):
        chain = {"Name": "F", "Start": True, "Next": {"Name": "G", "InputType": "Scalar"}}

        def refuse(error):
            def invoke(given):
                self.assertEqual(("G", "G", 1, 0), (given.function, given.instance, given.attempt, given.not_before))
                raise error
            return invoke
        self.runtime = self.new_runtime(refuse(OSError("the queue is gone")))
        with self.assertRaises(unum.Disconnected) as caught:
            self.step(lambda event, context: 1, chain)
        self.assertEqual(unum.Delivery.AGAIN, caught.exception.delivery)
        self.assertIn("OSError: the queue is gone", caught.exception.message)
        self.runtime = self.new_runtime(refuse(unum.Denied("not yours", kind=unum.Kind.DENIED)))
        self.assertRaises(unum.Denied, self.step, lambda event, context: 1, chain)

    def test_a_call_that_nobody_waits_for_is_told_and_its_answer_goes_nowhere(self):
        future = concurrent.futures.Future()
        with self.assertRaises(unum.TimedOut) as caught:
            self.step(lambda event, context: future, {"Name": "F", "Start": True, "TimeoutSeconds": 1})
        self.assertEqual("States.Timeout", caught.exception.code)
        self.assertTrue(future.cancelled())
        running = concurrent.futures.Future()
        running.set_running_or_notify_cancel()
        self.assertRaises(unum.TimedOut, self.step, lambda event, context: running, timeout=0.05)
        running.set_result(1)
        self.assertEqual(b"2", self.step(lambda event, context: 2).result)

    def test_an_interrupt_in_a_handler_comes_out_of_the_wait(self):
        def handler(event, context):
            raise KeyboardInterrupt
        self.assertRaises(KeyboardInterrupt, self.step, handler)
        self.assertRaises(SystemExit, self.step, lambda event, context: exit(3))
        self.assertEqual(b"2", self.step(lambda event, context: 2).result)

    def test_handlers_may_wait_and_step_themselves(self):
        function = self.loop.parse_function({"Name": "Inner", "Start": True})

        def handler(event, context):
            self.store.put(context.unum_session, "Seen", "1", unum.ItemKind.INPUT)
            inner = self.runtime.step(function, self.loop.entry_payload("5", "inner"), lambda event, context: event + 1)
            return int(inner.result)
        self.assertEqual(b"6", self.step(handler).result)

    def test_a_loop_may_be_closed_in_a_handler_or_while_one_is_to_answer(self):
        loop = unum.Loop()
        with self.assertRaises(unum.Bug):
            store = self.open_memory(loop)
            runtime = store.runtime(lambda given: None)
            function = loop.parse_function({"Name": "F", "Start": True})
            runtime.step(function, loop.entry_payload("1", "s"), lambda event, context: loop.close())
        future = concurrent.futures.Future()
        with unum.Loop() as second:
            store = self.open_memory(second)
            function = second.parse_function({"Name": "F", "Start": True})
            asked = threading.Event()

            def handler(event, context):
                asked.set()
                return future
            op = store.runtime(lambda given: None).begin.step(function, second.entry_payload("1", "s"), handler)
            while not asked.is_set():
                second.run(1)
        self.assertTrue(future.cancelled())
        self.assertRaises(unum.Bug, op.wait)

    def test_what_is_no_payload_or_function_is_refused(self):
        function = self.loop.parse_function({"Name": "F", "Start": True})
        for payload, attempt in (("{", 1), ("{}", 0)):
            self.assertRaises(unum.Invalid, self.runtime.step, function, payload, lambda *_: 1, attempt)
        self.assertRaises(ValueError, self.runtime.step, function, "{}", lambda *_: 1, -1)
        self.assertRaises(TypeError, self.runtime.step, function, "{}", None)
        self.assertRaises(TypeError, self.store.runtime, None)
        with self.assertRaises(unum.Invalid) as caught:
            self.loop.parse_function('{"Nme": "F"}', "f.json")
        self.assertIn("f.json", caught.exception.message)
        self.assertRaises(unum.Invalid, self.loop.entry_payload, "{", "s")
        function.close()
        self.assertRaises(unum.Bug, self.runtime.step, function, "{}", lambda *_: 1)
        self.runtime.close()
        self.assertRaises(unum.Bug, self.runtime.step, function, "{}", lambda *_: 1)


if __name__ == "__main__":
    unittest.main()
