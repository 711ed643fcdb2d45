"""Ops and loops: ends, signals, threads, processes, finalizers."""

import gc
import os
import select
import signal
import subprocess
import sys
import threading
import unittest
import warnings

import unum_workflows as unum
from support import Case, fresh_memory, timed
from unum_workflows._engine import _orphans


def descriptors():
    return len(os.listdir("/proc/self/fd"))


class Ops(Case):
    def setUp(self):
        super().setUp()
        self.loop = self.new_loop()

    def never(self, loop=None):
        """An op that never ends by itself."""
        return (loop or self.loop)._begin.open_store("redis", self.silent_server().name)

    def test_an_op_ends_in_a_turn_and_gives_its_result_each_time(self):
        op = self.loop._begin.create_store("memory", fresh_memory())
        self.assertFalse(op.done())
        self.assertRaises(unum.Bug, op.result)
        self.loop.dispatch()
        self.assertTrue(op.done())
        self.assertEqual([True, True], [op.result(), op.wait()])
        op.cancel()
        self.assertTrue(op.result())

    def test_an_op_that_is_cancelled_ends_as_cancelled(self):
        op = self.never()
        with self.assertRaises(TimeoutError):
            op.wait(timeout=0.02)
        self.assertFalse(op.done())
        op.cancel()
        self.assertRaises(unum.Cancelled, op.wait)

    def test_an_op_ends_when_its_time_is_up(self):
        with timed() as seconds, self.assertRaises(unum.TimedOut) as caught:
            self.loop.open_store("redis", self.silent_server().name, timeout=0.05)
        self.assertGreater(seconds(), 0.04)
        self.assertIsInstance(caught.exception, TimeoutError)

    def test_an_op_that_is_dropped_is_cancelled_and_nothing_is_left(self):
        before = descriptors()
        op = self.never()
        self.loop.dispatch()
        self.assertGreater(descriptors(), before)
        del op
        gc.collect()
        self.loop.create_store("memory", fresh_memory())
        while descriptors() > before + 1:  # the server
            self.loop.run(1)

    def test_ctrl_c_ends_a_wait_soon(self):
        for wait in (lambda: self.loop.open_store("redis", self.silent_server().name), self.never().wait):
            timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
            timer.start()
            with timed() as seconds, self.assertRaises(KeyboardInterrupt):
                wait()
            timer.join()
            self.assertLess(seconds(), 1)
        self.assertTrue(self.loop.create_store("memory", fresh_memory()))

    def test_a_signal_whose_handler_returns_does_not_end_a_wait(self):
        seen = []
        before = signal.signal(signal.SIGALRM, lambda *_: (seen.append(1), op.cancel()))
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        op = self.never()
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        self.assertRaises(unum.Cancelled, op.wait)
        self.assertEqual([1], seen)

    def test_ctrl_c_in_a_consumer_is_not_lost(self):
        store = self.open_memory(self.loop)
        names = [f"F-unumIndex-{i}" for i in range(200)]
        for name in names:
            store.write_return_value("s", name, "1")
        for moment in range(3):
            def consume(place, _):
                if place == moment:
                    signal.raise_signal(signal.SIGINT)
            with self.assertRaises(KeyboardInterrupt):
                store.read_input_stream("s", names, consume)
        self.assertTrue(store.check_values_exist("s", names))

    @unittest.skipUnless(hasattr(signal, "raise_signal"), "needs raise_signal")
    def test_an_exception_that_meets_the_first_instruction_of_a_callback_is_raised(self):
        """What ctypes would only print: a signal's handler that raises before the callback can catch it."""
        engine = self.loop._engine
        engine.calls_python = True
        hook = sys.unraisablehook

        def interrupted():
            raise KeyboardInterrupt
        import ctypes
        callback = ctypes.CFUNCTYPE(None)(interrupted)

        def turn():
            callback()
            return 0
        with self.assertRaises(KeyboardInterrupt):
            engine.in_turn(turn)
        self.assertIs(hook, sys.unraisablehook)

    def test_calls_from_another_thread_are_refused_but_for_wake(self):
        store = self.open_memory(self.loop)
        op = self.never()
        caught = []

        def other():
            for call in (lambda: store.get("s", "A"), self.loop.dispatch, self.loop.close, op.done, op.wait,
                         op.cancel, store.create_session_context):
                try:
                    call()
                except unum.Error as error:
                    caught.append((error.kind, error.code))
            self.loop.wake()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        self.assertEqual([(unum.Kind.BUG, "Unum.OtherThread")] * 7, caught)
        self.assertFalse(self.loop.run(10))
        self.assertFalse(op.done())
        self.assertIsNone(store.get("s", "A"))

    def test_wake_ends_a_run(self):
        timer = threading.Timer(0.02, self.loop.wake)
        timer.start()
        with timed() as seconds:
            while self.loop.run(10):
                pass
        timer.join()
        self.assertLess(seconds(), 5)

    def test_threads_have_loops_of_their_own_at_the_same_time(self):
        results = []

        def work(number):
            with unum.Loop() as loop:
                place = os.path.join(self.directory, f"store-{number}")
                loop.create_store("fs", place)
                with loop.open_store("fs", place) as store:
                    for i in range(20):
                        store.write_return_value("s", f"F-unumIndex-{i}", str(number))
                    results.append(store.read_input("s", ["F-unumIndex-7"])[0])
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({str(number).encode() for number in range(8)}, set(results))

    def test_a_loop_that_is_dropped_is_freed_on_its_thread_whoever_drops_it(self):
        before = descriptors()
        kept = []

        def work():
            unum.Loop()  # dropped at once
            kept.append(unum.Loop())  # outlives its thread
            kept.append(unum.Loop())
            barrier.wait()
            barrier.wait()
        barrier = threading.Barrier(2)
        thread = threading.Thread(target=work)
        thread.start()
        barrier.wait()
        kept.pop()
        gc.collect()
        self.assertEqual(1, len(_orphans.get(thread.ident, [])))
        barrier.wait()
        thread.join()
        self.assertRaises(unum.Bug, kept[0].dispatch)
        kept.clear()
        gc.collect()
        self.assertEqual(before, descriptors())
        self.assertEqual({}, _orphans)

    def test_a_store_that_is_dropped_is_closed_and_warned_of(self):
        name = fresh_memory()
        self.loop.create_store("memory", name)
        store = self.loop.open_store("memory", name)
        handle = store._handle.handle
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del store
            gc.collect()
        self.assertEqual([ResourceWarning], [warning.category for warning in caught])
        self.loop.create_store("memory", name)
        from unum_workflows._library import lib
        self.assertIsNone(lib.unum_store_type(handle).data)

    def test_an_op_keeps_its_store(self):
        name = fresh_memory()
        self.loop.create_store("memory", name)
        op = self.loop.open_store("memory", name).begin.write_return_value("s", "A", "1")
        gc.collect()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            self.assertTrue(op.wait())
            del op
            gc.collect()

    def test_a_loop_is_closed_with_all_that_runs_on_it(self):
        loop = unum.Loop()
        op = self.never(loop)
        loop.dispatch()
        loop.close()
        self.assertTrue(op.done())
        self.assertRaises(unum.Bug, op.result)

    def test_a_child_of_fork_may_not_use_the_loop_of_its_parent_but_its_own(self):
        store = self.open_memory(self.loop)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                store.get("s", "A")
            except unum.Bug:
                with unum.Loop() as loop:
                    code = 0 if loop.create_store("memory", "of the child") else 2
            finally:
                os._exit(code)
        self.assertEqual(0, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                         if hasattr(os, "waitstatus_to_exitcode") else os.waitpid(child, 0)[1])
        self.assertIsNone(store.get("s", "A"))

    def test_a_loop_of_the_programs_own_polls_the_descriptor(self):
        op = self.loop._begin.create_store("fs", os.path.join(self.directory, "store"))
        while not op.done():
            timeout = self.loop.next_timeout()
            select.select([self.loop.fileno()], [], [], timeout)
            self.loop.dispatch()
        self.assertTrue(op.result())

    def test_the_backend_can_be_chosen(self):
        self.assertIn("epoll", self.new_loop(backend="epoll").backend)
        try:
            loop = self.new_loop(backend="uring")
        except (unum.Denied, unum.NotFound) as refused:
            self.skipTest(str(refused))
        self.assertIn("io_uring", loop.backend)


class Logs(Case):
    def test_the_log_goes_where_it_is_told(self):
        events = []
        self.addCleanup(unum.set_log, "off")
        unum.set_log("info", events.append)
        self.assertRaises(unum.Invalid, unum.set_log, "loud", None)
        self.new_loop(backend="epoll")
        self.assertIn(("info", "reactor"), {(event.level, event.area) for event in events})

    def test_a_process_that_logs_to_a_handler_ends_well(self):
        text = ("import unum_workflows as unum\nunum.set_log('trace', lambda event: 1 / 0)\n"
                "loop = unum.Loop()\nloop.create_store('memory', 'x')\n")
        ended = subprocess.run([sys.executable, "-c", text], stderr=subprocess.PIPE, check=False, env=dict(
            os.environ, PYTHONPATH=os.pathsep.join(sys.path)))
        self.assertEqual(0, ended.returncode, ended.stderr)
        self.assertIn(b"ZeroDivisionError", ended.stderr)


if __name__ == "__main__":
    unittest.main()
