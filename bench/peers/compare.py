#!/usr/bin/env python3
"""CPU a request of unum and of other SDKs, for the same objects and keys on the same servers.

Usage: python3 tests/with-servers.py python3 bench/peers/compare.py BUILD [--peer NAME]...
           [--operation NAME]... [--json FILE]

BUILD is a build directory with -Dbenchmarks=true. The peers (python: boto3, node, go, rust) are
built or installed below BUILD/peers when first asked for, by their own package managers; one that
cannot be built is named and left out. S3 is nginx with the same bytes behind every key, so that the
server costs little; DynamoDB is DynamoDB Local. Everyone takes turns; told is the median.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OPERATIONS = ["s3-get", "s3-head", "dynamodb-batch"]
PEERS = ["unum", "rust", "go", "node", "python"]
TURNS = 5
COUNT, IN_FLIGHT = 1000, 64
# Rounds of COUNT a turn: fewer for the slow ones, so that all take a second or so.
ROUNDS = {"s3-get": {"unum": 20, "rust": 10, "go": 10, "node": 3, "python": 1},
          "dynamodb-batch": {"unum": 20, "rust": 10, "go": 10, "node": 5, "python": 3}}
ROUNDS["s3-head"] = ROUNDS["s3-get"]
CONTAINER, SESSION = "unum-bench-peers", "peers"


def run(command, **options):
    subprocess.run(command, check=True, stdout=sys.stderr, **options)


def prepared(name, build):
    """The command that runs the peer; makes what it needs."""
    if name == "unum":
        return [os.path.join(build, "bench", "unum-peer")]
    place = os.path.join(build, "peers", name)
    shutil.copytree(os.path.join(HERE, name), place, dirs_exist_ok=True)
    if name == "python":
        if not os.path.exists(os.path.join(place, "venv", "done")):
            run([sys.executable, "-m", "venv", os.path.join(place, "venv")])
            run([os.path.join(place, "venv", "bin", "pip"), "install", "--quiet", "boto3"])
            open(os.path.join(place, "venv", "done"), "w", encoding="utf-8").close()
        return [os.path.join(place, "venv", "bin", "python"), os.path.join(place, "peer.py")]
    if name == "node":
        run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=place)
        return ["node", os.path.join(place, "peer.mjs")]
    if name == "go":
        run(["go", "mod", "tidy"], cwd=place)
        run(["go", "build", "-o", "peer", "."], cwd=place)
        return [os.path.join(place, "peer")]
    run(["cargo", "build", "--release", "--quiet"], cwd=place)
    return [os.path.join(place, "target", "release", "unum-bench-peer")]


def environment(operation):
    endpoint = os.environ["UNUM_TEST_HTTP" if operation.startswith("s3") else "UNUM_TEST_DYNAMODB"]
    service = "S3" if operation.startswith("s3") else "DYNAMODB"
    # What else the machine says to the SDKs (a CA bundle, a proxy) would measure the machine.
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("AWS_") and not name.lower().endswith("_proxy")}
    return dict(kept, AWS_ACCESS_KEY_ID="unumtest", AWS_SECRET_ACCESS_KEY="unum-test-secret",
                AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true",
                AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null",
                **{f"AWS_ENDPOINT_URL_{service}": endpoint})


def turn(command, operation, peer):
    words = [operation, CONTAINER, SESSION, COUNT, IN_FLIGHT, ROUNDS[operation][peer]]
    done = subprocess.run(command + [str(word) for word in words], check=True,
                          stdout=subprocess.PIPE, env=environment(operation))
    return json.loads(done.stdout)


def fill_table(build):
    unum = os.path.join(build, "unum")
    set_up = environment("dynamodb-batch")
    run([unum, "store", "create", f"dynamodb:{CONTAINER}"], env=set_up)
    words = ["dynamodb-fill", CONTAINER, SESSION, str(COUNT), str(IN_FLIGHT), "1"]
    run(prepared("unum", build) + words, env=set_up)


def compare(operation, commands):
    figures = {peer: [] for peer in commands}
    for _ in range(TURNS):
        for peer, command in commands.items():
            figures[peer].append(turn(command, operation, peer))
    rows = []
    for peer, taken in figures.items():
        cpu = statistics.median(figure["cpu_us"] for figure in taken)
        wall = statistics.median(figure["wall_us"] for figure in taken)
        rows.append({"operation": operation, "peer": peer, "cpu_us": round(cpu, 2),
                     "wall_us": round(wall, 2)})
    ours = next((row["cpu_us"] for row in rows if row["peer"] == "unum"), None)
    print(f"\n{operation}: CPU and wall time a request, us")
    for row in rows:
        ratio = f"{row['cpu_us'] / ours:8.1f} x unum" if ours else ""
        print(f"  {row['peer']:<8} {row['cpu_us']:9.2f} {row['wall_us']:9.2f} {ratio}")
    return rows


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("build")
    options.add_argument("--peer", action="append", choices=PEERS)
    options.add_argument("--operation", action="append", choices=OPERATIONS)
    options.add_argument("--json", metavar="FILE")
    asked = options.parse_args()
    build = os.path.abspath(asked.build)
    commands = {}
    for peer in asked.peer or PEERS:
        try:
            commands[peer] = prepared(peer, build)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{peer} is left out: {error}", file=sys.stderr)
    operations = asked.operation or OPERATIONS
    if "dynamodb-batch" in operations:
        fill_table(build)
    rows = [row for operation in operations for row in compare(operation, commands)]
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
