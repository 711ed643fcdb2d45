"""What the tests share: stores that no test had, and a server that says nothing."""

import contextlib
import itertools
import os
import socket
import tempfile
import time
import unittest

import unum_workflows as unum

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE_ROOT = os.path.dirname(HERE)
SOURCE_ROOT = os.path.dirname(os.path.dirname(PACKAGE_ROOT))
# What is tested here is not the disk.
FAST = unum.StoreOptions(durable=False)
_numbers = itertools.count(1)


def fresh_memory():
    """The name of a memory store that no test had: they live as long as the process."""
    return f"fresh-{os.getpid()}-{next(_numbers)}"


class SilentServer:
    """Takes connections and says nothing: what opens a store on it never ends by itself."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def close(self):
        self.socket.close()


class Case(unittest.TestCase):
    """With a directory, and a loop where it is asked for."""

    def setUp(self):
        self.directory = self.enterContext_(tempfile.TemporaryDirectory())

    def enterContext_(self, manager):
        """enterContext, which only Python 3.11 has."""
        entered = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return entered

    def new_loop(self, **options):
        loop = unum.Loop(**options)
        self.addCleanup(loop.close)
        return loop

    def open_memory(self, loop):
        name = fresh_memory()
        loop.create_store("memory", name)
        store = loop.open_store("memory", name)
        self.addCleanup(store.__exit__, None, None, None)
        return store

    def silent_server(self):
        server = SilentServer()
        self.addCleanup(server.close)
        return server

    def store_places(self):
        """Type and name of a store of each kind that is to be tested."""
        yield "memory", fresh_memory()
        yield "fs", os.path.join(self.directory, f"store-{next(_numbers)}")
        if os.environ.get("UNUM_TEST_REDIS"):
            yield "redis", os.environ["UNUM_TEST_REDIS"]

    def each_store(self, loop):
        for type_, name in self.store_places():
            with self.subTest(store=type_):
                loop.create_store(type_, name)
                with loop.open_store(type_, name, FAST) as store:
                    yield store


@contextlib.contextmanager
def timed():
    """The seconds that its body took, by `seconds()`."""
    begin, end = time.monotonic(), []
    yield lambda: end[0] - begin
    end.append(time.monotonic())
