#!/usr/bin/env python3
"""Runs a command with real servers around it, which end with it.

Usage: with-servers.py [--only NAME,...] COMMAND...

The servers listen on loopback, on free ports of their own, and the command finds them by environment variables
(`with-servers.py env | grep UNUM_TEST_` shows all; tests/README.md says what each is). A server that does not come up leaves
its variable unset, so that its tests are skipped; in CI (CI=true) that is a failure. The exit code is the command's.
`--only`: just these of redis, redis-cluster, redis-tls, dynamodb, s3, s3-closing, s3-tls, sts, imds, http.
"""

import concurrent.futures
import contextlib
import fcntl
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from servers.aws import InstanceMetadata, TokenService
from servers.certificates import Certificates
from servers.dynamodb import DynamoDb
from servers.install import InstallError
from servers.nginx import Nginx
from servers.process import READY_S, ServerError, die_with_parent, libc
from servers.redis import Redis, RedisCluster, RedisTls
from servers.s3 import S3Gateway

# Sent by the kernel, for a key at the terminal: then the command has it already.
SI_KERNEL = 0x80
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def say(text):
    print(text, flush=True)


def scratch_directory():
    """A directory that is locked while this process lives. What a run that was killed has left is removed first."""
    for old in glob.glob(os.path.join(tempfile.gettempdir(), "unum-servers-*")):
        with contextlib.suppress(OSError):
            lock = os.open(old, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(old, ignore_errors=True)
            finally:
                os.close(lock)
    made = tempfile.mkdtemp(prefix=".unum-servers-")
    fcntl.flock(os.open(made, os.O_RDONLY), fcntl.LOCK_EX)
    directory = os.path.join(os.path.dirname(made), os.path.basename(made)[1:])
    os.rename(made, directory)
    return directory


def all_servers(directory):
    """Name to server, the slowest to start first."""
    certificates = Certificates(os.path.join(directory, "certificates"))
    certificates.make()

    def place(name):
        path = os.path.join(directory, name)
        os.mkdir(path)
        return path

    return certificates, {
        "dynamodb": DynamoDb(place("dynamodb")),
        "sts": TokenService(place("sts")),
        "redis-cluster": RedisCluster(place("redis-cluster")),
        "redis": Redis(place("redis")),
        "redis-tls": RedisTls(place("redis-tls"), certificates),
        "s3": S3Gateway(place("s3")),
        "s3-closing": S3Gateway(place("s3-closing"), keep_alive=False),
        "s3-tls": S3Gateway(place("s3-tls"), certificates=certificates),
        "imds": InstanceMetadata(place("imds")),
        "http": Nginx(place("http"), certificates),
    }


def install_all(servers):
    """All at once, since most of it is waiting for downloads. Those that failed are left out."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        begun = [(server, pool.submit(server.install)) for server in servers]
    usable = []
    for server, installation in begun:
        try:
            installation.result()
            usable.append(server)
        except (InstallError, OSError) as error:
            say(f"cannot install {server.name}: {error}")
    return usable


def start_all(servers):
    """Starts all and waits for them; those that answer."""
    began = time.monotonic()
    waiting, ready = [], []
    for server in servers:
        say(f"starting {server.name} on {server.address} {server.says}".rstrip())
        try:
            server.start()
            waiting.append(server)
        except OSError as error:
            say(f"cannot start {server.name}: {error}")
    while waiting:
        for server in list(waiting):
            with contextlib.suppress(ServerError, OSError):
                if server.is_ready():
                    ready.append(server)
                    waiting.remove(server)
                    continue
            if not server.is_alive() or time.monotonic() - began > READY_S:
                say(server.describe_failure())
                waiting.remove(server)
        if waiting:
            waiting[0].pause()
    say(f"{len(ready)} of {len(servers)} servers are ready after {time.monotonic() - began:.1f} s")
    return ready


def run_command(command, environment):
    """Runs the command to its end; a signal that came for this process goes to it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [*FORWARDED, signal.SIGCHLD])

    def in_child():
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        libc.prctl(1, signal.SIGTERM, 0, 0, 0)

    try:
        process = subprocess.Popen(command, env=environment, preexec_fn=in_child)
    except OSError as error:
        say(f"with-servers.py: {command[0]}: {error.strerror}")
        return 127
    while process.poll() is None:
        came = signal.sigwaitinfo([*FORWARDED, signal.SIGCHLD])
        if came.si_signo in FORWARDED and came.si_code != SI_KERNEL:
            process.send_signal(came.si_signo)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def chosen(servers, only):
    unknown = set(only) - set(servers)
    if unknown:
        sys.exit(f"with-servers.py: unknown: {', '.join(sorted(unknown))}; there are {', '.join(servers)}")
    return [server for name, server in servers.items() if not only or name in only]


def main():
    arguments, only = sys.argv[1:], []
    if len(arguments) > 1 and arguments[0] == "--only":
        only, arguments = arguments[1].split(","), arguments[2:]
    if not arguments or arguments[0].startswith("-"):
        sys.exit(__doc__)
    in_ci = os.environ.get("CI") == "true"
    # Until the command runs, and once it has ended, each of these ends this process in good order.
    for number in FORWARDED:
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    directory = scratch_directory()
    servers = []
    try:
        certificates, known = all_servers(directory)
        wanted = chosen(known, only)
        servers = install_all(wanted)
        ready = start_all(servers)
        if in_ci and len(ready) < len(wanted):
            return 1
        environment = dict(os.environ, UNUM_TEST_CA=certificates.authority)
        for server in ready:
            environment.update(server.variables())
        code = run_command(arguments, environment)
        for server in ready:
            if not server.is_alive():
                say("During the tests, without being asked to: " + server.describe_failure())
                code = code or 1
        return code
    except (InstallError, OSError) as error:
        say(f"with-servers.py: {error}")
        return 1
    finally:
        for server in servers:
            server.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
