"""Network stores that cannot be used: each message names the service, the place and what would be right, soon, and
no secret stands in one."""

import contextlib
import http.server
import json
import os
import socket
import ssl
import unittest
import urllib.request
import uuid

from harness import DONE, MACHINE, USAGE, AppTest, Function
from loopback_server import LoopbackServer
from network_stores import AWS
from servers.certificates import Certificates
from servers.process import can_connect, free_port, running
from servers.redis import Redis

SECRET = "a-secret-key/that-nobody+may-see"
TOKEN = "a-session-token-that-nobody-may-see"
PASSWORD = "a-password-that-nobody-may-see"
WRONG_PASSWORD = "a-wrong-password-that-nobody-may-see"
# Longer than the machine is busy, shorter than people wait for a message.
SOON_S = 30
# Nothing of the machine gets in: neither its proxies, nor its certificates, nor its home.
# Who forgets to say where a service is reaches nobody.
CLEAN = {**AWS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "unumtest",
         "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN,
         **dict.fromkeys(("AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy",
                          "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
                          "AWS_PROFILE", "UNUM_REDIS_USERNAME", "UNUM_REDIS_PASSWORD",
                          "UNUM_REDIS_CA", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                          "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"), "")}
NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
CREATES_NOTHING = """import os

def lambda_handler(event, context):
    os.close(os.open(os.environ["UNUM_TEST_RAN"], os.O_CREAT))
"""


def xml_error(code, message, more=""):
    return (f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message>{more}"
            f"<RequestId>REQUEST1</RequestId></Error>")


def json_error(code, message):
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message})


def table(status="ACTIVE", key="Name"):
    return json.dumps({"Table": {"TableStatus": status, "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
                                 "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}]}})


class Scripted(LoopbackServer):
    """A service that answers as `answer(method, path, headers)` says: (status, body) or (status, body, headers)."""

    def __init__(self, answer, address="127.0.0.1", tls=None):
        self.answer = answer
        super().__init__(Handler, address)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://{address}:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(f"{self.command} {self.path}")
        status, body, *more = self.server.answer(self.command, self.path, self.headers)
        self.send_response(status)
        for name, value in (more[0] if more else {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body.encode())

    # pylint: disable=invalid-name
    do_GET = do_PUT = do_POST = do_HEAD = do_CONNECT = answer

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def always(*answer):
    return lambda method, path, headers: answer


@contextlib.contextmanager
def silent_peer():
    """Takes connections (the kernel does) and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def server_of(test, variable):
    place = os.environ.get(variable)
    if not place:
        test.skipTest(f"{variable} names no server")
    return place


class BadStore(AppTest):
    """Both commands refuse: `store check`, and `run`, which runs no user code and keeps nothing."""

    def setUp(self):
        super().setUp()
        self.application({"Only": Function(CREATES_NOTHING)})

    def environment(self, variables):
        return {**CLEAN, "HOME": self.scratch, "UNUM_TEST_RAN": self.path("ran"), **variables}

    def refused_store(self, store, *says, code=MACHINE, **variables):
        # Beside each other: where a service is tried again, most of their time is waiting.
        commands = [self.start(*words, **self.environment(variables))
                    for words in (["store", "check", store], ["run", self.path("app"), "--store", store])]
        for command in commands:
            with self.subTest(command=command.process.args[1]):
                ended = self.end_of(command, SOON_S)
                self.expect_refusal(ended, code, says)
                self.expect_no_secret(ended)
        self.assertFalse(os.path.exists(self.path("ran")), "user code ran")
        self.assertFalse(os.path.exists(self.path("app", ".unum")))

    def accepted_store(self, store, *says, **variables):
        ended = self.unum("store", "check", store, code=DONE, timeout=SOON_S, **self.environment(variables))
        for words in (store, *says):
            self.assertIn(words, ended.out + ended.err)
        self.expect_no_secret(ended)

    def expect_no_secret(self, ended):
        for secret in (SECRET, TOKEN, PASSWORD, WRONG_PASSWORD):
            self.assertNotIn(secret, ended.out + ended.err)


class BadNames(BadStore):
    """Refused before anything is asked: exit code 2."""

    def test_a_bucket_that_none_can_be(self):
        for name, *says in (("ab", "3 to 63"), ("x" * 64, "3 to 63"), ("or ders", "letters, digits"),
                            ("-orders", "begins"), ("192.168.0.1", "IP address"), ("or..ders", "single dots"),
                            ("orders//x", "empty"), ("orders/a/../b", ".."), ("orders/a b", "blanks")):
            with self.subTest(name=name):
                self.refused_store(f"s3:{name}", f"\"{name}\"", "bucket", *says, code=USAGE)

    def test_a_table_that_none_can_be(self):
        for name in ("ab", "or ders", "orders!", "x" * 256):
            with self.subTest(name=name):
                self.refused_store(f"dynamodb:{name}", f"\"{name}\"", "DynamoDB table", "3 to 255", code=USAGE)

    def test_an_address_that_no_server_has_names_the_field(self):
        # What stands where it cannot be may be a password, and is not shown.
        for name, shown, *says in (("cache.invalid:0", "cache.invalid:0", "port", "1 to 65535"),
                                   ("cache.invalid:x", "cache.invalid:***", "port"),
                                   ("redis://cache.invalid:6379/x", "cache.invalid:6379/***", "database", "number"),
                                   ("redis://cache.invalid?db=x", "cache.invalid?db=***", "database"),
                                   ("redis://cache.invalid?colour=x", "cache.invalid?colour=***", "\"colour\""),
                                   ("rdis://cache.invalid", "rdis://cache.invalid", "scheme"),
                                   ("redis://:6379", "redis://:6379", "host"), ("[::1", "[::1", "]"),
                                   ("a,,b", "a,,b", "host"), ("unix:socket", "unix:***", "begins with /")):
            with self.subTest(name=name):
                self.refused_store(f"redis:{name}", shown, *says, "redis://", code=USAGE)

    def test_sentinels_are_refused_by_name(self):
        """(found 14)"""
        for name in ("redis:redis-sentinel://cache.invalid:26379/0", "redis-sentinel://cache.invalid:26379",
                     f"redis:redis+sentinel://:{PASSWORD}@cache.invalid:26379?sentinelMasterId=x"):
            with self.subTest(name=name):
                self.refused_store(name, "Sentinel", "name the primary", "get-master-addr-by-name", code=USAGE)

    def test_a_password_in_a_bad_address_is_not_shown(self):
        for name in (f"redis://me:{PASSWORD}@cache.invalid:x", f"redis://{PASSWORD}@cache.invalid",
                     f"me:{PASSWORD}@cache.invalid", f"redis://me:{PASSWORD}%@cache.invalid",
                     f"redis://me:{PASSWORD}@cache.invalid?colour=x"):
            with self.subTest(name=name):
                self.refused_store(f"redis:{name}", "***@cache.invalid", code=USAGE)

    def test_settings_that_name_no_region_and_no_endpoint(self):
        for store in ("s3:orders", "dynamodb:orders"):
            self.refused_store(store, store, "AWS_REGION", "\"eu west\"", "eu-central-1", code=USAGE,
                               AWS_REGION="eu west")
            self.refused_store(store, store, "no region", "AWS_REGION", "eu-central-1", AWS_REGION="")
            self.refused_store(store, store, "AWS_ENDPOINT_URL", "https://host:port", code=USAGE,
                               AWS_ENDPOINT_URL=f"http://me:{PASSWORD}@127.0.0.1:9000")

    def test_a_store_in_memory_is_of_one_command(self):
        for command in ("create", "check"):
            self.refused(USAGE, "store", command, "memory",
                         says=("with the command that uses it", "unum run DIR --store memory"))


class NoCredentials(BadStore):
    PLACES = ("environment: AWS_ACCESS_KEY_ID", "web identity: AWS_WEB_IDENTITY_TOKEN_FILE", "profile: ",
              "container endpoint: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "EC2 instance metadata: ")

    def expect(self, *says, **variables):
        for store in ("s3:orders", "dynamodb:orders"):
            self.refused_store(store, store, *says, **{**NO_KEYS, **variables})

    def test_every_place_is_named_where_metadata_are_off(self):
        self.expect(*self.PLACES, "AWS_EC2_METADATA_DISABLED is true", "/dev/null", "cannot be opened")

    def test_every_place_is_named_where_nobody_listens_for_metadata(self):
        nobody = f"http://127.0.0.1:{free_port()}"
        self.expect(*self.PLACES, nobody, AWS_EC2_METADATA_DISABLED="", AWS_EC2_METADATA_SERVICE_ENDPOINT=nobody)

    def test_every_place_is_named_where_metadata_never_answer(self):
        with silent_peer() as peer:
            self.expect(*self.PLACES, peer, AWS_EC2_METADATA_DISABLED="",
                        AWS_EC2_METADATA_SERVICE_ENDPOINT=f"http://{peer}")

    def test_half_a_key_and_a_profile_that_is_not_there(self):
        for store in ("s3:orders", "dynamodb:orders"):
            self.refused_store(store, store, "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not",
                               code=USAGE, AWS_SECRET_ACCESS_KEY="")
            self.refused_store(store, store, "AWS_PROFILE", "\"nobody\"", code=USAGE, **NO_KEYS,
                               AWS_PROFILE="nobody")


class RefusingServices(BadStore):
    """What AWS answers, as its documentation and its services have it."""

    def s3_refused(self, answer, *says, **variables):
        with Scripted(answer) as service:
            self.refused_store("s3:orders", "orders", service.url, *says, AWS_ENDPOINT_URL_S3=service.url,
                               **variables)

    def dynamodb_refused(self, answer, *says, **variables):
        with Scripted(answer) as service:
            self.refused_store("dynamodb:orders", "orders", service.url, "us-east-1", *says,
                               AWS_ENDPOINT_URL_DYNAMODB=service.url, **variables)

    def test_an_expired_token(self):
        message = "The provided token has expired."
        says = ("ExpiredToken", message, "credentials used: environment", "new ones")
        self.s3_refused(always(400, xml_error("ExpiredToken", f"{message} {TOKEN}")), *says)
        self.dynamodb_refused(always(400, json_error("ExpiredTokenException", message)), *says)

    def test_keys_that_nobody_has(self):
        self.s3_refused(always(403, xml_error("InvalidAccessKeyId", "The AWS Access Key Id you provided does not "
                                              "exist in our records.")),
                        "InvalidAccessKeyId", "REQUEST1", "environment")
        self.dynamodb_refused(always(400, json_error("UnrecognizedClientException",
                                                     "The security token included in the request is invalid.")),
                              "UnrecognizedClientException", "environment")
        # The service may repeat what it was sent.
        self.s3_refused(always(403, xml_error("SignatureDoesNotMatch", f"Check your key {SECRET}")),
                        "SignatureDoesNotMatch", "secret access key", "environment")

    def test_access_denied(self):
        self.s3_refused(always(403, xml_error("AccessDenied", "Access Denied")), "Access Denied", "s3:PutObject",
                        "REQUEST1")
        who = "User: arn:aws:iam::1:user/u is not authorized to perform: dynamodb:DescribeTable"
        self.dynamodb_refused(always(400, json_error("AccessDeniedException", who)), "DescribeTable", who)

        def reads_only(method, path, headers):
            if headers["x-amz-target"].endswith("DescribeTable"):
                return 200, table()
            return 400, json_error("AccessDeniedException", who.replace("DescribeTable", "PutItem"))
        self.dynamodb_refused(reads_only, "PutItem", "not authorized", "written")

    def test_a_bucket_of_another_region_is_followed(self):
        def answer(method, path, headers):
            if "/eu-west-1/" not in headers.get("Authorization", "") and "eu-west-1" not in path:
                return 301, xml_error("PermanentRedirect", "Use the endpoint."), {"x-amz-bucket-region": "eu-west-1"}
            if method == "PUT":
                return 412, xml_error("PreconditionFailed", "It is there.")
            return 200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        with Scripted(answer) as service:
            self.accepted_store("s3:orders", AWS_ENDPOINT_URL_S3=service.url)
            self.assertEqual("PUT", service.requests[0][:3])

    def test_a_redirect_that_leads_nowhere_and_a_region_that_the_endpoint_has_not(self):
        self.s3_refused(always(301, xml_error("PermanentRedirect", "Use the endpoint."),
                               {"x-amz-bucket-region": "us-east-1"}), "us-east-1", "another region", "AWS_REGION")
        wrong = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"
        self.s3_refused(always(400, xml_error("AuthorizationHeaderMalformed", wrong, "<Region>us-east-1</Region>")),
                        wrong, "AWS_REGION")
        scope = "Credential should be scoped to a valid region."
        self.dynamodb_refused(always(400, json_error("InvalidSignatureException", scope)), scope, "AWS_REGION")

    def test_a_table_of_another_region_is_not_there(self):
        self.dynamodb_refused(always(400, json_error("ResourceNotFoundException", "Requested resource not found")),
                              "does not exist", "unum store create dynamodb:orders", "AWS_REGION")

    def test_a_table_that_is_being_created_is_waited_for_and_that_is_told(self):
        asked = []

        def answer(method, path, headers):
            operation = headers["x-amz-target"].split(".")[1]
            if operation == "DescribeTable":
                asked.append(operation)
                return 200, table("CREATING" if len(asked) < 4 else "ACTIVE")
            if operation == "PutItem":
                return 400, json_error("ConditionalCheckFailedException", "The conditional request failed")
            return 200, "{\"Items\": [], \"Count\": 0}"
        with Scripted(answer) as service:
            self.accepted_store("dynamodb:orders", "orders is being created", AWS_ENDPOINT_URL_DYNAMODB=service.url)
            self.assertEqual(4, len(asked))

    def test_a_table_that_is_on_its_way_out(self):
        self.dynamodb_refused(always(200, table("DELETING")), "DELETING", "ACTIVE")

    def test_a_page_instead_of_a_service(self):
        page = "<html><head><title>Welcome to the intranet</title></head></html>"
        self.s3_refused(always(404, page), "404")
        self.dynamodb_refused(always(404, page), "404")


class Absent(BadStore):
    """Nobody there, or there and without what was asked for."""

    def test_a_bucket_that_is_not_there(self):
        url = server_of(self, "UNUM_TEST_S3")
        name = f"unum-none-{uuid.uuid4().hex[:12]}"
        self.refused_store(f"s3:{name}/orders", f"no bucket {name}", url, f"unum store create s3:{name}/orders",
                           AWS_ENDPOINT_URL_S3=url, AWS_ACCESS_KEY_ID="unum-test", AWS_SESSION_TOKEN="",
                           AWS_SECRET_ACCESS_KEY="unum-test-secret")

    def test_a_secret_that_is_wrong(self):
        url = server_of(self, "UNUM_TEST_S3")
        self.refused_store("s3:orders", "SignatureDoesNotMatch", url, "secret access key", "environment",
                           AWS_ENDPOINT_URL_S3=url, AWS_ACCESS_KEY_ID="unum-test", AWS_SESSION_TOKEN="")

    def test_a_table_that_is_not_there(self):
        url = server_of(self, "UNUM_TEST_DYNAMODB")
        name = f"none-{uuid.uuid4().hex[:12]}"
        self.refused_store(f"dynamodb:{name}", name, url, "us-east-1", f"unum store create dynamodb:{name}",
                           AWS_ENDPOINT_URL_DYNAMODB=url)

    def test_a_table_with_another_key(self):
        url = server_of(self, "UNUM_TEST_DYNAMODB")
        for keys in ([("Name", "HASH", "S"), ("Time", "RANGE", "N")], [("Id", "HASH", "S")], [("Name", "HASH", "N")]):
            name = f"other-{uuid.uuid4().hex[:12]}"
            self.create_table(url, name, keys)
            self.refused_store(f"dynamodb:{name}", name, *(key for key, _, _ in keys), "Name (hash, S)",
                               AWS_ENDPOINT_URL_DYNAMODB=url)

    def create_table(self, url, name, keys):
        body = {"TableName": name, "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind, _ in keys],
                "AttributeDefinitions": [{"AttributeName": key, "AttributeType": type} for key, _, type in keys]}
        request = urllib.request.Request(url, json.dumps(body).encode(), {
            "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.CreateTable",
            # It looks at the access key alone.
            "Authorization": "AWS4-HMAC-SHA256 Credential=unumtest/20260101/us-east-1/dynamodb/aws4_request, "
                             "SignedHeaders=host, Signature=0"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=SOON_S):
            pass

    def test_nobody_listens(self):
        at = f"127.0.0.1:{free_port()}"
        self.refused_store("s3:orders", "orders", at, "is a server running", "AWS_ENDPOINT_URL",
                           AWS_ENDPOINT_URL_S3=f"http://{at}")
        self.refused_store("dynamodb:orders", "orders", at, "is a server running", "AWS_ENDPOINT_URL",
                           AWS_ENDPOINT_URL_DYNAMODB=f"http://{at}")
        self.refused_store(f"redis:{at}", at, "does not exist or cannot be reached", "start the server")
        socket_path = self.path("no.socket")
        self.refused_store(f"redis:unix:{socket_path}", socket_path, "start the server")

    def test_a_name_that_does_not_resolve(self):
        self.refused_store("s3:orders", "orders", "s3.unum.invalid", "resolve",
                           AWS_ENDPOINT_URL_S3="http://s3.unum.invalid:9000")
        self.refused_store("dynamodb:orders", "orders", "db.unum.invalid", "resolve",
                           AWS_ENDPOINT_URL_DYNAMODB="http://db.unum.invalid:8000")
        self.refused_store("redis:cache.unum.invalid", "cache.unum.invalid", "correct the name")

    def test_what_listens_speaks_another_language(self):
        with Scripted(always(200, "")) as service:
            at = service.url.removeprefix("http://")
            self.refused_store(f"redis:{at}", at, "Redis")


class Proxies(BadStore):
    def test_a_proxy_that_is_not_there_is_named(self):
        proxy = f"127.0.0.1:{free_port()}"
        for scheme in ("http", "https"):
            self.refused_store("s3:orders", "orders", "s3.unum.invalid", f"{scheme}_proxy is {proxy}",
                               AWS_ENDPOINT_URL_S3=f"{scheme}://s3.unum.invalid",
                               **{f"{scheme}_proxy": f"http://{proxy}"})
            self.refused_store("dynamodb:orders", "orders", "db.unum.invalid", f"{scheme}_proxy is {proxy}",
                               AWS_ENDPOINT_URL_DYNAMODB=f"{scheme}://db.unum.invalid",
                               **{f"{scheme}_proxy": f"http://{proxy}"})

    def test_a_proxy_that_refuses(self):
        with Scripted(always(403, "<html><title>Not with me</title></html>")) as proxy:
            address = proxy.url.removeprefix("http://")
            with_password = f"http://me:{PASSWORD}@{address}"
            self.refused_store("s3:orders", "s3.unum.invalid", "403", f"https_proxy is {address}",
                               AWS_ENDPOINT_URL_S3="https://s3.unum.invalid", https_proxy=with_password)
            self.assertIn("CONNECT s3.unum.invalid:443", proxy.requests)
            self.refused_store("dynamodb:orders", "db.unum.invalid", "403", f"http_proxy is {address}",
                               AWS_ENDPOINT_URL_DYNAMODB="http://db.unum.invalid", http_proxy=with_password)


class Tls(BadStore):
    def test_an_untrusted_certificate_and_the_same_one_trusted(self):
        url = server_of(self, "UNUM_TEST_S3_TLS")
        name = "unum-bad-input"
        keys = {"AWS_ENDPOINT_URL_S3": url, "AWS_ACCESS_KEY_ID": "unum-test", "AWS_SESSION_TOKEN": "",
                "AWS_SECRET_ACCESS_KEY": "unum-test-secret"}
        self.refused_store(f"s3:{name}", name, url, "certificate", "AWS_CA_BUNDLE", **keys)
        trusting = {**keys, "AWS_CA_BUNDLE": server_of(self, "UNUM_TEST_CA")}
        self.unum("store", "create", f"s3:{name}", code=DONE, **self.environment(trusting))
        self.accepted_store(f"s3:{name}", **trusting)
        self.refused_store(f"s3:{name}", "AWS_CA_BUNDLE", self.path("none.pem"), code=USAGE,
                           **{**keys, "AWS_CA_BUNDLE": self.path("none.pem")})

    def test_a_certificate_for_another_name(self):
        certificates = Certificates(self.path("certificates"))
        certificates.make()
        with Scripted(always(200, ""), address="127.0.0.2", tls=certificates) as service:
            for store, variable in (("s3:orders", "AWS_ENDPOINT_URL_S3"),
                                    ("dynamodb:orders", "AWS_ENDPOINT_URL_DYNAMODB")):
                self.refused_store(store, "orders", service.url, "certificate", "127.0.0.2",
                                   AWS_CA_BUNDLE=certificates.authority, **{variable: service.url})
            self.assertEqual([], service.requests, "nothing may be sent to a stranger")

    def test_redis_by_tls(self):
        at = server_of(self, "UNUM_TEST_REDIS_TLS")
        authority = server_of(self, "UNUM_TEST_CA")
        ended = self.unum("store", "check", f"redis:rediss://{at}", UNUM_REDIS_CA=authority)
        if "needs TLS" in ended.err:
            self.refused_store(f"redis:rediss://{at}", at, "needs TLS", UNUM_REDIS_CA=authority)
            return
        self.accepted_store(f"redis:rediss://{at}", UNUM_REDIS_CA=authority)
        self.refused_store(f"redis:rediss://{at}", at, "certificate", "UNUM_REDIS_CA")
        stranger = at.replace("127.0.0.1", "127.0.0.2")
        self.refused_store(f"redis:rediss://{stranger}", stranger, "certificate", UNUM_REDIS_CA=authority)
        self.refused_store(f"redis:{at}", at, "rediss://HOST if it speaks TLS")


class RedisWithPassword(Redis):
    def options(self):
        return ["--requirepass", PASSWORD]

    def is_ready(self):
        return can_connect(self.port)


class RedisPasswords(BadStore):
    def test_a_password_that_is_wrong_and_one_that_is_missing(self):
        server_of(self, "UNUM_TEST_REDIS")
        os.mkdir(self.path("redis"))
        with running(RedisWithPassword(self.path("redis"))) as server:
            at = server.address
            self.refused_store(f"redis:{at}", at, "NOAUTH", "UNUM_REDIS_PASSWORD")
            self.refused_store(f"redis:{at}", at, "WRONGPASS", "default", "UNUM_REDIS_PASSWORD",
                               UNUM_REDIS_PASSWORD=WRONG_PASSWORD)
            self.refused_store(f"redis:redis://me:{WRONG_PASSWORD}@{at}", f"me:***@{at}", "WRONGPASS", "as me")
            self.accepted_store(f"redis:{at}", UNUM_REDIS_PASSWORD=PASSWORD)

    def test_a_database_that_the_server_has_not(self):
        at = server_of(self, "UNUM_TEST_REDIS")
        self.refused_store(f"redis:redis://{at}/999999", at, "selecting database 999999")


if __name__ == "__main__":
    unittest.main()
