"""The AWS stores at Amazon's own host names: without an endpoint of one's own a bucket is part of the host's name, all
is TLS, and a bucket of another region than the first is made with that region's name. Here a proxy, named in
HTTPS_PROXY, plays Amazon: for those names it has a certificate, and moto answers behind it. No name is resolved and
nothing leaves the machine.
"""

import dataclasses
import http.client
import http.server
import json
import os
import ssl
import unittest
import uuid

from harness import DONE, AppTest, example_cases, read_json
from loopback_server import LoopbackServer
from network_stores import AWS
from servers.certificates import Certificates

REGION = "eu-west-1"
S3 = f"s3.{REGION}.amazonaws.com"
S3_DUAL_STACK = f"s3.dualstack.{REGION}.amazonaws.com"
DYNAMODB = f"dynamodb.{REGION}.amazonaws.com"
NAMES = ",".join(f"DNS:{name}" for name in (S3, "*." + S3, "*." + S3_DUAL_STACK, DYNAMODB))
# Of one hop each: what stands between proxy and moto is not what stands between command and proxy.
OF_A_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclasses.dataclass
class Request:
    host: str
    method: str
    path: str
    body: bytes

    @property
    def parts(self):
        return self.host, self.method, self.path.partition("?")[0]


class Amazon(LoopbackServer):
    """A proxy whose tunnels all end at moto; what goes through them is written down."""

    def __init__(self, moto, certificates):
        super().__init__(Tunnel)
        self.moto = moto
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates.certificate, certificates.key)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Tunnel(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tunnel = None

    def connect(self):
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.tunnel = self.path.removesuffix(":443")
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self.close_connection = False

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # The name in the tunnel's certificate is the one that was signed.
        assert self.headers["Host"] == self.tunnel, f"{self.headers['Host']} in a tunnel to {self.tunnel}"
        self.server.requests.append(Request(self.tunnel, self.command, self.path, body))
        moto = http.client.HTTPConnection(self.server.moto, timeout=30)
        moto.request(self.command, self.path, body, dict(self.headers))
        answer = moto.getresponse()
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in OF_A_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length", "0") if self.command == "HEAD"
                         else str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()
        moto.close()

    # pylint: disable=invalid-name
    do_CONNECT = connect
    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward

    def finish(self):
        super().finish()
        self.connection.close()

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@unittest.skipUnless(os.environ.get("UNUM_TEST_STS"), "UNUM_TEST_STS names no moto")
class AtAmazonsNames(AppTest):
    def setUp(self):
        super().setUp()
        certificates = Certificates(self.path("certificates"))
        certificates.make(NAMES)
        amazon = Amazon(os.environ["UNUM_TEST_STS"].rpartition("/")[2], certificates)
        self.amazon = self.enterContext(amazon)
        nothing = dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE",
                                 "AWS_SESSION_TOKEN", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"), "")
        self.environment = {**AWS, **nothing, "AWS_REGION": REGION, "AWS_CA_BUNDLE": certificates.authority,
                            "HTTPS_PROXY": amazon.url, "https_proxy": amazon.url}
        self.own_name = f"unum-{uuid.uuid4().hex[:16]}"

    def ask(self, *arguments, **environment):
        return self.unum(*arguments, code=DONE, **{**self.environment, **environment})

    def expect_to_run(self, example, store):
        name, given, expected = next(case for case in example_cases() if case[0] == example)
        ended = self.ask("run", self.example(name), "--input", "@" + given, "--store", store, "--quiet")
        self.assertEqual(read_json(expected), json.loads(ended.out))

    def hosts(self):
        return {request.host for request in self.amazon.requests}

    def test_a_bucket_is_made_in_its_region_and_then_named_in_the_host(self):
        self.ask("store", "create", "s3:" + self.own_name)
        made = [request for request in self.amazon.requests if request.method == "PUT"]
        self.assertEqual([(S3, "PUT", "/" + self.own_name)], [request.parts for request in made])
        self.assertIn(b"<LocationConstraint>eu-west-1</LocationConstraint>", made[0].body)
        self.amazon.requests.clear()
        self.ask("store", "check", "s3:" + self.own_name)
        self.expect_to_run("word-count", "s3:" + self.own_name)
        self.assertEqual({f"{self.own_name}.{S3}"}, self.hosts())

    def test_a_bucket_with_a_dot_stands_in_the_path(self):
        """No wildcard certificate has a name for it."""
        bucket = self.own_name + ".data"
        self.ask("store", "create", "s3:" + bucket)
        self.ask("store", "check", "s3:" + bucket)
        self.assertEqual({S3}, self.hosts())

    def test_dual_stack_is_another_name(self):
        self.ask("store", "create", "s3:" + self.own_name)
        self.amazon.requests.clear()
        self.ask("store", "check", "s3:" + self.own_name, AWS_USE_DUALSTACK_ENDPOINT="true")
        self.assertEqual({f"{self.own_name}.{S3_DUAL_STACK}"}, self.hosts())

    def test_a_table(self):
        """One request at a time: moto loses updates of one item that come at once."""
        self.ask("store", "create", "dynamodb:" + self.own_name)
        self.ask("store", "check", "dynamodb:" + self.own_name)
        self.expect_to_run("loop", "dynamodb:" + self.own_name)
        self.assertEqual({DYNAMODB}, self.hosts())


if __name__ == "__main__":
    unittest.main()
