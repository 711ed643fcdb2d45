"""No secret in any text: planted ones of all kinds, in every place that one can stand, through every command."""

import base64
import json
import os
import signal
import unittest
import urllib.parse

from harness import DONE, FAILED, INTERRUPTED, MACHINE, USAGE, AppTest, Function, each, fan_in, write
from network_stores import RedisStore
from servers.process import free_port, running
from servers.redis import Redis, ask

USER = "worker"
# With all that a URL has its own ideas about.
PASSWORD = "pass:word@with/all?of#it&that%is hard"
WRONG = "a-wrong-password-that-nobody-may-see"
KEY = "a-secret-key/that-nobody+may-see"
TOKEN = "a-session-token-that-nobody-may-see"
PLACES = ("environment", "process", "config", "profile", "template")
# Every piece of a password that is long enough to be told from an accident.
PIECES = ("pass:word", "word@with", "with/all", "all?of", "of#it", "it&that", "that%is", "is hard")


def quoted(text):
    return urllib.parse.quote(text, safe="")


def forms_of(secret):
    """All the ways in which a text could have it."""
    return {secret, quoted(secret), urllib.parse.quote_plus(secret), json.dumps(secret)[1:-1],
            base64.b64encode(secret.encode()).decode(), secret.encode().hex()}


PLANTED = {form for secret in (PASSWORD, WRONG, KEY, TOKEN) for form in forms_of(secret)}
PLANTED |= {form for place in PLACES for form in forms_of(f"{KEY}-{place}") | forms_of(f"{TOKEN}-{place}")}
PLANTED |= set(PIECES)
CLEAN = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
         "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
         **dict.fromkeys(("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                          "UNUM_REDIS_USERNAME", "UNUM_REDIS_PASSWORD", "UNUM_REDIS_CA"), "")}
FAILS_ON_DEMAND = """import os

def lambda_handler(event, context):
    if os.environ.get("UNUM_TEST_FAILS"):
        raise ValueError("the code failed")
    return event
"""
HANGS_ON_DEMAND = """import os
import time

def lambda_handler(event, context):
    if os.environ.get("UNUM_TEST_HANGS"):
        with open(os.environ["UNUM_TEST_HANGS"], "w") as events:
            events.write("hangs\\n")
        time.sleep(60)
    return event
"""


class Secrets(AppTest):
    def setUp(self):
        super().setUp()
        self.application({"Split": Function(FAILS_ON_DEMAND, each("Branch")),
                          "Branch": Function(HANGS_ON_DEMAND, fan_in("End", ["Branch-unumIndex-*"])),
                          "End": Function()})

    def say(self, *arguments, code=None, **variables):
        """A command as it is, and what it says; nothing that was planted may stand there."""
        ended = self.unum(*arguments, code=code, **{**CLEAN, "HOME": self.scratch, **variables})
        self.expect_no_secret(ended, arguments)
        return ended

    def expect_no_secret(self, ended, arguments):
        for secret in PLANTED:
            self.assertNotIn(secret, ended.out + ended.err, arguments)

    def every_command(self, store, code, **variables):
        """All commands that open a store; `run` and its kind with --json, too."""
        for json_too in ([], ["--json"]):
            self.say("run", self.path("app"), "--input", "[1]", "--session", "s", "--store", store, *json_too,
                     code=code, **variables)
            self.say("resume", "s", self.path("app"), "--store", store, *json_too, code=code, **variables)
            self.say("inspect", "s", "--store", store, *json_too, code=code, **variables)
        self.say("store", "check", store, code=code, **variables)
        self.say("store", "create", store, code=code, **variables)

    def with_store_in_template(self, kind, name):
        return self.application({"Only": Function()}, name=f"named-{len(os.listdir(self.scratch))}",
                                UnumIntermediaryDataStoreType=kind, UnumIntermediaryDataStoreName=name)


class RedisSecrets(Secrets):
    """A real server: what is found 13 is what users had seen."""

    def setUp(self):
        super().setUp()
        if not os.environ.get(RedisStore.variable):
            self.skipTest(f"{RedisStore.variable} names no server")
        os.mkdir(self.path("redis"))
        self.server = self.enter(running(Redis(self.path("redis"))))
        ask(self.server.port, "ACL", "SETUSER", USER, "on", ">" + PASSWORD, "~*", "+@all")
        ask(self.server.port, "ACL", "SETUSER", "default", "off")
        self.url = f"redis:redis://{USER}:{quoted(PASSWORD)}@{self.server.address}"

    def enter(self, context):
        entered = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return entered

    def test_what_goes_well_shows_no_password(self):
        """(found 13)"""
        self.every_command(self.url, DONE)
        # As it is, apart from what ends a password in a URL.
        raw = PASSWORD.replace("%", "%25")
        self.every_command(f"redis:redis://{USER}:{raw}@{self.server.address}", DONE)
        variables = {"UNUM_REDIS_USERNAME": USER, "UNUM_REDIS_PASSWORD": PASSWORD}
        self.every_command(f"redis:{self.server.address}", DONE, **variables)
        self.every_command(f"redis:redis://{USER}:@{self.server.address}", DONE, UNUM_REDIS_PASSWORD=PASSWORD)
        self.every_command(self.url[len("redis:"):], DONE)
        ended = self.say("store", "check", self.url, code=DONE)
        self.assertIn(f"redis:redis://{USER}:***@{self.server.address} exists", ended.out)

    def test_a_store_in_a_template_shows_no_password(self):
        """(found 13)"""
        application = self.with_store_in_template("redis", self.url[len("redis:"):])
        for json_too in ([], ["--json"]):
            self.say("run", application, "--session", "t", *json_too, code=DONE)
            self.say("resume", "t", application, *json_too, code=DONE)
            self.say("inspect", "t", application, *json_too, code=DONE)
            self.say("inspect", "nobody", application, *json_too, code=USAGE)
        self.say("check", application, code=DONE)
        # In the place of the type, and as another type's name.
        self.say("check", self.with_store_in_template(self.url, "x"), code=USAGE)
        self.say("run", self.with_store_in_template("s3", self.url), code=USAGE)
        self.say("run", self.with_store_in_template("shoebox", self.url), code=USAGE)

    def test_the_way_to_go_on_works_and_shows_no_password(self):
        """(found 13)"""
        arguments = ["run", self.path("app"), "--input", "[1]", "--store", self.url, "--session"]
        for json_too in ([], ["--json"]):
            session = f"fails{len(json_too)}"
            ended = self.say(*arguments, session, *json_too, code=FAILED, UNUM_TEST_FAILS="yes")
            self.go_on(ended, session)
            events = self.events()
            command = self.start(*arguments, f"hangs{len(json_too)}", *json_too,
                                 **{**CLEAN, "UNUM_TEST_HANGS": events.path})
            events.next()
            command.send(signal.SIGINT)
            ended = command.wait()
            self.assertEqual(INTERRUPTED, ended.code, ended)
            self.expect_no_secret(ended, arguments)
            self.go_on(ended, f"hangs{len(json_too)}")

    def go_on(self, ended, session):
        said = ended.err[ended.err.index("go on with: unum resume "):]
        self.assertIn(f"--store redis:redis://{USER}:@{self.server.address} {session} ", said)
        self.assertIn("UNUM_REDIS_PASSWORD", said)
        self.say("resume", "--store", f"redis:redis://{USER}:@{self.server.address}", session, self.path("app"),
                 code=DONE, UNUM_REDIS_PASSWORD=PASSWORD)

    def test_a_wrong_password_and_a_missing_one_are_not_shown(self):
        """(found 13)"""
        at = self.server.address
        self.every_command(f"redis:redis://{USER}:{quoted(WRONG)}@{at}", MACHINE)
        self.every_command(f"redis:redis://nobody:{quoted(PASSWORD)}@{at}", MACHINE)
        self.every_command(f"redis:redis://{USER}:@{at}", MACHINE, UNUM_REDIS_PASSWORD=WRONG)
        self.every_command(f"redis:redis://:{quoted(PASSWORD)}@{at}", MACHINE)
        self.every_command(f"redis:{at}", MACHINE)

    def test_a_server_that_does_not_know_how_to_authenticate_shows_no_password(self):
        """It repeats the command that it does not know. (found 13)"""
        class Renamed(Redis):
            def options(self):
                return ["--rename-command", "AUTH", ""]
        os.mkdir(self.path("renamed"))
        renamed = self.enter(running(Renamed(self.path("renamed"))))
        self.every_command(f"redis:redis://{USER}:{quoted(PASSWORD)}@{renamed.address}", MACHINE)
        self.every_command(f"redis:{renamed.address}", MACHINE, UNUM_REDIS_PASSWORD=PASSWORD)

    def test_a_server_that_goes_away_in_the_middle_shows_no_password(self):
        """(found 13)"""
        events = self.events()
        command = self.start("run", self.path("app"), "--input", "[1]", "--session", "m", "--store", self.url,
                             "--timeout", "3", **{**CLEAN, "UNUM_TEST_HANGS": events.path})
        events.next()
        self.server.kill()
        self.expect_no_secret(command.wait(), "a server that was killed")


class Unreachable(Secrets):
    def test_a_server_that_is_not_there_is_named_without_its_password(self):
        """(found 13)"""
        at = f"127.0.0.1:{free_port()}"
        self.every_command(f"redis:redis://{USER}:{quoted(PASSWORD)}@{at}", MACHINE)
        self.every_command(f"redis:rediss://{USER}:{quoted(PASSWORD)}@{at}", MACHINE)
        self.every_command(f"redis:{at}", MACHINE, UNUM_REDIS_PASSWORD=PASSWORD)
        self.every_command(f"redis:redis://{USER}:{quoted(PASSWORD)}@cache.unum.invalid", MACHINE)
        self.every_command(f"redis:redis://{USER}:{quoted(PASSWORD)}@{at},127.0.0.1:{free_port()}", MACHINE)

    def test_a_damaged_url_is_refused_without_its_password(self):
        """(found 13)"""
        secret, user = WRONG, USER
        for text in (f"redis://{user}:{secret}", f"redis://{user}:{secret}@", f"redis:/{user}:{secret}@cache",
                     f"redis//{user}:{secret}@cache:x", f"{user}:{secret}@cache", f"{secret}@cache",
                     f"redis://{secret}@cache", f"redis://:{secret}", f"redis://{user}:{secret}%40cache",
                     f"redis://{user}:{secret}%zz@cache", f"redis://{user}:{secret}@cache:x",
                     f"redis://{user}:{secret}@cache/x", f"redis://{user}:{secret}@cache?x=y",
                     f"redis://cache?password={secret}", f"redis://cache?{secret}", f"redis://cache/{secret}",
                     f"redis://cache:6379#{secret}", f"redis://{user}:{secret} @cache:x",
                     f"http://{user}:{secret}@cache",
                     f"redis-sentinel://{user}:{secret}@cache", f"redis://[{secret}@cache", f"redis://[::1]:{secret}",
                     f"redis://{user}:{secret}@a,b:x", f"redis://a:{secret},b", f"rediss://{user}:{secret}@cache:x"):
            for store in (f"redis:{text}", text):
                with self.subTest(store=store):
                    ended = self.say("store", "check", store)
                    self.assertIn(ended.code, (USAGE, MACHINE))
                    self.say("run", self.path("app"), "--store", store)
                    self.say("inspect", "s", "--store", store)

    def test_a_url_in_another_place_is_not_repeated_with_its_password(self):
        """(found 13)"""
        url = f"redis://{USER}:{WRONG}@cache:6379"
        for arguments in (["store", "check", "redis:cache", url], ["store", url], ["stroe", url], [url],
                          ["run", url], ["run", self.path("app"), "--timeout", url], ["run", "--stroe", url],
                          ["run", self.path("app"), f"--stroe={url}"], ["check", url], ["inspect", "s", url],
                          ["run", self.path("app"), "--workers", url], ["run", self.path("app"), "--input", "@" + url],
                          ["doctor", url]):
            with self.subTest(arguments=arguments):
                self.assertNotEqual(DONE, self.say(*arguments).code)


class AwsSecrets(Secrets):
    """Credentials from every place; nobody listens where the services should be, or somebody who refuses."""

    def stores(self):
        return ("s3:orders/prefix", "dynamodb:orders")

    def everywhere(self, **variables):
        at = f"http://127.0.0.1:{free_port()}"
        for store in self.stores():
            for command in (["run", self.path("app")], ["run", self.path("app"), "--json"], ["inspect", "s"]):
                self.refuses(*command, "--store", store, AWS_ENDPOINT_URL=at, **variables)
            self.refuses("store", "check", store, AWS_ENDPOINT_URL=at, **variables)
            self.refuses("store", "create", store, AWS_ENDPOINT_URL=at, **variables)
        self.say("doctor", code=DONE, **variables)
        self.say("check", self.path("app"), code=DONE, **variables)

    def refuses(self, *arguments, **variables):
        self.assertIn(self.say(*arguments, **variables).code, (USAGE, MACHINE), arguments)

    def test_keys_in_variables(self):
        self.everywhere(AWS_ACCESS_KEY_ID="unumtest", AWS_SECRET_ACCESS_KEY=KEY, AWS_SESSION_TOKEN=TOKEN)
        self.everywhere(AWS_ACCESS_KEY_ID="unumtest", AWS_SECRET_ACCESS_KEY=KEY + "\nx", AWS_SESSION_TOKEN=TOKEN)
        self.everywhere(AWS_SECRET_ACCESS_KEY=KEY, AWS_SESSION_TOKEN=TOKEN)

    def test_keys_in_files(self):
        config, credentials = self.path("config"), self.path("credentials")
        for damage in ("", "\nindented without a key", "\n[broken", "\n  continued\n", "\n\x00\n"):
            write(config, f"[profile mine]\naws_access_key_id = unumtest\naws_secret_access_key = {KEY}-config\n"
                          f"aws_session_token = {TOKEN}-config\nregion = us-east-1\n{damage}\n")
            write(credentials, f"[default]\naws_access_key_id = unumtest\naws_secret_access_key = {KEY}-profile\n"
                               f"aws_session_token = {TOKEN}-profile\n{damage}\n")
            for profile in ("mine",) if damage else ("", "mine", "absent"):
                with self.subTest(damage=damage, profile=profile):
                    self.everywhere(AWS_CONFIG_FILE=config, AWS_SHARED_CREDENTIALS_FILE=credentials,
                                    AWS_PROFILE=profile)

    def test_keys_that_a_process_gives(self):
        config, script = self.path("config"), self.path("give-keys")
        answers = [json.dumps({"Version": 1, "AccessKeyId": "unumtest", "SecretAccessKey": f"{KEY}-process",
                               "SessionToken": f"{TOKEN}-process"})]
        answers += [answers[0][:-1], answers[0].replace('"Version": 1', '"Version": 2'), f"{KEY}-process"]
        for answer in answers:
            # What it says on standard error is its own, and passed on.
            for end in ("exit 0", "exit 3"):
                write(script, f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n{end}\n", executable=True)
                write(config, f"[default]\ncredential_process = {script} --secret {KEY}-config\nregion = us-east-1\n")
                with self.subTest(answer=answer, end=end):
                    self.everywhere(AWS_CONFIG_FILE=config)

    def test_a_proxy_and_an_endpoint_with_a_password(self):
        """(found 13)"""
        keys = {"AWS_ACCESS_KEY_ID": "unumtest", "AWS_SECRET_ACCESS_KEY": KEY}
        at = f"127.0.0.1:{free_port()}"
        for store in self.stores():
            self.refuses("store", "check", store, AWS_ENDPOINT_URL="http://s3.unum.invalid:9000",
                               http_proxy=f"http://{USER}:{WRONG}@{at}", **keys)
            self.refuses("store", "check", store, AWS_ENDPOINT_URL=f"http://{USER}:{WRONG}@{at}", **keys)


if __name__ == "__main__":
    unittest.main()
