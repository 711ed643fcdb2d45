"""redis-server: alone with an append-only file, with TLS, and as a cluster of three."""

import contextlib
import os
import socket

from servers import install
from servers.process import LOOPBACK, Server, ServerError, free_port

SLOTS = 16384
CLUSTER_NODES = 3


def redis_server(directory):
    """In Debian redis-check-rdb, of the package redis-tools, is the same program; it goes by the name it is called
    by. The package redis-server would start a service."""
    found = install.tool("redis-server")
    if found:
        return found
    link = os.path.join(directory, "redis-server")
    if not os.path.islink(link):
        os.makedirs(directory, exist_ok=True)
        os.symlink(install.required("redis-check-rdb", "redis-tools"), link)
    return link


def ask(port, *words):
    """One command and its reply: text, a number, or a ServerError. Enough for setting servers up."""
    request = b"*%d\r\n" % len(words)
    for word in map(str, words):
        request += b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())
    with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as replies:
            head = replies.readline().rstrip(b"\r\n").decode()
            if head.startswith("-") or not head:
                raise ServerError(f"redis on port {port}: {' '.join(map(str, words))}: {head or 'no answer'}")
            if head.startswith("$"):
                return replies.read(int(head[1:])).decode()
            return head[1:]


class Redis(Server):
    """Alone, with an append-only file; `appendfsync` is when it goes to the disk."""

    name = "redis-server"

    def __init__(self, directory, appendfsync="everysec"):
        super().__init__(directory)
        self.appendfsync = appendfsync
        self.program = ""

    def install(self):
        self.program = redis_server(os.path.join(self.directory, "bin"))

    def command(self):
        return [self.program, "--port", str(self.port), "--bind", LOOPBACK, "--dir", self.directory,
                "--appendonly", "yes", "--appendfsync", self.appendfsync, "--save", "", *self.options()]

    def options(self):
        return []

    def is_ready(self):
        with contextlib.suppress(OSError, ServerError):
            return ask(self.port, "PING") == "PONG"
        return False

    def variables(self):
        # Tests start servers of their own, by name.
        path = os.environ.get("PATH", os.defpath)
        return {"UNUM_TEST_REDIS": self.address, "PATH": path + os.pathsep + os.path.dirname(self.program)}


class RedisTls(Redis):
    """Its TLS port beside a plain one, which is how it is asked whether it is ready."""

    says = "with TLS"

    def __init__(self, directory, certificates):
        super().__init__(directory)
        self.certificates = certificates
        self.tls_port = free_port()

    def options(self):
        files = self.certificates
        return ["--tls-port", str(self.tls_port), "--tls-cert-file", files.certificate, "--tls-key-file", files.key,
                "--tls-ca-cert-file", files.authority, "--tls-auth-clients", "no", "--bind", LOOPBACK, "127.0.0.2"]

    def variables(self):
        return {"UNUM_TEST_REDIS_TLS": f"{LOOPBACK}:{self.tls_port}"}


class RedisNode(Redis):
    """One of a cluster."""

    def __init__(self, directory, node_timeout_ms):
        super().__init__(directory)
        self.bus_port = free_port()
        self.node_timeout_ms = node_timeout_ms

    def options(self):
        return ["--cluster-enabled", "yes", "--cluster-port", str(self.bus_port),
                "--cluster-node-timeout", str(self.node_timeout_ms)]

    def knows(self, count):
        info = ask(self.port, "CLUSTER", "INFO")
        return "cluster_state:ok" in info and f"cluster_known_nodes:{count}" in info


class RedisCluster(Server):
    """Three primaries with a third of the slots each, and as many replicas of each as are wanted. The first three of
    `nodes` begin as the primaries."""

    name = "redis-server"
    says = "and two more ports, a cluster"

    def __init__(self, directory, replicas=0, node_timeout_ms=5000):
        super().__init__(directory)
        self.nodes = [RedisNode(os.path.join(directory, str(number)), node_timeout_ms)
                      for number in range(CLUSTER_NODES * (1 + replicas))]
        self.port = self.nodes[0].port
        self.has_met = False
        self.has_replicas = replicas == 0

    def install(self):
        for node in self.nodes:
            node.install()

    def start(self):
        for node in self.nodes:
            node.start()

    def processes(self):
        return [node.process for node in self.nodes if node.process]

    def is_ready(self):
        if not all(node.is_ready() for node in self.nodes):
            return False
        if not self.has_met:
            self.meet()
        if not all(node.knows(len(self.nodes)) for node in self.nodes):
            return False
        if not self.has_replicas:
            self.replicate()
        return all("master_link_status:up" in ask(node.port, "INFO", "replication")
                   for node in self.nodes[CLUSTER_NODES:])

    def meet(self):
        for number, node in enumerate(self.nodes[:CLUSTER_NODES]):
            first, last = number * SLOTS // CLUSTER_NODES, (number + 1) * SLOTS // CLUSTER_NODES - 1
            ask(node.port, "CLUSTER", "ADDSLOTSRANGE", first, last)
            ask(node.port, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            ask(self.port, "CLUSTER", "MEET", LOOPBACK, node.port, node.bus_port)
        self.has_met = True

    def replicate(self):
        for number, node in enumerate(self.nodes[CLUSTER_NODES:]):
            primary = ask(self.nodes[number % CLUSTER_NODES].port, "CLUSTER", "MYID")
            ask(node.port, "CLUSTER", "REPLICATE", primary)
        self.has_replicas = True

    def primary_of(self, key):
        """The number of the node that has the key in the beginning."""
        return int(ask(self.port, "CLUSTER", "KEYSLOT", key)) * CLUSTER_NODES // SLOTS

    def log(self):
        return "".join(node.log() for node in self.nodes)

    def variables(self):
        return {"UNUM_TEST_REDIS_CLUSTER": self.address}
