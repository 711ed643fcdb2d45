#!/usr/bin/env python3
"""Cold start: from a program's start to the first value it read from S3, beside a bare libcurl program.

Usage: python3 tests/with-servers.py --only http,s3 python3 bench/cold_start/measure.py BUILD [BUILD...]
           [--rounds N] [--json FILE]

Each BUILD is a build directory with -Dbenchmarks=true: an ordinary one; also one with
--force-fallback-for=curl (shared libraries, but a libcurl of few features) and one with -Dprefer_static=true.
The first is compared with a bare libcurl program of its own. They all read one value of 1 KB over http, in turns:
from an nginx that has the same bytes behind every key ($UNUM_TEST_HTTP, the server's time is next to none), and from
an S3 server ($UNUM_TEST_S3). Told are the fastest and the median round until the value was written to stdout, CPU of
the whole program, its peak memory and the shared libraries it loads.

UNUM_BENCH_TINY=1 does everything once: a test that it works. Without a server the exit code is 77.
"""

import argparse
import datetime
import hashlib
import hmac
import json
import os
import statistics
import subprocess
import sys
import urllib.parse
import urllib.request
import uuid

TINY = "UNUM_BENCH_TINY" in os.environ
KEY_ID, SECRET, REGION = "unum-test", "unum-test-secret", "us-east-1"
VALUE = json.dumps("v" * 1022)
SKIPPED = 77

def presigned(endpoint, path, parameters=()):
    """A URL that may be read without more: Signature Version 4 in the query."""
    host = urllib.parse.urlsplit(endpoint).netloc
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    query = dict(parameters)
    query.update({"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{KEY_ID}/{scope}",
                  "X-Amz-Date": now, "X-Amz-Expires": "86400", "X-Amz-SignedHeaders": "host"})
    canonical = urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote, safe="-_.~")
    request = f"GET\n{path}\n{canonical}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + SECRET).encode()
    for part in (now[:8], REGION, "s3", "aws4_request", to_sign):
        signature = hmac.new(key, part.encode(), hashlib.sha256)
        key = signature.digest()
    return f"{endpoint}{path}?{canonical}&X-Amz-Signature={signature.hexdigest()}"


def only_object(endpoint, bucket, name_part):
    """The path of the one object in the bucket whose key has that part."""
    url = presigned(endpoint, f"/{bucket}", {"list-type": "2"})
    with urllib.request.urlopen(url, timeout=20) as answer:
        listing = answer.read().decode()
    keys = [text.split("</Key>")[0] for text in listing.split("<Key>")[1:]]
    (key,) = [key for key in keys if name_part in key]
    return f"/{bucket}/" + urllib.parse.quote(key, safe="/-_.~")


def environment(endpoint):
    """That of the measured programs: credentials by environment, and no proxy."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("AWS_") and not name.lower().endswith("_proxy")}
    return dict(kept, AWS_ENDPOINT_URL_S3=endpoint, AWS_ACCESS_KEY_ID=KEY_ID, AWS_SECRET_ACCESS_KEY=SECRET,
                AWS_REGION=REGION, AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")


def program(build, name):
    return os.path.join(build, "bench", "bench-" + name)


def run_once(build, command, env):
    """Microseconds to the first byte, to the end, of CPU; peak memory in KB."""
    done = subprocess.run([program(build, "first-byte"), *command], check=True, stdout=subprocess.PIPE, env=env,
                              timeout=60)
    return [float(figure) for figure in done.stdout.split()]


def libraries(path):
    """Names of the shared libraries that it loads, without the loader."""
    listed = subprocess.run(["ldd", path], check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True).stdout
    return [line.split()[0] for line in listed.splitlines() if "=>" in line]


def kind_of(build):
    """What the build's programs are called."""
    loaded = libraries(program(build, "first-value"))
    if not loaded:
        return ", static"
    return "" if any(name.startswith("libcurl.") for name in loaded) else ", small libcurl"


def measure(builds, commands, env, rounds):
    """Rounds in turns; who begins changes, so that no program always follows the same other."""
    figures = {name: [] for name in commands}
    names = list(commands)
    for turn in range(rounds):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            figures[name].append(run_once(builds[0], commands[name], env))
    return figures


def summary(figures, commands):
    result = {}
    for name, rounds in figures.items():
        first, _, cpu, memory = zip(*rounds)
        result[name] = {"first_ms": min(first) / 1e3, "first_median_ms": statistics.median(first) / 1e3,
                        "cpu_ms": statistics.median(cpu) / 1e3, "peak_mb": max(memory) / 1024,
                        "libraries": len(libraries(commands[name][0]))}
    return result


def print_table(title, table):
    print(f"\n{title}\n{'':<24} {'fastest ms':>10} {'median ms':>10} {'CPU ms':>8} {'peak MB':>8} {'libraries':>9}")
    for name, row in table.items():
        print(f"{name:<24} {row['first_ms']:>10.2f} {row['first_median_ms']:>10.2f} {row['cpu_ms']:>8.2f} "
              f"{row['peak_mb']:>8.1f} {row['libraries']:>9}")


def judge(table):
    """The goals. They are for a machine that does nothing else: the fastest rounds come nearest to it."""
    goals = []
    bare = table.get("bare libcurl", {}).get("first_ms")
    for name, row in table.items():
        if bare and name.startswith("unum"):
            goals.append((name + " / bare libcurl", row["first_ms"] / bare, 1.0))
    if "unum, static" in table:
        goals.append(("unum, static: ms", table["unum, static"]["first_ms"], 2.0))
        goals.append(("unum, static: MB", table["unum, static"]["peak_mb"], 8.0))
    for name, value, goal in goals:
        missed = " (tiny run: no figure)" if TINY else "" if value <= goal else "  MISSED"
        print(f"{name:<36} {value:>6.2f}  <= {goal:.2f}{missed}")


def compare(title, builds, endpoint, bucket, object_url, session, rounds):
    env = environment(endpoint)
    commands = {}
    for build in builds:
        kind = kind_of(build)
        commands["unum" + kind] = [program(build, "first-value"), "s3:" + bucket, session, "F"]
        commands["bare libcurl" + kind] = [program(build, "bare-get"), object_url]
    read = {name: subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env, timeout=60).stdout
            for name, command in commands.items()}
    if len(set(read.values())) != 1:
        raise SystemExit(f"they read different values: {read}")
    table = summary(measure(builds, commands, env, rounds), commands)
    print_table(title, table)
    judge(table)
    return table


def main():
    parser = argparse.ArgumentParser(description="Cold start, from exec to the first value read from S3.")
    parser.add_argument("builds", nargs="+", metavar="BUILD")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", metavar="FILE", help="writes the figures there, too")
    arguments = parser.parse_args()
    rounds = 1 if TINY else arguments.rounds
    builds = [os.path.abspath(build) for build in arguments.builds]
    floor, gateway = os.environ.get("UNUM_TEST_HTTP"), os.environ.get("UNUM_TEST_S3")
    if not floor and not gateway:
        print("cold start: neither UNUM_TEST_HTTP nor UNUM_TEST_S3 is set", file=sys.stderr)
        return SKIPPED
    session = str(uuid.uuid4())
    tables = {}
    if floor:
        tables["nginx"] = compare("from nginx", builds, floor, "bucket", floor + "/1k", session, rounds)
    if gateway:
        bucket = "cold-start-" + session[:8]
        prepare = {"check": True, "env": environment(gateway), "stdout": subprocess.DEVNULL, "timeout": 60}
        subprocess.run([program(builds[0], "first-value"), "--create", "s3:" + bucket], **prepare)
        subprocess.run([program(builds[0], "first-value"), "s3:" + bucket, session, "F", VALUE], **prepare)
        url = presigned(gateway, only_object(gateway, bucket, session))
        tables["s3"] = compare("from an S3 server", builds, gateway, bucket, url, session, rounds)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(tables, file, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
