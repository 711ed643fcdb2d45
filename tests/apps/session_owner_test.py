"""A session belongs to one application, on every store: another one does not get its results."""

import os
import unittest
import uuid

from harness import DONE, USAGE, AppTest, Function, scalar
from network_stores import DynamoDbStore, RedisStore, S3Store

PLUS = "def lambda_handler(event, context):\n    return event + {}\n"


def chain(amount, entry="First", **more):
    """An entry that adds something, and what follows it."""
    return {entry: Function(PLUS.format(amount), scalar("Last")), "Last": Function(**more)}


class SessionOwner:
    """What holds on each store; `self.store()` gives the options that name it."""

    def store(self):
        return [], {}

    def setUp(self):
        super().setUp()
        self.options, self.environment = self.store()
        self.today = f"today-{uuid.uuid4()}"  # a server of all tests has one space of names

    def run_in(self, application, code, session=None):
        return self.unum("run", application, "--input", "1", "--session", session or self.today,
                         *self.options, code=code, **self.environment)

    def test_another_application_is_refused_the_session_found_6(self):
        orders = self.application(chain(10), "orders", ApplicationName="orders")
        bills = self.application(chain(20), "bills", ApplicationName="bills")
        self.assertEqual("11\n", self.run_in(orders, DONE).out)
        refused = self.run_in(bills, USAGE)
        self.assertEqual("", refused.out)
        self.assertIn(f"session {self.today} belongs to the application orders, not to bills",
                      refused.err)
        self.assertEqual("21\n", self.run_in(bills, DONE, session=f"not-{self.today}").out)
        self.assertEqual("11\n", self.run_in(orders, DONE).out)

    def test_so_is_one_with_another_entry_found_6(self):
        orders = self.application(chain(10), "orders", ApplicationName="orders")
        bills = self.application(chain(20, "Begin"), "bills", ApplicationName="bills")
        self.assertEqual("11\n", self.run_in(orders, DONE).out)
        refused = self.run_in(bills, USAGE)
        self.assertIn("belongs to an application whose entry is First, not to bills", refused.err)

    def test_a_workflow_that_was_changed_goes_on_only_when_asked_to_found_6(self):
        before = self.application(chain(10), "before", ApplicationName="orders")
        self.assertEqual("11\n", self.run_in(before, DONE).out)
        functions = chain(10, next=scalar("More"))
        functions["More"] = Function(PLUS.format(100))
        after = self.application(functions, "after", ApplicationName="orders")
        for command in (["run", after, "--input", "1", "--session", self.today],
                        ["resume", self.today, after]):
            refused = self.unum(*command, *self.options, code=USAGE, **self.environment)
            self.assertIn("has changed since: Last;", refused.err)
            self.assertIn("--accept-changes", refused.err)
        resumed = self.unum("resume", self.today, after, "--accept-changes", *self.options, code=DONE,
                            **self.environment)
        self.assertEqual("111\n", resumed.out)
        self.assertEqual("111\n", self.run_in(after, DONE).out)


class SessionOwnerOnFs(SessionOwner, AppTest):
    def store(self):
        os.mkdir(self.path("store"))
        return ["--store", "fs:" + self.path("store")], {}


class OnNetworkStore(SessionOwner):
    kind = None

    def store(self):
        store = self.kind()
        if not store.address():
            self.skipTest(f"{store.variable} names no server")
        store.create(store.address())
        return ["--store", store.name(store.address())], store.environment(store.address())


class SessionOwnerOnRedis(OnNetworkStore, AppTest):
    kind = RedisStore


class SessionOwnerOnDynamoDb(OnNetworkStore, AppTest):
    kind = DynamoDbStore


class SessionOwnerOnS3(OnNetworkStore, AppTest):
    kind = S3Store


if __name__ == "__main__":
    unittest.main()
