"""Whole applications: checked, asked for their functions, and run with functions in worker processes."""

import asyncio
import json
import os
import unittest

import unum_workflows as unum
from support import Case
from test_runtime import MAP
from unum_workflows import aio

HANDLER = """
def lambda_handler(event, context):
    print("squaring")
    return event * event
"""


class Applications(Case):
    def make(self, handler=HANDLER, **template):
        """The directory of an application of one function."""
        directory = os.path.join(self.directory, "application")
        os.makedirs(os.path.join(directory, "f"))
        function = {"Properties": {"CodeUri": "f/", "Runtime": "python3.11", "Start": True}}
        given = {"Globals": {"ApplicationName": "squares"}, "Functions": {"F": function}, **template}
        for name, text in (("unum-template.yaml", json.dumps(given)), ("f/unum_config.json", '{"Name": "F"}'),
                           ("f/app.py", handler)):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(text)
        return directory

    def test_an_application_is_loaded_with_its_linked_functions(self):
        loop = self.new_loop()
        application = loop.load_application(self.make())
        self.assertEqual(("squares", "F", []), (application.name, application.entry, application.findings))
        functions = application.functions()
        self.assertEqual(["F"], list(functions))
        store = self.open_memory(loop)
        runtime = store.runtime(lambda given: None, application=application)
        report = runtime.step(functions["F"], loop.entry_payload("3", "s"), lambda event, context: event ** 3)
        self.assertEqual(b"27", report.result)
        application.close()
        self.assertRaises(unum.Bug, application.run)

    def test_an_application_that_is_refused_says_why(self):
        loop = self.new_loop()
        with self.assertRaises(unum.Refused) as caught:
            loop.load_application(self.make(Functions={"F": {"Properties": {"CodeUri": "no/"}}}))
        self.assertIsInstance(caught.exception, unum.Invalid)
        self.assertIn("error", {finding.severity for finding in caught.exception.findings})
        self.assertIn("unum-template.yaml", {finding.file for finding in caught.exception.findings})
        self.assertRaises(unum.Invalid, loop.load_application, os.path.join(self.directory, "nowhere"))

    def test_an_application_runs_in_worker_processes(self):
        loop = self.new_loop()
        application = loop.load_application(self.make())
        lines = []
        options = {"session": "s", "store": f"fs:{self.directory}/store",
                   "printed": lambda instance, line: lines.append((instance, line))}
        loop.create_store("fs", f"{self.directory}/store")
        result = application.run("12", **options)
        self.assertEqual((unum.RunStatus.SUCCEEDED, 144, [], 1),
                         (result.status, result.value(), result.failures, result.user_code_runs))
        self.assertEqual([("F", "squaring")], lines)
        again = application.run("12", **options)
        self.assertEqual((144, 0), (again.value(), again.user_code_runs))

    def test_an_application_in_memory_runs_by_handlers_of_the_program(self):
        loop = self.new_loop()
        store = self.open_memory(loop)
        template = json.dumps({"Globals": {"ApplicationName": "sums"}, "Functions": {
            each["Name"]: {"Properties": {"CodeUri": each["Name"].lower() + "/", "Runtime": "python3.11",
                                          "Start": each["Name"] == "Map"}} for each in MAP}})
        application = loop.parse_application(template, {each["Name"]: each for each in MAP})
        linked = application.functions()
        self.assertEqual("Branch", json.loads(linked["Branch"].configuration())["Name"])
        handlers = {"Map": lambda event, context: list(range(event)), "Branch": lambda event, context: 2 * event,
                    "Sum": lambda event, context: sum(event)}
        result = application.run("100", opened=store, handlers=handlers)
        self.assertEqual((unum.RunStatus.SUCCEEDED, 9900, 102), (result.status, result.value(), result.instances))
        self.assertEqual([result.session], store.list_sessions())
        self.assertEqual(({}, {}), (loop._engine.codes, loop._engine.listeners))

        def fail(event, context):
            raise KeyError(event)
        failed = application.run("2", opened=store, handlers={**handlers, "Sum": fail})
        self.assertEqual([("Sum", "KeyError")], [(each.instance, each.error) for each in failed.failures])
        self.assertRaises(TypeError, application.run, "1", handlers={"Map": None})
        self.assertRaises(unum.Refused, loop.parse_application, template, {"Map": MAP[0]})
        with unum.Loop() as other:
            self.assertRaises(unum.Bug, application.run, "1", opened=self.open_memory(other))

    def test_a_workflow_that_fails_is_a_result_with_its_failures(self):
        loop = self.new_loop()
        application = loop.load_application(self.make("def lambda_handler(event, context):\n    raise KeyError('k')\n"))
        result = application.run("1", workers=1)
        self.assertEqual((unum.RunStatus.FAILED, None), (result.status, result.value()))
        self.assertEqual([("F", "KeyError")], [(failure.instance, failure.error) for failure in result.failures])
        self.assertRaises(ValueError, application.run, "1", workers=-1)

    def test_an_application_runs_on_asyncio_and_is_interrupted_with_its_task(self):
        directory = self.make("import time\ndef lambda_handler(event, context):\n"
                              "    print('begun', flush=True)\n    time.sleep(60 * event)\n    return 1\n")

        async def body():
            async with aio.Loop() as loop:
                application = loop.load_application(directory)
                result = await application.run("0", store=f"fs:{self.directory}/store")
                self.assertEqual(1, result.value())
                begun = asyncio.Event()
                task = asyncio.ensure_future(application.run("1", printed=lambda instance, line: begun.set()))
                await begun.wait()
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
        with unum.Loop() as loop:
            loop.create_store("fs", f"{self.directory}/store")
        asyncio.run(body())


if __name__ == "__main__":
    unittest.main()
