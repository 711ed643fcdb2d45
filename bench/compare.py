#!/usr/bin/env python3
"""Compares the benchmarks of two commits.

Usage: bench/compare.py OLD [NEW] [--quick] [--pairs N] [--only PROGRAM[:REGEX]]... [--json FILE]
       bench/compare.py --again FILE        the table of figures that --json has kept

Both commits (NEW is HEAD unless it is named) are built with the same options, in worktrees that are
kept below build-compare/. Their programs then run in turns, in pairs whose first alternates, so that
what the machine does meanwhile meets both. A line of the table: the medians of both, the spread of
all runs, the median of the pairs' ratios (new / old, below 1 is faster) with the range that holds it
with a certainty of 95 %, and a mark where that range is beyond 1 by more than 1 %.

--quick           a few figures of the processor alone, in seconds
--pairs N         how many pairs, 6 at least (default 10; with --quick 6)
--only PROGRAM    only this program (reactor, workflow, redis, ...), or those of its figures whose
                  name the expression finds; may be given several times

Programs that need a server are left out where none is named: run it by tests/with-servers.py.
"""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PLACE = os.path.join(ROOT, "build-compare")
OPTIONS = ["-Doptimization=2", "-Ddebug=false", "-Dbenchmarks=true", "-Dtests=false"]
MAIN = ["reactor", "stores", "workflow:native|durable_chain", "workers", "signing", "http", "redis", "s3", "dynamodb"]
QUICK = ["reactor:NOP", "signing", "workflow:native_(transition|fan_in/memory/100$)"]
PAIRS, PAIRS_MIN = 10, 6
CERTAINTY = 0.95
# What differs by less is not worth a word, however certain it is.
LEAST = 0.01
NOTHING_TO_MEASURE = 77
UNITS_NS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


# --- Arithmetic

def figures_of(report, expression=""):
    """Name to nanoseconds of a report of Google Benchmark. What is measured beside another (ratio.hpp)
    tells its own time; of a name that occurs again the second is NAME #2."""
    found = {}
    for run in report["benchmarks"]:
        if run.get("run_type") == "aggregate" or run.get("error_occurred") or "allocations" in run:
            continue
        name = re.sub(r"/(iterations:\d+|manual_time)", "", run["name"])
        if not re.search(expression, name):
            continue
        number = sum(known.partition(" #")[0] == name for known in found) + 1
        unit = UNITS_NS[run.get("time_unit", "ns")]
        found[name if number == 1 else f"{name} #{number}"] = run.get("ours_ns", run["real_time"] * unit)
    return found


def range_of_median(values):
    """A confidence interval for the median of what the values are drawn from, whatever its
    distribution: between two of the values, equally many of which are left out at both ends. Of fewer
    than PAIRS_MIN values it is the range of all, which is less certain."""
    ordered = sorted(values)
    count = len(ordered)
    outside, left_out = 0.0, 0
    for rank in range((count - 1) // 2):
        # Each value is below the median with probability one half: so likely exactly `rank` of them are.
        outside += 2 * math.comb(count, rank) / 2**count
        if 1 - outside < CERTAINTY:
            break
        left_out = rank
    return ordered[left_out], ordered[count - 1 - left_out]


def spread_of(values):
    """Half the distance between the quartiles, as a share of the median."""
    if len(values) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle if middle else 0.0


def compared(pairs):
    """A row of the table for pairs of (old, new)."""
    old, new = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ratios = [after / before for before, after in pairs]
    low, high = range_of_median(ratios)
    mark = "faster" if high < 1 - LEAST else "SLOWER" if low > 1 + LEAST else ""
    return {"old": statistics.median(old), "new": statistics.median(new), "spread": max(spread_of(old), spread_of(new)),
            "ratio": statistics.median(ratios), "low": low, "high": high, "mark": mark}


def shown(nanoseconds):
    """With three digits, in the unit that suits."""
    for unit, size in reversed(UNITS_NS.items()):
        if nanoseconds >= size or unit == "ns":
            value = nanoseconds / size
            return f"{value:.{max(0, 2 - int(math.log10(max(value, 1))))}f} {unit}"
    return ""


def table(turns):
    """The lines for turns: for each figure a list of [old, new], in nanoseconds."""
    width = max([len(name) for name in turns] + [6])
    lines = [f"{'figure':<{width}}  {'old':>9}  {'new':>9}  spread  ratio  95 %"]
    for name, pairs in turns.items():
        sides = [[pair[side] for pair in pairs if pair[side] is not None] for side in (0, 1)]
        if not sides[0] or not sides[1]:
            lines.append(f"{name:<{width}}  only in the {'new' if sides[1] else 'old'} one")
            continue
        row = compared([pair for pair in pairs if None not in pair])
        lines.append(f"{name:<{width}}  {shown(row['old']):>9}  {shown(row['new']):>9}  {row['spread']:6.1%}  "
                     f"{row['ratio']:5.2f}  {row['low']:.2f} to {row['high']:.2f}  {row['mark']}".rstrip())
    return lines


# --- Building and running

def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def built(commit, programs):
    """The build directory of a commit, with those of the programs that it has."""
    tree = os.path.join(PLACE, commit[:12])
    build = os.path.join(tree, "build")
    if not os.path.isdir(tree):
        git("worktree", "add", "--quiet", "--detach", tree, commit)
    environment = dict(os.environ, MESON_PACKAGE_CACHE_DIR=os.path.join(ROOT, "subprojects", "packagecache"))
    quiet = {"check": True, "stdout": sys.stderr, "env": environment}
    if not os.path.isfile(os.path.join(build, "build.ninja")):
        subprocess.run(["meson", "setup", build, tree, *OPTIONS], **quiet)
    known = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], check=True,
                           stdout=subprocess.PIPE, text=True)
    wanted = [f"bench/bench-{program}" for program in programs if f"\nbench/bench-{program}:" in known.stdout]
    subprocess.run(["ninja", "-C", build, *wanted], **quiet)
    return build


def turn(build, tree, program, expression):
    """The figures of one run, none where there is nothing to measure."""
    path = os.path.join(build, "bench", "bench-" + program)
    if not os.path.exists(path):
        return {}
    command = [path] + (["--benchmark_filter=" + expression] if expression else [])
    with tempfile.TemporaryDirectory(dir=PLACE) as scratch:
        report = os.path.join(scratch, "report.json")
        code = subprocess.run([*command, "--benchmark_out=" + report, "--benchmark_out_format=json"], check=False,
                              cwd=scratch, env=dict(os.environ, UNUM_SOURCE_ROOT=tree), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE)
        if code.returncode == NOTHING_TO_MEASURE:
            return {}
        if code.returncode != 0:
            sys.exit(f"{path} ended with code {code.returncode}\n{code.stderr.decode(errors='replace')}")
        with open(report, encoding="utf-8") as file:
            return {f"{program}: {name}": value for name, value in figures_of(json.load(file), expression).items()}


def measured(builds, chosen, pairs):
    """For each figure a list of [old, new]; None where a side has it not."""
    turns = {}
    for number in range(pairs):
        for word in chosen:
            program, _, expression = word.partition(":")
            sides = [None, None]
            for side in (number % 2, 1 - number % 2):
                sides[side] = turn(builds[side], os.path.dirname(builds[side]), program, expression)
            if number == 0 and not sides[0] and not sides[1]:
                print(f"{program} is left out: nothing to measure here", file=sys.stderr)
            for name in {**sides[0], **sides[1]}:
                turns.setdefault(name, []).append([sides[0].get(name), sides[1].get(name)])
        print(f"pair {number + 1} of {pairs}", file=sys.stderr, flush=True)
    return turns


def main():
    options = argparse.ArgumentParser(usage=__doc__, add_help=False)
    options.add_argument("old", nargs="?")
    options.add_argument("new", nargs="?", default="HEAD")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--pairs", type=int)
    options.add_argument("--only", action="append")
    options.add_argument("--json")
    options.add_argument("--again")
    asked = options.parse_args()
    if asked.again:
        with open(asked.again, encoding="utf-8") as file:
            print("\n".join(table(json.load(file))))
        return
    pairs = asked.pairs or (PAIRS_MIN if asked.quick else PAIRS)
    if not asked.old or pairs < PAIRS_MIN:
        options.error(f"name the old commit; --pairs is {PAIRS_MIN} at least")
    chosen = asked.only or (QUICK if asked.quick else MAIN)
    commits = [git("rev-parse", "--verify", name + "^{commit}") for name in (asked.old, asked.new)]
    os.makedirs(PLACE, exist_ok=True)
    builds = [built(commit, {word.partition(":")[0] for word in chosen}) for commit in commits]
    turns = measured(builds, chosen, pairs)
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as file:
            json.dump(turns, file, indent=1)
    for side, commit in zip(("old", "new"), commits):
        print(f"{side}: {git('log', '-1', '--format=%h %s', commit)}")
    print("\n".join([f"{pairs} pairs\n", *table(turns)]))


if __name__ == "__main__":
    main()
