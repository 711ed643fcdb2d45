"""AWS Lambda as the tests need it: the service's Invoke, the Runtime API, and environments that come and go.

What it does on purpose, as the service may: it delivers events twice (at once or later, with the same request id),
kills environments at any moment, freezes those that wait for an event, answers 429 with Retry-After, delivers what
failed twice more, and passes what failed for good to the on-failure destination.
"""

import collections
import hashlib
import hmac
import http.server
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
import urllib.parse
import uuid

ACCESS_KEY, SECRET_KEY, REGION = "AKIDLAMBDA", "lambda-secret-key", "us-east-1"
EVENT_BYTES_MAX = 1024 * 1024
RETRIES_MAX = 2
# Lambda waits for a minute, then for two.
RETRY_DELAYS_S = (0.05, 0.1)
INVOKE_PATH = re.compile(r"^/2015-03-31/functions/([^/]+)/invocations$")
RUNTIME_PATH = re.compile(r"^/2018-06-01/runtime/invocation/([^/]+)/(response|error)$")
ERROR_TYPE = re.compile(r"^(Runtime|Function)\.[A-Z][a-zA-Z]+$")


def descendants(pid):
    """A process and all below it."""
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as file:
                    found += [int(child) for child in file.read().split()]
        except OSError:
            pass
    return found


def send_signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def is_signed(request, body, access_key, secret_key):
    """Whether a request has the signature that it must have (Signature Version 4, IAM User Guide)."""
    parts = request.headers["Authorization"].split(" ", 1)[1].split(",")
    given = dict(part.strip().split("=", 1) for part in parts)
    key, date, region, service, _ = given["Credential"].split("/")
    names = given["SignedHeaders"].split(";")
    path, _, query = request.path.partition("?")
    canonical = "\n".join([
        request.command, urllib.parse.quote(path, safe="/-_.~"), "&".join(sorted(query.split("&"))) if query else "",
        *[f"{name}:{' '.join(request.headers[name].split())}" for name in names], "", ";".join(names),
        hashlib.sha256(body).hexdigest()])
    scope = f"{date}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", request.headers["X-Amz-Date"], scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    secret = ("AWS4" + secret_key).encode()
    for part in (date, region, service, "aws4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    return (key == access_key and (region, service) == (REGION, "lambda") and "host" in names
            and hmac.compare_digest(expected, given["Signature"]))


class Handler(http.server.BaseHTTPRequestHandler):
    """What both servers share."""

    protocol_version = "HTTP/1.1"
    # Answers are one segment each: no waiting for acknowledgements.
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        """Quiet."""

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, body=b"", **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def answer_in_chunks(self, body, headers):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 50_000):
            piece = body[at:at + 50_000]
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, handler, **context):
        super().__init__(("127.0.0.1", 0), handler)
        self.__dict__.update(context)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def handle_error(self, request, client_address):
        """Environments that are killed hang up."""

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"

    def stop(self):
        self.shutdown()
        self.server_close()


class Invokes(Handler):
    """The service's side: Invoke."""

    def do_POST(self):
        body = self.body()
        front = self.server.front
        name = urllib.parse.unquote(match[1]) if (match := INVOKE_PATH.match(self.path.partition("?")[0])) else None
        front.invokes.append((name, self.headers.get("X-Amz-Invocation-Type"), len(body)))
        if name is None:
            self.refuse(404, "UnknownOperationException", "no such operation")
        elif not is_signed(self, body, *front.keys):
            self.refuse(403, "InvalidSignatureException", "the signature does not match")
        elif self.headers.get("X-Amzn-Trace-Id"):
            self.refuse(400, "RecursiveInvocationException", "a loop was detected")
        elif planned := front.planned_answer():
            planned(self, name, body)
        elif (function := front.find(name)) is None:
            self.refuse(404, "ResourceNotFoundException", f"Function not found: {name}")
        elif len(body) > EVENT_BYTES_MAX:
            self.refuse(413, "RequestTooLargeException", f"{len(body)} byte payload is too large")
        elif self.headers.get("X-Amz-Invocation-Type") != "Event":
            self.refuse(400, "InvalidParameterValueException", "only events are served here")
        else:
            request_id = front.accept(function, body)
            self.answer(202, x_amzn_RequestId=request_id)

    def refuse(self, status, code, message, **headers):
        self.answer(status, {"Type": "User", "message": message}, x_amzn_ErrorType=code, **headers)


class RuntimeCalls(Handler):
    """The side of one environment: the Runtime API and that of extensions."""

    def do_GET(self):
        environment = self.server.environment
        if self.path == "/2020-01-01/extension/event/next":
            environment.extension_waits.set()
            environment.over.wait()
        elif self.path == "/2018-06-01/runtime/invocation/next":
            delivery = environment.wait_for_delivery()
            if delivery is None:
                self.close_connection = True
                return
            headers = {"Lambda-Runtime-Aws-Request-Id": delivery.event.request_id,
                       "Lambda-Runtime-Invocation-Id": delivery.invocation_id,
                       "Lambda-Runtime-Deadline-Ms": int(delivery.deadline * 1000),
                       "Lambda-Runtime-Invoked-Function-Arn": environment.function.arn,
                       "Lambda-Runtime-Trace-Id": "Root=1-0-0;Sampled=0"}
            self.answer_in_chunks(delivery.event.body, headers)
        else:
            self.answer(404)

    def do_POST(self):
        body = self.body()
        environment = self.server.environment
        environment.calls.append((self.path, dict(self.headers), body))
        if self.path == "/2020-01-01/extension/register":
            self.answer(200, {"functionName": environment.function.name}, Lambda_Extension_Identifier=uuid.uuid4())
        elif self.path == "/2018-06-01/runtime/init/error":
            environment.init_error = json.loads(body)
            self.answer(202, {"status": "OK"})
        elif match := RUNTIME_PATH.match(self.path):
            ok = match[2] == "response"
            if not ok and not ERROR_TYPE.match(self.headers.get("Lambda-Runtime-Function-Error-Type", "")):
                environment.front.problems.append(f"error type of {self.headers}")
            status = environment.end(match[1], self.headers.get("Lambda-Runtime-Invocation-Id"), ok, body)
            self.answer(status, {"status": "OK"} if status == 202 else {"errorType": "InvalidRequestID"})
        else:
            self.answer(404)


class Event:
    """What was accepted, with all its deliveries."""

    def __init__(self, function, body, request_id):
        self.function, self.body, self.request_id = function, body, request_id
        self.done = False  # some delivery was answered with success
        self.failures = []


class Delivery:
    def __init__(self, event, attempt=0):
        self.event, self.attempt = event, attempt
        self.invocation_id = str(uuid.uuid4())
        self.deadline = 0.0


class Environment:
    """One process with a Runtime API of its own, which serves one event at a time, or `concurrency` of them."""

    def __init__(self, front, function):
        self.front, self.function = front, function
        self.changed = threading.Condition()
        self.over, self.extension_waits = threading.Event(), threading.Event()
        self.running, self.offered, self.waiting, self.frozen = {}, collections.deque(), 0, False
        self.calls, self.init_error, self.dead, self.ending = [], None, False, False
        self.server = Server(RuntimeCalls, environment=self)
        variables = dict(os.environ, **front.environment)
        variables.update(function.environment, AWS_ACCESS_KEY_ID=front.keys[0], AWS_SECRET_ACCESS_KEY=front.keys[1],
                         AWS_REGION=REGION, AWS_LAMBDA_RUNTIME_API=self.server.address,
                         AWS_LAMBDA_FUNCTION_NAME=function.name, LAMBDA_TASK_ROOT=function.root,
                         AWS_ENDPOINT_URL_LAMBDA=front.url)
        self.log = os.path.join(front.directory, f"{function.name}-{uuid.uuid4().hex[:8]}.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(function.command, cwd=function.root, env=variables, stdout=log, stderr=log,
                                            start_new_session=True)
        threading.Thread(target=self.watch, daemon=True).start()

    def capacity(self):
        return self.function.concurrency - len(self.running) - len(self.offered)

    def offer(self, delivery):
        with self.changed:
            self.offered.append(delivery)
            self.changed.notify_all()

    def wait_for_delivery(self):
        """The next event for a `next` that is open; nothing when the environment has gone."""
        with self.changed:
            self.waiting += 1
            try:
                while not self.offered and not self.dead:
                    idle = not self.running and self.waiting == self.function.concurrency
                    if self.front.freezes and idle and not self.frozen and not self.ending:
                        self.frozen = True
                        send_signal(descendants(self.process.pid), signal.SIGSTOP)
                    self.changed.wait()
                if self.dead:
                    return None
                if self.frozen:
                    self.frozen = False
                    send_signal(descendants(self.process.pid), signal.SIGCONT)
                delivery = self.offered.popleft()
                delivery.deadline = time.time() + self.function.timeout_s
                self.running[delivery.event.request_id, delivery.invocation_id] = delivery
            finally:
                self.waiting -= 1
        self.front.began(self, delivery)
        return delivery

    def end(self, request_id, invocation_id, ok, body):
        with self.changed:
            delivery = self.running.pop((request_id, invocation_id), None)
        if delivery is None:
            return 410
        self.front.ended(delivery, ok, body.decode())
        return 202

    def kill(self):
        send_signal([self.process.pid], signal.SIGKILL)

    def shut_down(self, number=signal.SIGTERM):
        with self.changed:
            self.ending = True  # not frozen any more
            if self.frozen:
                send_signal(descendants(self.process.pid), signal.SIGCONT)
        send_signal([self.process.pid], number)

    def watch(self):
        """Until the process has ended; what it had not answered has failed."""
        code = self.process.wait()
        with self.changed:
            self.dead = True
            lost = list(self.running.values()) + list(self.offered)
            self.running.clear()
            self.offered.clear()
            self.changed.notify_all()
        self.over.set()
        self.front.gone(self, code, lost)
        self.server.stop()


class Deployed:
    """A function that Invoke finds by its name."""

    def __init__(self, name, root, command, environment, timeout_s, environments_max, concurrency):
        self.name, self.root, self.command, self.environment = name, root, command, environment
        self.timeout_s, self.environments_max, self.concurrency = timeout_s, environments_max, concurrency
        self.arn = f"arn:aws:lambda:{REGION}:123456789012:function:{name}"
        self.environments = []


def is_running(environment, delivery):
    return (delivery.event.request_id, delivery.invocation_id) in environment.running


class FrontDoor:
    """`twice` and `killed` are chances; `drops_dead_duplicates`: what failed is not delivered again once a duplicate
    of it was answered."""

    def __init__(self, directory, environment=(), seed=0, twice=0.0, killed=0.0, freezes=True,
                 drops_dead_duplicates=True):
        self.directory, self.environment = directory, dict(environment)
        self.keys = (self.environment.get("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                     self.environment.get("AWS_SECRET_ACCESS_KEY", SECRET_KEY))
        self.random, self.twice, self.killed, self.freezes = random.Random(seed), twice, killed, freezes
        self.drops_dead_duplicates = drops_dead_duplicates
        self.changed = threading.Condition(threading.RLock())
        self.functions, self.queue, self.due, self.plans = {}, collections.deque(), [], collections.deque()
        self.limits = []
        self.dead_letters, self.invokes, self.answers, self.problems, self.inits = [], [], [], [], []
        self.kills, self.deliveries, self.duplicates, self.under_way = 0, 0, 0, 0
        self.closing = False
        self.server = Server(Invokes, front=self)
        self.url = f"http://{self.server.address}"
        self.pump = threading.Thread(target=self.run, daemon=True)
        self.pump.start()

    def add(self, name, root, command, environment=(), timeout_s=30, environments_max=4, concurrency=1):
        self.functions[name] = Deployed(name, root, command, dict(environment), timeout_s, environments_max,
                                        concurrency)

    def find(self, name):
        """By name, name:alias, partial or whole ARN."""
        parts = name.split(":")
        if "function" in parts:
            parts = parts[parts.index("function") + 1:]
        return self.functions.get(parts[0])

    # --- What a test has it do

    def plan(self, *answers):
        """The next Invokes are answered so: functions of the request, the name and the body."""
        with self.changed:
            self.plans.extend(answers)

    def planned_answer(self):
        with self.changed:
            return self.plans.popleft() if self.plans else None

    def invoke(self, name, payload, request_id=None):
        """An event, as from somebody who calls the service."""
        return self.accept(self.find(name), json.dumps(payload).encode(), request_id)

    def wait_until_idle(self, timeout_s=120):
        with self.changed:
            done = self.changed.wait_for(lambda: not self.queue and not self.due and not self.under_way, timeout_s)
            if not done:
                raise AssertionError(f"not idle after {timeout_s} s: {len(self.queue)} queued, {len(self.due)} due, "
                                     f"{self.under_way} under way, {self.dead_letters} {self.logs()[-3000:]}")

    def redrive(self):
        """Delivers what went to the on-failure destination again; returns how many."""
        with self.changed:
            events, self.dead_letters = self.dead_letters, []
            for event in events:
                self.queue.append(Delivery(Event(event.function, event.body, event.request_id)))
            self.changed.notify_all()
        return len(events)

    def logs(self):
        texts = []
        for name in sorted(os.listdir(self.directory)):
            if name.endswith(".log"):
                with open(os.path.join(self.directory, name), encoding="utf-8", errors="replace") as file:
                    texts += [f"{name}: {line}" for line in file]
        return "".join(texts)

    def close(self):
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self.pump.join()
        for function in self.functions.values():
            for environment in list(function.environments):
                environment.shut_down(signal.SIGKILL)
                environment.over.wait(10)
        self.server.stop()

    # --- Events

    def accept(self, function, body, request_id=None):
        event = Event(function, body, request_id or str(uuid.uuid4()))
        with self.changed:
            self.queue.append(Delivery(event))
            if self.random.random() < self.twice:
                self.duplicates += 1
                later = self.random.choice([0, 0, 0.05, 0.4])
                self.due.append((time.monotonic() + later, Delivery(event)))
            self.changed.notify_all()
        return event.request_id

    def run(self):
        with self.changed:
            while not self.closing:
                now = time.monotonic()
                for item in [item for item in self.due if item[0] <= now]:
                    self.due.remove(item)
                    self.queue.append(item[1])
                for _ in range(len(self.queue)):
                    delivery = self.queue.popleft()
                    if not self.place(delivery):
                        self.queue.append(delivery)
                self.limits = [limit for limit in self.limits if is_running(*limit[1:3])]
                for limit in [limit for limit in self.limits if limit[0] <= now]:
                    self.limits.remove(limit)
                    self.cut(*limit[1:])
                next_due = min((item[0] for item in self.due + self.limits), default=None)
                self.changed.wait(None if next_due is None else max(0, next_due - time.monotonic()))

    def place(self, delivery):
        function = delivery.event.function
        free = [environment for environment in function.environments
                if not environment.dead and environment.capacity() > 0]
        if not free:
            if len(function.environments) >= function.environments_max:
                return False
            function.environments.append(Environment(self, function))
            free = function.environments[-1:]
        self.under_way += 1
        free[0].offer(delivery)
        return True

    def began(self, environment, delivery):
        with self.changed:
            self.deliveries += 1
            kill = self.random.random() < self.killed
            wait_s = self.random.choice([0, 0.01, 0.03, 0.1, 0.3]) * self.random.random()
            limit = time.monotonic() + (wait_s if kill else environment.function.timeout_s)
            self.limits.append((limit, environment, delivery, kill))
            self.changed.notify_all()

    def cut(self, environment, delivery, kill):
        if is_running(environment, delivery):
            self.kills += kill
            environment.kill()

    def ended(self, delivery, ok, text):
        event = delivery.event
        with self.changed:
            self.under_way -= 1
            self.answers.append((event.request_id, ok, text))
            if ok:
                event.done = True
            elif not (event.done and self.drops_dead_duplicates):
                event.failures.append(text)
                if delivery.attempt < RETRIES_MAX:
                    again = time.monotonic() + RETRY_DELAYS_S[delivery.attempt]
                    self.due.append((again, Delivery(event, delivery.attempt + 1)))
                else:
                    self.dead_letters.append(event)
            self.changed.notify_all()

    def gone(self, environment, code, lost):
        with self.changed:
            environment.function.environments.remove(environment)
            if environment.init_error:
                self.inits.append(environment.init_error)
            for delivery in lost:
                self.ended(delivery, False, f"the process ended with {code}")
            self.changed.notify_all()
