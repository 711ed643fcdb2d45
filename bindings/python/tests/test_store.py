"""Stores in the blocking face: the five calls and the others, against each kind of store."""

import os
import pickle
import unittest

import unum_workflows as unum
from support import Case, fresh_memory


class Stores(Case):
    def setUp(self):
        super().setUp()
        self.loop = self.new_loop()

    def test_a_value_is_created_once_and_read_in_order(self):
        for store in self.each_store(self.loop):
            session = store.create_session_context()
            self.assertEqual(36, len(session))
            self.assertTrue(store.write_return_value(session, "A", "1"))
            again = store.write_return_value(session, "A", "2")
            self.assertFalse(again)
            self.assertEqual(b"1", again.existing)
            store.write_return_value(session, "B\u00e9", b'"\xc3\xa9\x00"')
            self.assertEqual([b'"\xc3\xa9\x00"', b"1"], store.read_input(session, ["B\u00e9", b"A"]))
            self.assertEqual([], store.read_input(session, []))
            self.assertTrue(store.check_value_exist(session, "A"))
            self.assertFalse(store.check_values_exist(session, ["A", "C"]))
            self.assertTrue(store.check_values_exist(session, ("A", "B\u00e9")))

    def test_missing_values_are_named_in_the_error(self):
        for store in self.each_store(self.loop):
            with self.assertRaises(unum.NotFound) as caught:
                store.read_input("s", ["Absent"])
            self.assertIsInstance(caught.exception, LookupError)
            self.assertEqual(unum.Kind.NOT_FOUND, caught.exception.kind)
            self.assertEqual("Unum.MissingInput", caught.exception.code)
            self.assertIn("Absent", caught.exception.message)
            self.assertIn(caught.exception.delivery, unum.Delivery)
            copy = pickle.loads(pickle.dumps(caught.exception))
            self.assertEqual((caught.exception.kind, caught.exception.code, str(caught.exception)),
                             (copy.kind, copy.code, str(copy)))

    def test_items_are_put_listed_read_in_parts_and_removed(self):
        for store in self.each_store(self.loop):
            session = store.create_session_context()
            store.put(session, "Input", "0123456789", unum.ItemKind.INPUT)
            store.put(session, "Input", "abcdefghij", unum.ItemKind.INPUT)
            self.assertTrue(store.create_item(session, "A", b""))
            self.assertFalse(store.create_item(session, "A", b"x"))
            self.assertEqual(b"abcdefghij", store.get(session, "Input", unum.ItemKind.INPUT))
            self.assertEqual(b"", store.get(session, "A"))
            self.assertIsNone(store.get(session, "Input"))
            self.assertEqual(b"cde", store.get_range(session, "Input", 2, 3, unum.ItemKind.INPUT))
            found = {item.name: item for item in store.list(session)}
            self.assertEqual({"Input": (unum.ItemKind.INPUT, 10), "A": (unum.ItemKind.OUTCOME, 0)},
                             {name: (item.kind, item.bytes) for name, item in found.items()})
            self.assertGreater(found["Input"].modified_ns, 0)
            self.assertIn(session, store.list_sessions())
            store.remove(session, "Input", unum.ItemKind.INPUT)
            store.remove(session, "Input", unum.ItemKind.INPUT)
            self.assertEqual(["A"], [item.name for item in store.list(session)])

    def test_the_last_contributor_claims_a_fan_in(self):
        for store in self.each_store(self.loop):
            session = store.create_session_context()
            fan_in = unum.FanIn("Sum", ["A", "B"])
            first = store.commit(session, "A", "1", [fan_in])
            self.assertTrue(first)
            self.assertEqual([unum.FanInStatus.INCOMPLETE], [state.status for state in first.fan_ins])
            second = store.commit(session, "B", "2", [fan_in])
            self.assertEqual([unum.FanInStatus.CLAIMED], [state.status for state in second.fan_ins])
            again = store.commit(session, "B", "3", [fan_in])
            self.assertEqual((False, b"2", []), tuple(again))
            joined = store.join(session, "A", [fan_in])
            self.assertEqual(unum.FanInStatus.TAKEN, joined[0].status)
            self.assertEqual("B", joined[0].detail)
            self.assertTrue(store.commit(session, "C", "3"))

    def test_a_stream_gives_each_value_and_ends_with_what_its_consumer_raises(self):
        names = [f"F-unumIndex-{i}" for i in range(150)]
        for store in self.each_store(self.loop):
            session = store.create_session_context()
            for op in [store.begin.write_return_value(session, name, str(i)) for i, name in enumerate(names)]:
                op.wait()
            seen = []
            store.read_input_stream(session, names, lambda place, value: seen.append((place, int(value))))
            self.assertEqual([(i, i) for i in range(150)], seen)
            with self.assertRaises(ZeroDivisionError):
                store.read_input_stream(session, names, lambda place, value: 1 // (10 - place))
            self.assertEqual({}, store._handle.engine.streams)
            with self.assertRaises(unum.Bug) as caught:  # a consumer that waits
                store.read_input_stream(session, names, lambda place, value: store.get(session, "A"))
            self.assertEqual("Unum.Reentered", caught.exception.code)

    def test_ops_begun_before_one_is_waited_for_run_together(self):
        for store in self.each_store(self.loop):
            session = store.create_session_context()
            ops = [store.begin.write_return_value(session, f"F-unumIndex-{i}", "1") for i in range(1000)]
            self.assertFalse(any(op.done() for op in ops))
            self.assertTrue(all(op.wait() for op in ops))
            names = [f"F-unumIndex-{i}" for i in range(1000)]
            self.assertTrue(store.check_values_exist(session, names))
            self.assertFalse(store.check_values_exist(session, [*names, "F-unumIndex-1000"]))

    def test_lists_with_the_same_text_are_told_apart(self):
        store = self.open_memory(self.loop)
        store.write_return_value("s", "AB", "1")
        store.write_return_value("s", "C", "1")
        self.assertTrue(store.check_values_exist("s", ["AB", "C"]))
        self.assertTrue(store.check_values_exist("s", ["AB", "C"]))
        self.assertFalse(store.check_values_exist("s", ["A", "BC"]))
        store.write_return_value("s", "X\0Y", "1")
        store.write_return_value("s", "Z", "1")
        self.assertTrue(store.check_values_exist("s", ["X\0Y", "Z"]))
        self.assertFalse(store.check_values_exist("s", ["X", "Y\0Z"]))

    def test_wrong_arguments_are_refused_before_or_by_the_library(self):
        store = self.open_memory(self.loop)
        for call in (lambda: store.read_input("s", "Name"), lambda: store.write_return_value("s", "A", 1),
                     lambda: store.read_input("s", [1]), lambda: store.read_input(None, None)):
            self.assertRaises(TypeError, call)
        for call in (lambda: store.get_range("s", "A", -1, 1), lambda: store.get("s", "A", -1),
                     lambda: store.get("s", "A", 99), lambda: store.get("s", "A", 1 << 40),
                     lambda: store.write_return_value("", "A", "1"),
                     lambda: store.join("s", "A", [unum.FanIn("Sum", ["B"])])):
            self.assertRaises(ValueError, call)
        self.assertRaises(unum.Invalid, self.loop.open_store, "floppy", "A:")
        self.assertRaises(unum.NotFound, self.loop.open_store, "fs", os.path.join(self.directory, "nowhere"))
        self.assertRaises(ValueError, unum.Loop, backend="kqueue")
        self.assertRaises(ValueError, unum.Loop, helper_threads_max=-1)

    def test_a_store_that_was_closed_says_so(self):
        loop = self.loop
        name = fresh_memory()
        self.assertTrue(loop.create_store("memory", name))
        self.assertFalse(loop.create_store("memory", name))
        with loop.open_store("memory", name, unum.StoreOptions(in_flight_max=8, patience=1)) as store:
            self.assertEqual(("memory", name), (store.type, store.name))
        for call in (lambda: store.get("s", "A"), store.close, store.create_session_context):
            self.assertRaises(unum.Bug, call)
        loop.close()
        loop.close()
        self.assertRaises(unum.Bug, loop.create_store, "memory", name)

    @unittest.skipUnless(os.environ.get("UNUM_TEST_REDIS"), "needs UNUM_TEST_REDIS")
    def test_a_server_that_risks_values_is_warned_of(self):
        lines = []
        options = unum.StoreOptions(warn=lines.append, waiting=lines.append)
        with self.loop.open_store("redis", os.environ["UNUM_TEST_REDIS"], options) as store:
            self.assertTrue(store.create_session_context())
        self.assertTrue(all(isinstance(line, str) for line in lines))


if __name__ == "__main__":
    unittest.main()
