"""A server process: started on a port of its own, asked until it answers, killed, started again."""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import time

LOOPBACK = "127.0.0.1"
PR_SET_PDEATHSIG = 1
READY_S = 60
ASK_EVERY_S = 0.02

libc = ctypes.CDLL(None, use_errno=True)
this_process = os.getpid()
taken_ports = set()


def die_with_parent():
    """In a child, before exec: it gets SIGKILL when its parent is gone, however that ended. (The kernel means the
    thread that started it: servers are started by the main thread.)"""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != this_process:
        os._exit(1)


def free_port():
    """A port below those that the kernel hands to clients. None of them takes it while a server is down for
    a moment, and no client that tries again and again ends up connected to itself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="utf-8") as file:
        low = int(file.read().split()[0])
    first, last = (10_000, low - 1) if low > 12_000 else (20_000, 30_000)
    for _ in range(1000):
        port = random.SystemRandom().randint(first, last)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        if port not in taken_ports:
            taken_ports.add(port)
            return port
    raise OSError("no free port on loopback")


def can_connect(port):
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def answers_http(port):
    """Whether anything that begins like HTTP comes back."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=2) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(5) == b"HTTP/"
    return False


class ServerError(Exception):
    """A server that did not come up; says what it wrote."""


class Server:
    """What every server is. A subclass sets `name` and `says`, and overrides the functions below."""

    name = ""
    # What follows "starting NAME on HOST:PORT" in the progress line.
    says = ""

    def __init__(self, directory):
        self.directory = directory
        self.port = free_port()
        self.process = None
        self.log_path = os.path.join(directory, "log")

    # --- For subclasses

    def install(self):
        """Finds or installs the program; may run in a thread, at the same time as others."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def is_ready(self):
        """One look, without waiting."""
        return can_connect(self.port)

    def variables(self):
        """What tests find the server by."""
        return {}

    # --- For users

    @property
    def address(self):
        return f"{LOOPBACK}:{self.port}"

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                # A session of its own: an interrupt at the terminal reaches the tests first.
                start_new_session=True, preexec_fn=die_with_parent,
                env={**os.environ, **self.environment()})

    def processes(self):
        return [self.process] if self.process else []

    def is_alive(self):
        return all(process.poll() is None for process in self.processes())

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_S
        while not self.is_ready():
            if not self.is_alive() or time.monotonic() > deadline:
                raise ServerError(self.describe_failure())
            self.pause()

    def pause(self):
        """Until it ends, or until it is time to ask it again."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.processes()[0].wait(ASK_EVERY_S)

    def kill(self):
        """As the power going: nothing is finished."""
        for process in self.processes():
            process.kill()
            process.wait()

    def restart(self):
        """After kill: the same data, the same port."""
        self.start()
        self.wait_until_ready()

    def log(self):
        with contextlib.suppress(OSError), open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()
        return ""

    def describe_failure(self):
        code = self.process.poll() if self.process else None
        how = "does not answer" if code is None else f"ended with code {code}"
        return f"{self.name} on {self.address} {how}; it wrote:\n{self.log()}"


@contextlib.contextmanager
def running(server):
    """A server for one test: installed, ready, and gone afterwards with all that it wrote."""
    server.install()
    try:
        server.start()
        server.wait_until_ready()
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.directory, ignore_errors=True)
