#!/usr/bin/env python3
"""Workflows a second on one Redis: unum beside Celery (chord) and BullMQ (flow), doing the same fan-in.

Usage: compare.py BUILD [--workflows N] [--width N] [--workers 1,2,4] [--rounds N]

A workflow is `width` branches and a sum over their results; unum has the step that makes the branches besides. Each
worker is a process that runs one function at a time. Peers are installed below BUILD/peers, once. The rounds alternate,
and the ratio is that of the medians in this run; on a busy machine, the ratio counts and the rates do not.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(SOURCE, "tests"))

# pylint: disable=wrong-import-position
from servers.process import LOOPBACK, running
from servers.redis import Redis, ask

PYTHON = {"Split": "def lambda_handler(event, context):\n    return list(range(event))\n",
          "Branch": "def lambda_handler(event, context):\n    return event * 2\n",
          "Sum": "def lambda_handler(event, context):\n    return sum(event)\n"}
NODE = {"Split": "exports.handler = async (event) => Array.from({ length: event }, (_, i) => i);\n",
        "Branch": "exports.handler = async (event) => event * 2;\n",
        "Sum": "exports.handler = async (event) => event.reduce((sum, each) => sum + each, 0);\n"}
EDGES = {"Split": {"Start": True, "Next": {"Name": "Branch", "InputType": "Map"}},
         "Branch": {"Next": {"Name": "Sum", "InputType": {"Fan-in": {"Values": ["Branch-unumIndex-*"]}},
                             "Payload Modifiers": ["Pop"]}},
         "Sum": {}}


def application(directory, language):
    """The application in one language."""
    runtime, file, handler = (("python3.11", "app.py", "app.lambda_handler") if language == "python"
                              else ("nodejs18.x", "index.js", "index.handler"))
    functions = {}
    for name, code in (PYTHON if language == "python" else NODE).items():
        place = os.path.join(directory, name.lower())
        os.makedirs(place)
        with open(os.path.join(place, file), "w", encoding="utf-8") as out:
            out.write(code)
        with open(os.path.join(place, "unum_config.json"), "w", encoding="utf-8") as out:
            json.dump({"Name": name, **EDGES[name]}, out)
        functions[name] = {"Properties": {"CodeUri": name.lower() + "/", "Runtime": runtime, "Handler": handler}}
    with open(os.path.join(directory, "unum-template.yaml"), "w", encoding="utf-8") as out:
        json.dump({"Globals": {"ApplicationName": "bench"}, "Functions": functions}, out)


@contextlib.contextmanager
def processes(commands, **options):
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
               for command in commands]
    try:
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


class Unum:
    """Workers of this build."""

    def __init__(self, build, language):
        self.name = f"unum, {language}"
        self.build = build
        self.language = language

    def install(self):
        """It is built already."""

    def run(self, port, workers, workflows, width):
        with tempfile.TemporaryDirectory() as directory:
            application(os.path.join(directory, "app"), self.language)
            command = [os.path.join(self.build, "unum"), "worker", os.path.join(directory, "app"), "--store",
                       f"redis:{LOOPBACK}:{port}", "--workers", "1", "--quiet"]
            environment = dict(os.environ, UNUM_PYTHON=sys.executable)
            with processes([command] * workers, env=environment):
                self.begin(port, "warm", 2 * workers, width)
                self.wait(port, "warm", 2 * workers)
                begun = time.monotonic()
                self.begin(port, "s", workflows, width)
                self.wait(port, "s", workflows)
                return time.monotonic() - begun

    def begin(self, port, prefix, workflows, width):
        for number in range(workflows):
            payload = {"Session": f"{prefix}{number}", "Data": {"Source": "http", "Value": width}}
            ask(port, "XADD", "unum-queue:{bench}", "*", "function", "Split", "payload", json.dumps(payload))

    def wait(self, port, prefix, workflows):
        for number in range(workflows):
            while ask(port, "EXISTS", f"unum:{{{prefix}{number}}}:Sum-output") != "1":
                time.sleep(0.005)


class Celery:
    """A chord; messages are acknowledged after the task, as unum's are."""

    name = "Celery, chord"

    def __init__(self, place):
        self.place = os.path.join(place, "celery")

    def install(self):
        if not os.path.exists(os.path.join(self.place, "bin", "celery")):
            subprocess.run([sys.executable, "-m", "venv", self.place], check=True)
            pip = os.path.join(self.place, "bin", "pip")
            subprocess.run([pip, "install", "-q", "celery==5.7.0", "redis==8.1.0", "packaging"], check=True)

    def run(self, port, workers, workflows, width):
        environment = dict(os.environ, BENCH_REDIS=f"redis://{LOOPBACK}:{port}/0", PYTHONPATH=HERE)
        command = [os.path.join(self.place, "bin", "celery"), "-A", "celery_tasks", "worker", "-c", "1",
                   "--without-gossip", "--without-mingle", "-l", "error"]
        with processes([[*command, "-n", f"w{number}"] for number in range(workers)], env=environment):
            driver = subprocess.run([os.path.join(self.place, "bin", "python"), "-m", "celery_tasks", str(workflows),
                                     str(width), str(workers)], env=environment, check=True, stdout=subprocess.PIPE)
        return float(driver.stdout)


class BullMq:
    """A flow: a parent that waits for its children."""

    name = "BullMQ, flow"

    def __init__(self, place):
        self.place = os.path.join(place, "bullmq")

    def install(self):
        if not os.path.isdir(os.path.join(self.place, "node_modules", "bullmq")):
            os.makedirs(self.place, exist_ok=True)
            subprocess.run(["npm", "install", "--silent", "--prefix", self.place, "bullmq@5"], check=True)
        shutil.copy(os.path.join(HERE, "bullmq_flow.cjs"), self.place)

    def run(self, port, workers, workflows, width):
        script = os.path.join(self.place, "bullmq_flow.cjs")
        with processes([["node", script, "worker", str(port)]] * workers):
            driver = subprocess.run(["node", script, "driver", str(port), str(workflows), str(width), str(workers)],
                                    check=True, stdout=subprocess.PIPE)
        return float(driver.stdout)


def measure(peer, workers, workflows, width):
    with tempfile.TemporaryDirectory() as directory, running(Redis(os.path.join(directory, "redis"))) as server:
        return workflows / peer.run(server.port, workers, workflows, width)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--workflows", type=int, default=200)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    build = os.path.abspath(arguments.build)
    place = os.path.join(build, "peers")
    peers = [Unum(build, "python"), Celery(place), Unum(build, "node"), BullMq(place)]
    for peer in peers:
        peer.install()
    print("| workers | | workflows/s | steps/s | unum is |\n| -- | -- | --: | --: | --: |")
    for workers in map(int, arguments.workers.split(",")):
        rates = {peer.name: [] for peer in peers}
        for _ in range(arguments.rounds):
            for peer in peers:
                rates[peer.name].append(measure(peer, workers, arguments.workflows, arguments.width))
        medians = {name: statistics.median(values) for name, values in rates.items()}
        for peer, own in zip(peers, (None, peers[0], None, peers[2])):
            rate = medians[peer.name]
            steps = arguments.width + (2 if isinstance(peer, Unum) else 1)
            ratio = f"{medians[own.name] / rate:.1f}x" if own else ""
            print(f"| {workers} | {peer.name} | {rate:.1f} | {rate * steps:.0f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
