"""The network stores as tests of whole applications see them: a server, a name, an environment."""

import json
import os
import subprocess
import sys
import uuid

from harness import DONE, SOURCE, UNUM, USAGE

sys.path.insert(0, os.path.join(SOURCE, "tests"))

# pylint: disable=wrong-import-position
from servers.dynamodb import DynamoDb
from servers.redis import Redis
from servers.s3 import ACCESS_KEY, SECRET_KEY, S3Gateway

# Nothing of the machine's own AWS settings gets in.
AWS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": "us-east-1",
       "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
       "AWS_EC2_METADATA_DISABLED": "true"}


class NetworkStore:
    """One type of store. `at` is the HOST:PORT where the command finds the server, or a gate before it."""

    type = ""
    variable = ""
    http = True

    def __init__(self):
        self.own_name = f"unum-{uuid.uuid4().hex[:16]}"

    def server(self, directory):
        """A server of a test's own, whose data survives a kill."""
        raise NotImplementedError

    def address(self):
        """HOST:PORT of the server that is there for all tests, or nothing."""
        return os.environ.get(self.variable, "").rpartition("/")[2]

    def name(self, at):
        return f"{self.type}:{self.own_name}"

    def environment(self, at):
        raise NotImplementedError

    def run(self, at, *arguments):
        return subprocess.run([UNUM, *arguments], check=False, capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, **self.environment(at)))

    def create(self, at):
        """Makes the table or the bucket."""
        done = self.run(at, "store", "create", self.name(at))
        if done.returncode != DONE:
            raise AssertionError(f"{self.name(at)} cannot be made: {done.stderr}")

    def done(self, at, session):
        """The instances of a session that have an outcome: a result, or a failure that was caught."""
        ended = self.run(at, "inspect", session, "--store", self.name(at), "--json")
        if ended.returncode == USAGE and "there is no session" in ended.stderr:
            return set()
        if ended.returncode != DONE:
            raise AssertionError(f"{session} on {self.name(at)}: {ended.stderr}")
        return {instance["instance"] for instance in json.loads(ended.stdout)["instances"]
                if instance["state"] in ("done", "caught")}


class RedisStore(NetworkStore):
    type = "redis"
    variable = "UNUM_TEST_REDIS"
    http = False

    def server(self, directory):
        return Redis(directory, appendfsync="always")

    def name(self, at):
        return f"redis:{at}"

    def environment(self, at):
        return {}


class DynamoDbStore(NetworkStore):
    type = "dynamodb"
    variable = "UNUM_TEST_DYNAMODB"

    def server(self, directory):
        return DynamoDb(directory, database=directory)

    def environment(self, at):
        # DynamoDB Local refuses access keys with anything but letters and digits.
        return {**AWS, "AWS_ACCESS_KEY_ID": "unumtest", "AWS_ENDPOINT_URL_DYNAMODB": f"http://{at}"}


class S3Store(NetworkStore):
    type = "s3"
    variable = "UNUM_TEST_S3"

    def server(self, directory):
        return S3Gateway(directory)

    def environment(self, at):
        return {**AWS, "AWS_ENDPOINT_URL_S3": f"http://{at}"}


class OnANetworkStore:
    """Mixed into a test: `make_store` is a subclass of NetworkStore, and sessions are kept there."""

    make_store = None

    def setUp(self):
        super().setUp()
        self.store = self.make_store()
        self.at = self.store.address()
        if not self.at:
            self.skipTest(f"{self.store.variable} names no server")
        self.store.create(self.at)

    def store_options(self):
        return ["--store", self.store.name(self.at)]

    def store_environment(self):
        return self.store.environment(self.at)

    def done(self, application, session):
        return self.store.done(self.at, session)

    def expect_whole(self, application, session):
        """Whether each is whole shows when it is read: the session that is run again reads them all."""
