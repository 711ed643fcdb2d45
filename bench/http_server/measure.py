#!/usr/bin/env python3
"""Requests a second and processor time a request of unum's HTTP server, beside nginx answering the same bytes and the
usual servers of Python and Node. Needs wrk, nginx and node (Debian: wrk, nginx-core, nodejs).

Usage: measure.py BUILD     UNUM_BENCH_TINY=1: short, to see that it works
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SECONDS = 1 if os.environ.get("UNUM_BENCH_TINY") else 5
ROUNDS = 1 if os.environ.get("UNUM_BENCH_TINY") else 3
CONNECTIONS = 64
LUA = 'wrk.method = "POST"\nwrk.body = string.rep("x", 1024)\n'
NGINX = """
daemon off;
master_process off;
pid {directory}/pid;
error_log /dev/null;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 "{answer}"; }}
  }}
}}
"""
PYTHON = """
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "200")
        self.end_headers()
        self.wfile.write(b"x" * 200)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
NODE = """
const answer = 'x'.repeat(200);
const server = require('http').createServer((request, response) => {
  request.on('data', () => {});
  request.on('end', () => { response.setHeader('Content-Length', 200); response.end(answer); });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_listening(port):
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def nginx(directory):
    port = free_port()
    settings = os.path.join(directory, "nginx.conf")
    with open(settings, "w", encoding="utf-8") as file:
        file.write(NGINX.format(directory=directory, port=port, answer="x" * 200))
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    return [program, "-c", settings, "-p", directory], port


def seconds_of(pid):
    """Processor time that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(command, port, script):
    """(requests a second, microseconds of processor a request)"""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as server:
        try:
            port = port or int(server.stdout.readline())
            until_listening(port)
            wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", "--timeout", "60s", "-s", script, f"http://127.0.0.1:{port}/"]
            subprocess.run([*wrk, "-d1s"], check=True, capture_output=True)
            before = seconds_of(server.pid)
            told = subprocess.run([*wrk, f"-d{SECONDS}s"], check=True, capture_output=True, text=True).stdout
            used = seconds_of(server.pid) - before
        finally:
            server.kill()
    requests = int(re.search(r"(\d+) requests in", told).group(1))
    assert "Non-2xx" not in told, told
    return requests / SECONDS, used / requests * 1e6


def main():
    build = os.path.join(sys.argv[1], "bench", "http-server-answer")
    with tempfile.TemporaryDirectory() as directory:
        script = os.path.join(directory, "post.lua")
        with open(script, "w", encoding="utf-8") as file:
            file.write(LUA)
        found = {}
        for _ in range(ROUNDS):
            command, port = nginx(directory)
            servers = [("nginx", command, port), ("unum", [build], 0),
                       ("python http.server", [sys.executable, "-c", PYTHON], 0),
                       ("node http", ["node", "-e", NODE], 0)]
            for name, command, port in servers:
                found.setdefault(name, []).append(measure(command, port, script))
    print("server               requests/s   us of processor a request")
    for name, rounds in found.items():
        rate, cost = sorted(rounds, key=lambda each: each[1])[len(rounds) // 2]
        print(f"{name:20} {rate:10.0f}   {cost:6.1f}")


if __name__ == "__main__":
    main()
