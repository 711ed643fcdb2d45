"""The asyncio face: beside other work in the same event loop."""

import asyncio
import gc
import inspect
import json
import os
import unittest

import unum_workflows as unum
from support import FAST, Case, SilentServer, fresh_memory
from unum_workflows import _blocking, aio

CHAIN = {"Name": "F", "Start": True, "Next": {"Name": "G", "InputType": "Scalar"}}


def in_loop(function):
    """Runs a test that is a coroutine, with a loop of the library."""
    def run(self):
        async def body():
            async with aio.Loop() as loop:
                await asyncio.wait_for(function(self, loop), 30)
        asyncio.run(body())
    run.__doc__ = function.__doc__
    return run


async def open_memory(loop):
    name = fresh_memory()
    await loop.create_store("memory", name)
    return await loop.open_store("memory", name)


class Aio(Case):
    @in_loop
    async def test_many_ops_run_together_beside_other_tasks(self, loop):
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1
        task = asyncio.ensure_future(tick())
        for type_, name in self.store_places():
            await loop.create_store(type_, name)
            async with await loop.open_store(type_, name, FAST) as store:
                session = store.create_session_context()
                names = [f"F-unumIndex-{i}" for i in range(300)]
                before = ticks
                written = await asyncio.gather(*(store.write_return_value(session, name, "1") for name in names))
                self.assertTrue(all(written))
                self.assertGreater(ticks, before)
                self.assertTrue(await store.check_values_exist(session, names))
                self.assertEqual([b"1"] * 300, await store.read_input(session, names))
                with self.assertRaises(unum.NotFound):
                    await store.read_input(session, ["Absent"])
                seen = []
                await store.read_input_stream(session, names, lambda place, value: seen.append(place))
                self.assertEqual(list(range(300)), seen)
                op = store.begin.get(session, names[0])
                self.assertEqual([b"1", b"1"], [await op, await op])
        task.cancel()

    @in_loop
    async def test_a_cancelled_task_cancels_its_op(self, loop):
        server = SilentServer()
        self.addCleanup(server.close)
        ops = loop._engine.ops
        task = asyncio.ensure_future(loop.open_store("redis", server.name))
        while not ops:
            await asyncio.sleep(0)
        op = next(iter(ops.values()))
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        with self.assertRaises(unum.Cancelled):
            await op
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(loop.open_store("redis", server.name), 0.02)
        with self.assertRaises(unum.TimedOut):
            await loop.open_store("redis", server.name, timeout=0.02)
        while ops:
            await asyncio.sleep(0)

    @in_loop
    async def test_a_server_in_the_same_event_loop_answers_meanwhile(self, loop):
        store = await open_memory(loop)

        async def serve(reader, writer):
            name = (await reader.readline()).decode().strip()
            written = await store.write_return_value("s", name, "1")
            writer.write(b"created\n" if written else b"there\n")
            await writer.drain()
            writer.close()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def ask(name):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(name.encode() + b"\n")
            answer = await reader.read()
            writer.close()
            return answer
        answers = await asyncio.gather(*(ask(f"F-unumIndex-{i % 20}") for i in range(40)))
        self.assertEqual([20, 20], [answers.count(b"created\n"), answers.count(b"there\n")])
        server.close()
        await store.close()

    @unittest.skipUnless(os.environ.get("UNUM_TEST_AIOHTTP"), "needs UNUM_TEST_AIOHTTP=1 and aiohttp")
    @in_loop
    async def test_an_application_of_aiohttp_uses_the_store_in_its_handlers(self, loop):
        import aiohttp
        from aiohttp import web
        store = await open_memory(loop)

        async def handle(request):
            written = await store.write_return_value("s", request.match_info["name"], await request.read())
            return web.json_response({"created": written.created})
        app = web.Application()
        app.add_routes([web.put("/{name}", handle)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        async with aiohttp.ClientSession() as client:
            async def put(i):
                async with client.put(f"http://127.0.0.1:{port}/F-unumIndex-{i % 20}", data=b"1") as answer:
                    return (await answer.json())["created"]
            self.assertEqual(20, sum(await asyncio.gather(*(put(i) for i in range(40)))))
        await runner.cleanup()
        await store.close()

    @in_loop
    async def test_handlers_and_platforms_are_coroutines_futures_or_functions(self, loop):
        store = await open_memory(loop)
        invoked = []

        async def invoke(given):
            await asyncio.sleep(0)
            invoked.append(given)
        runtime = store.runtime(invoke)
        function = loop.parse_function(CHAIN)

        async def coroutine(event, context):
            await store.put(context.unum_session, "Seen", "1", unum.ItemKind.INPUT)
            return event + 1

        def future(event, context):
            made = asyncio.get_running_loop().create_future()
            made.set_result(event + 1)
            return made

        def thread(event, context):
            import concurrent.futures
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                return pool.submit(lambda: event + 1)
        for number, handler in enumerate((coroutine, future, thread, lambda event, context: event + 1)):
            report = await runtime.step(function, loop.entry_payload("7", f"s{number}"), handler)
            self.assertEqual((unum.StepStatus.SUCCEEDED, 1), (report.status, report.invocations))
        self.assertEqual([8] * 4, [json.loads(given.payload)["Data"]["Value"] for given in invoked])

        async def fail(event, context):
            await asyncio.sleep(0)
            raise ValueError("no")
        report = await runtime.step(function, loop.entry_payload("7", "failing"), fail)
        self.assertEqual("ValueError", report.error)
        await store.close()

    @in_loop
    async def test_a_handler_is_cancelled_with_its_step(self, loop):
        store = await open_memory(loop)
        function = loop.parse_function({"Name": "F", "Start": True})
        begun, ended = asyncio.Event(), asyncio.Event()

        async def handler(event, context):
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
        runtime = store.runtime(lambda given: None)
        task = asyncio.ensure_future(runtime.step(function, loop.entry_payload("1", "s"), handler))
        await begun.wait()
        task.cancel()
        await ended.wait()
        with self.assertRaises(asyncio.CancelledError):
            await task
        await store.close()

    @in_loop
    async def test_a_handler_that_is_cancelled_by_others_is_lost(self, loop):
        store = await open_memory(loop)
        function = loop.parse_function({"Name": "F", "Start": True})

        async def handler(event, context):
            asyncio.current_task().cancel()
            await asyncio.sleep(0)
        with self.assertRaises(unum.Disconnected):
            await store.runtime(lambda given: None).step(function, loop.entry_payload("1", "s"), handler)
        await store.close()

    def test_a_loop_that_is_closed_ends_what_is_awaited(self):
        server = SilentServer()
        self.addCleanup(server.close)

        async def body():
            loop = aio.Loop()
            waiting = asyncio.ensure_future(loop.open_store("redis", server.name))
            await asyncio.sleep(0)
            loop.close()
            with self.assertRaises(unum.Cancelled):
                await waiting
            with self.assertRaises(unum.Bug):
                await loop.create_store("memory", "x")
        asyncio.run(body())

    def test_a_loop_that_outlives_its_event_loop_does_no_harm(self):
        async def body():
            return aio.Loop()
        loop = asyncio.run(body())
        self.assertRaises(RuntimeError, loop._engine.begun)
        loop.close()

    def test_the_faces_do_not_mix(self):
        with unum.Loop() as blocking:
            async def body():
                with self.assertRaises(unum.Bug):
                    await blocking._begin.create_store("memory", "x")
                async with aio.Loop() as loop:
                    with self.assertRaises(unum.Bug):
                        loop._begin.create_store("memory", "x").wait()
            asyncio.run(body())
            self.assertRaises(RuntimeError, aio.Loop)
        gc.collect()

    def test_both_faces_have_the_same_methods(self):
        for name in ("Store", "Runtime", "Application", "Loop"):
            ours, theirs = vars(getattr(_blocking, name)), vars(getattr(aio, name))
            turns = {"fileno", "next_timeout", "dispatch", "run", "wake"} if name == "Loop" else set()
            public = {each for each in ours if not each.startswith("_")} - turns
            self.assertEqual(public, {each for each in theirs if not each.startswith("_")})
            for each in public:
                if callable(ours[each]):
                    self.assertEqual(str(inspect.signature(ours[each])), str(inspect.signature(theirs[each])), each)

    @in_loop
    async def test_an_application_is_run_by_handlers_that_are_coroutines(self, loop):
        async def handler(event, context):
            await asyncio.sleep(0)
            return event + 1
        store = await open_memory(loop)
        template = json.dumps({"Globals": {"ApplicationName": "one"}, "Functions": {
            "F": {"Properties": {"CodeUri": "f/", "Runtime": "python3.11", "Start": True}}}})
        application = loop.parse_application(template, {"F": {"Name": "F"}})
        result = await application.run("1", opened=store, handlers={"F": handler})
        self.assertEqual(2, result.value())
        await store.close()


if __name__ == "__main__":
    unittest.main()
