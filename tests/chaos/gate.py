#!/usr/bin/env python3
"""A gate in front of a real server: passes bytes on, and does to them what a bad network and a bad server do.

Usage: gate.py HOST:PORT [--http] [--port N] [--seed N] [RULE...]

It listens on loopback, says `listening on HOST:PORT, seed N`, and reads commands from stdin, each answered by one line:

    rule RULE    one more rule (see rules.py)     clear        no rule any more; what is held goes on
    down         nobody listens any more          up           again, on the same port
    sever        resets all connections           resume       what is held goes on
    stats        counts so far, as JSON           quit         as the end of stdin

The line `event held` says that a `hold` was reached. The same seed decides the same for the n-th connection or
request, so a run can be had again.
"""

import argparse
import asyncio
import contextlib
import collections
import json
import random
import socket
import struct
import sys

import http_messages
from rules import HEAD, Fault, RuleError, parse_rule

LOOPBACK = "127.0.0.1"
PIECE = 64 << 10
CONNECTIONS_MAX = 4096


class Cut(Exception):
    """The rule wants both sides reset."""


def reset(writer):
    """Ends a connection by a reset rather than in good order."""
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Stream:
    """One direction of a connection, or one HTTP message: writes on, and does what the fault says at its place."""

    def __init__(self, gate, writer, direction, fault, offset=0):
        self.gate = gate
        self.writer = writer
        self.direction = direction
        self.fault = fault
        self.offset = offset
        self.is_closed = False

    def place(self):
        """Where the fault is, counted as offset is; None if not in this direction."""
        if self.fault.direction != self.direction:
            return None
        return self.fault.at

    async def send(self, data):
        if self.fault.kind == "delay":
            await asyncio.sleep(self.fault.number / 1000)
        place = self.place()
        if place is not None and self.offset <= place < self.offset + len(data):
            data = await self.fail_at(data, place - self.offset)
        await self.write(data)

    async def fail_at(self, data, index):
        """Does what the fault says before data[index]; what is still to be written."""
        if self.fault.kind == "corrupt":
            return data[:index] + bytes([data[index] ^ 0xFF]) + data[index + 1:]
        await self.write(data[:index])
        if self.fault.kind == "cut":
            raise Cut
        if self.fault.kind == "close":
            self.writer.write_eof()
            self.is_closed = True
        if self.fault.kind == "hold":
            await self.gate.hold()
        return data[index:]

    async def write(self, data):
        self.offset += len(data)
        if data and not self.is_closed:
            self.gate.counts["bytes " + self.direction] += len(data)
            self.writer.write(data)
            await self.writer.drain()


class Gate:
    def __init__(self, target, http=False, seed=0):
        self.host, _, port = target.rpartition(":")
        self.target_port = int(port)
        self.http = http
        self.seed = seed
        self.rules = []
        self.counts = collections.Counter()
        self.writers = set()
        self.server = None
        self.port = 0
        self.resumed = asyncio.Event()
        self.say_event = lambda text: None

    # --- Rules

    def add_rule(self, text):
        self.rules.append(parse_rule(text, self.seed, self.http))

    def choose(self):
        """Every rule counts everything; the first that applies decides."""
        chosen = [rule for rule in self.rules if rule.applies()]
        fault = chosen[0].fault if chosen else Fault()
        if fault.kind != "pass":
            self.counts[fault.kind] += 1
        return fault

    def clear(self):
        self.rules.clear()
        self.resume()

    # --- Listening

    async def up(self, port=0):
        if self.server is None:
            self.server = await asyncio.start_server(self.serve, LOOPBACK, self.port or port, backlog=1024,
                                                     limit=http_messages.HEAD_MAX)
            self.port = self.server.sockets[0].getsockname()[1]

    async def down(self):
        if self.server is not None:
            self.server.close()
            self.server = None

    def sever(self):
        for writer in list(self.writers):
            reset(writer)

    async def hold(self):
        self.resumed.clear()
        self.say_event("held")
        await self.resumed.wait()

    def resume(self):
        self.resumed.set()

    # --- Connections

    async def serve(self, reader, writer):
        self.counts["connections"] += 1
        self.writers.add(writer)
        try:
            if len(self.writers) > CONNECTIONS_MAX:
                raise Cut
            await (self.serve_http if self.http else self.serve_bytes)(reader, writer)
        except Cut:
            reset(writer)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # One side is gone: so is the other.
            writer.transport.abort()
        except asyncio.CancelledError:
            pass  # the gate ends
        finally:
            self.writers.discard(writer)
            writer.close()

    async def connect(self):
        return await asyncio.open_connection(self.host, self.target_port, limit=http_messages.HEAD_MAX)

    async def swallow(self, reader):
        while await reader.read(PIECE):
            pass

    async def serve_bytes(self, reader, writer):
        fault = self.choose()
        if fault.kind == "refuse":
            raise Cut
        if fault.kind == "drop":
            return await self.swallow(reader)
        server_reader, server_writer = await self.connect()
        self.writers.add(server_writer)
        up = Stream(self, server_writer, "up", fault)
        down = Stream(self, writer, "down", fault)
        try:
            await self.both(self.pump(reader, up),
                            self.swallow(server_reader) if fault.kind == "silent"
                            else self.pump(server_reader, down))
        except (Cut, OSError):
            reset(server_writer)
            raise
        finally:
            self.writers.discard(server_writer)
            server_writer.close()

    @staticmethod
    async def both(*coroutines):
        """Until both have ended, or one failed."""
        tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    @staticmethod
    async def pump(reader, stream):
        while data := await reader.read(PIECE):
            await stream.send(data)
        if not stream.is_closed:
            stream.writer.write_eof()

    # --- HTTP, request by request

    async def serve_http(self, reader, writer):
        server = None
        try:
            while request := await http_messages.read_request(reader, writer):
                self.counts["requests"] += 1
                fault = self.choose()
                if fault.kind == "refuse":
                    raise Cut
                if fault.kind == "drop":
                    return await self.swallow(reader)
                if fault.kind == "answer":
                    answer = http_messages.error_answer(request, fault.number, fault.code, fault.retry_after)
                    await Stream(self, writer, "down", fault).send(answer.head + answer.body)
                    continue
                server = server or await self.connect()
                if not await self.exchange(request, fault, server, reader, writer):
                    return None
        finally:
            if server:
                server[1].transport.abort()

    async def exchange(self, request, fault, server, reader, writer):
        """One request and its response; whether the connection goes on."""
        up = await self.send_message(request, fault, server[1], "up")
        if up.is_closed:
            await self.swallow(reader)
            return False
        response = await http_messages.read_response(server[0], request.method)
        if response is None:
            raise OSError("the server closed the connection")
        if fault.kind == "silent":
            await self.swallow(reader)
            return False
        if fault.kind == "length":
            response.head = http_messages.with_length(response, fault.number)
        down = await self.send_message(response, fault, writer, "down")
        if down.is_closed:
            await self.swallow(reader)
        return not (down.is_closed or response.ends_connection() or request.ends_connection()
                    or (fault.kind == "length" and fault.number > 0))

    async def send_message(self, message, fault, writer, direction):
        """Offsets count from the body's begin, so the head's are below 0."""
        length = len(message.head)
        if fault.at == HEAD:
            fault = Fault(fault.kind, fault.direction, -(length // 2), fault.number)
        stream = Stream(self, writer, direction, fault, -length)
        await stream.send(message.head + message.body)
        return stream

    # --- Commands

    async def obey(self, line):
        """The answer to one line of stdin."""
        command, _, rest = line.strip().partition(" ")
        if command == "rule":
            try:
                self.add_rule(rest)
            except RuleError as error:
                return f"error: {error}"
        elif command == "stats":
            return json.dumps({**self.counts, "open": len(self.writers)})
        elif command in ("up", "down"):
            await getattr(self, command)()
        elif command in ("clear", "sever", "resume"):
            getattr(self, command)()
        else:
            return f"error: no command: {command}"
        return "ok"


async def serve(options):
    gate = Gate(options.target, options.http, options.seed)
    for text in options.rules:
        gate.add_rule(text)
    gate.say_event = lambda text: print("event", text, flush=True)
    await gate.up(options.port)
    print(f"listening on {LOOPBACK}:{gate.port}, seed {options.seed}", flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := (await commands.readline()).decode():
        if line.strip() == "quit":
            break
        print(await gate.obey(line), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("rules", nargs="*")
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    try:
        asyncio.run(serve(parser.parse_intermixed_args()))
    except RuleError as error:
        sys.exit(f"gate.py: {error}")


if __name__ == "__main__":
    main()
