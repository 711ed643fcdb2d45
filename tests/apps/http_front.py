"""What stands in front of `unum serve` in tests: servers of an application's functions, and a platform that takes
invocations, keeps them, and delivers each until it is acknowledged, at least once.
"""

import http.client
import http.server
import json
import os
import queue
import random
import signal
import socket
import threading

TIMEOUT_S = 100
WORKFLOW_TIMEOUT_S = 300  # with its servers killed again and again, on a machine that is busy
DELIVERERS = 4
DELIVERIES_MAX = 5000


class Server:
    """One `unum serve`, which can be killed and come back at its port."""

    def __init__(self, test, *arguments, **environment):
        self.test, self.arguments, self.environment = test, arguments, environment
        self.port, self.said = 0, []
        self.command, self.reader = None, None
        self.lock = threading.Lock()  # of who kills it
        self.start()

    def start(self):
        # Where the environment says the port, no option does.
        has_place = "--socket" in self.arguments or any(name.endswith("PORT") for name in self.environment)
        options = [] if has_place else ["--port", str(self.port)]
        self.command = self.test.start("serve", *self.arguments, *options, **self.environment)
        serving = threading.Event()
        self.reader = threading.Thread(target=self.read, args=(self.command.process.stderr, serving), daemon=True)
        self.reader.start()
        if not serving.wait(TIMEOUT_S) or self.command.process.poll() is not None:
            raise AssertionError("it does not serve:\n" + "\n".join(self.said))

    def read(self, stream, serving):
        for line in stream:
            text = line.decode(errors="replace").rstrip("\n")
            self.said.append(text)
            if " at once, store " in text:
                if " at http://" in text:
                    self.port = int(text.partition(" at http://")[2].partition(",")[0].rpartition(":")[2])
                serving.set()
        serving.set()

    def kill(self):
        self.command.send(signal.SIGKILL)
        self.command.process.wait(TIMEOUT_S)

    def stop(self):
        """Ends it as a platform does; its exit code."""
        self.command.send(signal.SIGTERM)
        code = self.command.process.wait(TIMEOUT_S)
        self.reader.join(TIMEOUT_S)
        return code

    def request(self, method, path, body=None, **headers):
        """(status, headers, text)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def post(self, path, value, **headers):
        """(status, the JSON of the answer)"""
        body = value if isinstance(value, (bytes, str)) else json.dumps(value)
        status, _, text = self.request("POST", path, body, **headers)
        return status, json.loads(text) if text.startswith("{") else text


class Front:
    """Keeps invocations and delivers them. With faults: some messages are delivered twice, some acceptances and
    some acknowledgements get lost, some servers are killed while they have a delivery.
    """

    def __init__(self, seed=0, twice=0.0, lost=0.0, killed=0.0, drops=False):
        self.random, self.twice, self.lost, self.killed = random.Random(seed), twice, lost, killed
        self.drops = drops
        self.lock = threading.Condition()
        self.queue, self.outstanding = queue.Queue(), 0
        self.accepted, self.delivered, self.kills, self.largest = 0, 0, 0, 0
        self.results, self.problems = {}, []
        self.servers = {}
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                front.put(self.path.rpartition("/")[2], body)
                if front.chance(front.lost):  # accepted, and the sender does not hear of it
                    self.close_connection = True
                    return
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, *_):
                pass  # a sender that was killed

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.listener.server_address[1]}/{{function}}"
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()
        for _ in range(DELIVERERS):
            threading.Thread(target=self.deliver_all, daemon=True).start()

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()
        for _ in range(DELIVERERS):
            self.queue.put(None)

    def chance(self, of):
        with self.lock:
            return self.random.random() < of

    def put(self, function, body):
        with self.lock:
            copies = 2 if self.random.random() < self.twice else 1
            self.accepted += 1
            self.largest = max(self.largest, len(body))
            self.outstanding += copies
            # What copies of one message there are; a platform may drop one whose other was acknowledged.
            message = {"function": function, "body": body, "acknowledged": False}
        for _ in range(copies):
            self.queue.put(message)

    def run(self, entry, given, session):
        """The result of the workflow."""
        self.put(entry, json.dumps({"Data": {"Source": "http", "Value": given}, "Session": session}).encode())
        with self.lock:
            if not self.lock.wait_for(lambda: self.outstanding == 0 or self.problems, WORKFLOW_TIMEOUT_S):
                raise AssertionError(f"{self.outstanding} messages are left of {self.accepted}")
        if self.problems:
            raise AssertionError(self.problems)
        if len(self.results) != 1:
            raise AssertionError(f"not one result: {self.results}")
        return next(iter(self.results.values()))

    def deliver_all(self):
        while (message := self.queue.get()) is not None:
            try:
                again = not self.deliver(message)
            except Exception as error:  # pylint: disable=broad-except
                again = False
                self.problems.append(repr(error))
            if again:
                self.queue.put(message)
            else:
                with self.lock:
                    self.outstanding -= 1
                    self.lock.notify_all()

    def deliver(self, message):
        """Whether it is done with."""
        with self.lock:
            server = self.random.choice(self.servers[message["function"]])
        killer = None
        if self.chance(self.killed):
            killer = threading.Timer(self.random.uniform(0, 0.15), self.replace, [server])
            killer.start()
        try:
            status, answer = server.post("/" + message["function"], message["body"])
        except (OSError, http.client.HTTPException):
            status, answer = 0, None
        if killer:
            killer.join()
        if status in (0, 429):  # it is coming back, or busy: other servers of the function may take it
            threading.Event().wait(0.05)
        else:
            with self.lock:
                self.delivered += 1
                if self.delivered > DELIVERIES_MAX:
                    raise AssertionError(f"delivered again and again, at last {status}: {answer}")
        if status == 200:
            if answer["status"] == "failed":
                self.problems.append(answer)
            with self.lock:
                if "result" in answer:
                    self.results.setdefault(answer["instance"], answer["result"])
                    if self.results[answer["instance"]] != answer["result"]:
                        self.problems.append(answer)
                lost = self.random.random() < self.lost
                message["acknowledged"] = message["acknowledged"] or not lost
                return not lost
        if status in (0, 429, 500, 503):
            # Lambda and others may drop a delivery that died if its duplicate was acknowledged.
            return status == 0 and self.drops and message["acknowledged"]
        self.problems.append((status, answer))
        return True

    def replace(self, server):
        # One that is coming back is left alone: else it would be killed again before it served anybody.
        if not server.lock.acquire(blocking=False):
            return
        try:
            server.kill()
            server.start()
        except AssertionError as error:
            self.problems.append(repr(error))
        finally:
            server.lock.release()
        with self.lock:
            self.kills += 1


def wide():
    """Whether the tests are to run at length."""
    return os.environ.get("UNUM_TEST_WIDE") == "1"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def unix_post(path, target, body, headers):
    connection = UnixConnection(path)
    connection.request("POST", target, body, headers)
    response = connection.getresponse()
    told = response.status, response.read().decode(), dict(response.headers)
    connection.close()
    told[2].pop("Date")
    return told
