"""The gate itself: every fault is seen from both sides of it, and the same seed does the same again."""

import contextlib
import http.server
import socket
import subprocess
import sys
import threading
import unittest

from gate_control import GATE, GateControl
from rules import RuleError, parse_rule

WAIT_S = 20


class EchoServer:
    """Sends back what it gets, connection by connection; remembers what came."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.received = {}
        self.ended = threading.Semaphore(0)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        number = 0
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(number, connection), daemon=True).start()
            number += 1

    def serve(self, number, connection):
        self.received[number] = b""
        with connection:
            try:
                while data := connection.recv(65536):
                    self.received[number] += data
                    connection.sendall(data)
            except OSError:
                pass
        self.ended.release()

    def close(self):
        with contextlib.suppress(OSError):  # closed already
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self.seen = []

    def handle_error(self, *_):
        """A connection that the gate cut is what the test wanted."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what was sent, or with the path."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or self.path.encode()
        self.server.seen.append((self.command, self.path))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = answer

    def log_message(self, *_):
        pass


class GateTest(unittest.TestCase):
    def gate(self, server, *rules, **options):
        gate = GateControl(server.address, *rules, **options)
        self.addCleanup(gate.close)
        return gate

    def connect(self, gate):
        host, _, port = gate.address.rpartition(":")
        connection = socket.create_connection((host, int(port)), timeout=WAIT_S)
        self.addCleanup(connection.close)
        return connection

    @staticmethod
    def read_to_end(connection):
        """(what came, whether the end was a reset)."""
        came = b""
        try:
            while data := connection.recv(65536):
                came += data
        except ConnectionResetError:
            return came, True
        return came, False

    def exchange(self, gate, data=b"0123456789"):
        try:
            connection = self.connect(gate)  # the reset may come before it returns
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            return b"", True
        return self.read_to_end(connection)


class Connections(GateTest):
    def setUp(self):
        self.server = EchoServer()
        self.addCleanup(self.server.close)

    def test_without_a_rule_everything_passes_and_is_counted(self):
        gate = self.gate(self.server)
        data = bytes(range(256)) * 4096
        self.assertEqual((data, False), self.exchange(gate, data))
        stats = gate.stats()
        self.assertEqual((1, len(data), len(data)),
                         (stats["connections"], stats["bytes up"], stats["bytes down"]))

    def test_a_refused_connection_is_reset(self):
        gate = self.gate(self.server, "next 1 refuse")
        self.assertEqual((b"", True), self.exchange(gate))
        self.assertEqual((b"0123456789", False), self.exchange(gate))
        self.assertEqual(1, len(self.server.received))

    def test_while_the_gate_is_down_nobody_listens(self):
        gate = self.gate(self.server)
        gate.ask("down")
        with self.assertRaises(ConnectionRefusedError):
            self.connect(gate)
        gate.ask("up")
        self.assertEqual((b"0123456789", False), self.exchange(gate))

    def test_what_is_dropped_reaches_nobody_and_is_never_answered(self):
        gate = self.gate(self.server, "drop")
        self.assertEqual((b"", False), self.exchange(gate))
        self.assertEqual({}, self.server.received)

    def test_a_silent_server_has_done_its_work(self):
        gate = self.gate(self.server, "silent")
        self.assertEqual(b"", self.exchange(gate)[0])
        self.assertTrue(self.server.ended.acquire(timeout=WAIT_S))
        self.assertEqual({0: b"0123456789"}, self.server.received)

    def test_a_cut_lets_exactly_so_many_bytes_through_in_either_direction(self):
        gate = self.gate(self.server, "next 1 cut down 4")
        self.assertEqual((b"0123", True), self.exchange(gate))
        gate.ask("clear")
        gate.rule("cut up 3")
        came, was_reset = self.exchange(gate)
        self.assertTrue(was_reset)
        self.assertTrue(self.server.ended.acquire(timeout=WAIT_S))
        self.assertTrue(self.server.ended.acquire(timeout=WAIT_S))
        self.assertTrue(b"012".startswith(self.server.received[1]), self.server.received)
        self.assertTrue(b"012".startswith(came))

    def test_a_closed_direction_leaves_the_other_open(self):
        gate = self.gate(self.server, "close down 5")
        connection = self.connect(gate)
        connection.sendall(b"0123456789")
        self.assertEqual((b"01234", False), self.read_to_end(connection))
        connection.sendall(b"more")
        connection.shutdown(socket.SHUT_WR)
        self.assertTrue(self.server.ended.acquire(timeout=WAIT_S))
        self.assertEqual(b"0123456789more", self.server.received[0])

    def test_one_byte_is_corrupted_and_no_other(self):
        gate = self.gate(self.server, "corrupt down 2")
        self.assertEqual((b"01" + bytes([ord("2") ^ 0xFF]) + b"3456789", False), self.exchange(gate))

    def test_a_delay_keeps_each_piece_back(self):
        gate = self.gate(self.server, "delay 300")
        connection = self.connect(gate)
        connection.sendall(b"x")
        connection.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            connection.recv(1)
        connection.settimeout(WAIT_S)
        self.assertEqual(b"x", connection.recv(1))

    def test_what_is_held_goes_on_when_it_is_told_to(self):
        gate = self.gate(self.server, "hold up 5")
        connection = self.connect(gate)
        connection.sendall(b"0123456789")
        gate.wait_until_held()
        came = b""
        while len(came) < 5:
            came += connection.recv(10)
        self.assertEqual(b"01234", came)
        gate.ask("resume")
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual((b"56789", False), self.read_to_end(connection))

    def test_sever_resets_what_is_open(self):
        gate = self.gate(self.server)
        connection = self.connect(gate)
        connection.sendall(b"x")
        self.assertEqual(b"x", connection.recv(1))
        gate.ask("sever")
        self.assertEqual((b"", True), self.read_to_end(connection))

    def test_it_says_when_the_last_connection_has_ended(self):
        gate = self.gate(self.server)
        connection = self.connect(gate)
        connection.sendall(b"x")
        self.assertEqual(b"x", connection.recv(1))
        self.assertEqual(2, gate.stats()["open"])
        connection.close()
        gate.ask("idle")
        self.assertEqual(0, gate.stats()["open"])

    def test_a_server_that_is_not_there_ends_the_connection(self):
        self.server.close()
        gate = self.gate(self.server)
        self.assertEqual(b"", self.exchange(gate)[0])

    def test_every_third_connection_and_no_other(self):
        gate = self.gate(self.server, "every 3 refuse")
        self.assertEqual([False, False, True] * 3, [self.exchange(gate)[1] for _ in range(9)])
        self.assertEqual(3, gate.stats()["refuse"])

    def test_what_is_above_a_rate_and_nothing_below_it(self):
        rule = parse_rule("above 1000000 refuse")
        self.assertEqual([False] * 3, [rule.applies() for _ in range(3)])
        rule = parse_rule("above 1 refuse")
        self.assertEqual([False, True, True], [rule.applies() for _ in range(3)])

    def test_the_same_seed_meets_the_same_connections(self):
        def fate(seed):
            gate = self.gate(self.server, "chance 3 refuse", seed=seed)
            self.assertEqual(seed, gate.seed)
            return [self.exchange(gate)[1] for _ in range(30)]

        first = fate(1)
        self.assertEqual({True, False}, set(first))
        self.assertEqual(first, fate(1))
        self.assertNotEqual(first, fate(2))

    def test_a_wrong_rule_is_refused_by_name(self):
        for text in ("", "explode", "next refuse", "next 0 refuse", "cut sideways 3", "cut up", "cut up -1",
                     "answer 500", "length 1", "cut up head", "refuse now", "delay x"):
            with self.subTest(rule=text), self.assertRaisesRegex(RuleError, repr(text)):
                parse_rule(text)
        ended = subprocess.run([sys.executable, GATE, self.server.address, "explode"], check=False,
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT_S)
        self.assertEqual((1, "", "gate.py: 'explode' is no rule\n"), (ended.returncode, ended.stdout, ended.stderr))
        gate = self.gate(self.server)
        with self.assertRaisesRegex(ValueError, "'explode' is no rule"):
            gate.rule("explode")
        with self.assertRaisesRegex(ValueError, "no command: dance"):
            gate.ask("dance")


class Requests(GateTest):
    def setUp(self):
        self.server = HttpServer()
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def ask(self, connection, path="/path", body=b"", method="GET", fields=""):
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
                           .encode() + body)

    def answer(self, connection):
        """(status, head, body) of one answer."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return None
            head += byte
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length"))
        body = b""
        while len(body) < length:
            data = connection.recv(length - len(body))
            if not data:
                break
            body += data
        return int(head.split()[1]), head, body

    def test_requests_pass_one_after_another_on_one_connection(self):
        gate = self.gate(self.server, http=True)
        connection = self.connect(gate)
        for number in range(3):
            self.ask(connection, f"/{number}")
            self.assertEqual((200, f"/{number}".encode()), self.answer(connection)[::2])
        body = b"y" * 200_000
        self.ask(connection, body=body, method="PUT", fields="Expect: 100-continue\r\n")
        self.assertTrue(connection.recv(25).startswith(b"HTTP/1.1 100 "))
        self.assertEqual((200, body), self.answer(connection)[::2])
        self.assertEqual((1, 4), (gate.stats()["connections"], gate.stats()["requests"]))

    def test_the_next_two_requests_are_answered_in_place_of_the_server(self):
        gate = self.gate(self.server, "next 2 answer 503 SlowDown 1", http=True)
        connection = self.connect(gate)
        for _ in range(2):
            self.ask(connection)
            status, head, body = self.answer(connection)
            self.assertEqual(503, status)
            self.assertIn(b"Retry-After: 1\r\n", head)
            self.assertIn(b"<Code>SlowDown</Code>", body)
        self.assertEqual([], self.server.seen)
        self.ask(connection)
        self.assertEqual((200, b"/path"), self.answer(connection)[::2])

    def test_dynamodb_is_answered_in_json(self):
        gate = self.gate(self.server, "answer 400 ProvisionedThroughputExceededException", http=True)
        connection = self.connect(gate)
        self.ask(connection, method="POST", fields="X-Amz-Target: DynamoDB_20120810.GetItem\r\n")
        status, _, body = self.answer(connection)
        self.assertEqual(400, status)
        self.assertIn(b'#ProvisionedThroughputExceededException"', body)

    def test_a_body_is_cut_or_closed_or_corrupted_in_its_middle(self):
        for rule, expected in (("cut down 3", (b"/pa", True)), ("close down 3", (b"/pa", False))):
            with self.subTest(rule=rule):
                connection = self.connect(self.gate(self.server, rule, http=True))
                self.ask(connection)
                came, was_reset = self.read_to_end(connection)
                self.assertEqual(expected, (came.partition(b"\r\n\r\n")[2], was_reset))
        connection = self.connect(self.gate(self.server, "corrupt down 0", http=True))
        self.ask(connection)
        self.assertEqual(bytes([ord("/") ^ 0xFF]) + b"path", self.answer(connection)[2])

    def test_a_head_is_cut_in_its_middle(self):
        connection = self.connect(self.gate(self.server, "cut down head", http=True))
        self.ask(connection)
        came, was_reset = self.read_to_end(connection)
        self.assertTrue(was_reset)
        self.assertTrue(came.startswith(b"HTTP/1.1 200") and b"\r\n\r\n" not in came, came)

    def test_a_request_that_is_cut_does_not_reach_the_server_whole(self):
        connection = self.connect(self.gate(self.server, "cut up 2", http=True))
        self.ask(connection, body=b"12345", method="PUT")
        self.assertEqual((b"", True), self.read_to_end(connection))

    def test_a_length_is_off_by_so_much(self):
        for difference, body in ((-2, b"/pa"), (3, b"/path")):
            with self.subTest(difference=difference):
                connection = self.connect(self.gate(self.server, f"length {difference}", http=True))
                self.ask(connection)
                _, head, came = self.answer(connection)
                self.assertIn(f"Content-Length: {5 + difference}\r\n".encode(), head)
                self.assertEqual(body, came)

    def test_an_answer_that_is_swallowed_and_one_that_is_dropped_differ_at_the_server(self):
        for rule, seen in (("drop", []), ("silent", [("PUT", "/path")])):
            with self.subTest(rule=rule):
                self.server.seen.clear()
                gate = self.gate(self.server, rule, http=True)
                connection = self.connect(gate)
                self.ask(connection, body=b"1", method="PUT")
                connection.shutdown(socket.SHUT_WR)
                self.assertEqual((b"", False), self.read_to_end(connection))
                self.assertEqual(seen, self.server.seen)


if __name__ == "__main__":
    unittest.main()
