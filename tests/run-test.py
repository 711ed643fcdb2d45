#!/usr/bin/env python3
"""Runs one test program and leaves its count of test cases for the sum at the end of test.sh.

Usage: run-test.py catch PROGRAM [ARGS...]       a Catch2 program
       run-test.py unittest FILE.py [ARGS...]    a file of Python's unittest
       run-test.py plain NAME PROGRAM [ARGS...]  anything else: one test; exit code 77 is a skip
       run-test.py sum DIRECTORY                 prints the sum: `N passed, N failed, N skipped`
       run-test.py times DIRECTORY               prints where the time went, the longest first

The counts and times go to $UNUM_TEST_RESULTS as one JSON file a run; without that variable the test
simply runs. The exit code is 0 if nothing failed; for `sum`, in CI (CI=true), also only if nothing
was skipped.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as ElementTree

SKIPPED = 77
BEGAN = time.monotonic()


def run_name(path, *parts):
    return "-".join([os.path.splitext(os.path.basename(path))[0], *parts])


def run_catch(program, *arguments):
    """Counts test cases, not assertions, and shows what failed: the XML is not for people."""
    name = run_name(program)
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "report.xml")
        skips = os.path.join(scratch, "skips")
        environment = dict(os.environ, UNUM_TEST_SKIPS=skips)
        command = [program, "-r", "xml", "-d", "yes", "-o", report, *arguments]
        code = subprocess.run(command, check=False, env=environment).returncode
        passed, failures = read_catch_report(report)
        skipped = open(skips, encoding="utf-8").read().splitlines() if os.path.exists(skips) else []
    for line in skipped:
        print(f"SKIPPED: {line}")
    if code != 0 and not failures:
        failures = [f"{name} ended with code {code} and named no failed test"]
    return name, passed - len(skipped), failures, skipped


def read_catch_report(path):
    """How many test cases passed, and the names of those that did not."""
    passed, failures = 0, []
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag != "TestCase":
                continue
            result = element.find("OverallResult")
            if result is not None and result.get("success") == "true":
                passed += 1
                continue
            failures.append(element.get("name"))
            print(f"FAILED: {element.get('name')} ({element.get('filename')})")
            show_failed_assertions(element)
    except (OSError, ElementTree.ParseError) as error:
        failures.append(f"the program broke off: {error}")
        print("FAILED:", failures[-1])
    return passed, failures


def show_failed_assertions(case):
    for element in case.iter():
        text = (element.text or "").strip()
        if element.tag == "Expression" and element.get("success") != "true":
            place = f"{element.get('filename')}:{element.get('line')}"
            original = (element.findtext("Original") or "").strip()
            expanded = (element.findtext("Expanded") or "").strip()
            print(f"  {place}: {element.get('type')}( {original} )\n    with: {expanded}")
        if element.tag in ("Exception", "Failure", "FatalErrorCondition", "Info") and text:
            print(f"  {element.tag}: {text}")


def run_unittest(path, *classes):
    """All tests of a script, or those of some of its classes."""
    module = run_name(path)
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    sys.argv = [path]
    names = [f"{module}.{each}" for each in classes] or [module]
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    broken = [case for case, _ in result.failures + result.errors] + result.unexpectedSuccesses
    # A test whose sub-tests fail is one failed test.
    failures = sorted({getattr(case, "test_case", case).id() for case in broken})
    skipped = [f"{case.id()}: {reason}" for case, reason in result.skipped]
    return run_name(path, *classes), result.testsRun - len(failures) - len(skipped), failures, skipped


def run_plain(name, *command):
    code = subprocess.run(command, check=False).returncode
    failures = [] if code in (0, SKIPPED) else [f"{name}: exit code {code}"]
    skipped = [name] if code == SKIPPED else []
    return name, int(code == 0), failures, skipped


def record(name, passed, failures, skipped):
    """The processor time is this process' and that of all it waited for, not that of the servers."""
    directory = os.environ.get("UNUM_TEST_RESULTS")
    if directory:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        counts = {"name": name, "passed": passed, "failed": failures, "skipped": skipped,
                  "seconds": round(time.monotonic() - BEGAN, 2),
                  "cpu_seconds": round(sum(each.ru_utime + each.ru_stime for each in used), 2)}
        with open(os.path.join(directory, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(counts, file)


def recorded(directory):
    """What the runs have left: the folder of each below the directory, its counts and times."""
    for folder, _, names in sorted(os.walk(directory)):
        for name in sorted(names):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                yield os.path.relpath(folder, directory), json.load(file)


def print_times(directory):
    """A table in Markdown: a test that takes much longer than its processor time waits."""
    rows = sorted(recorded(directory), key=lambda row: -row[1]["seconds"])
    print("| run | test | seconds | of the processor |\n| -- | -- | --: | --: |")
    for run, counts in rows:
        print(f"| {run} | {counts['name']} | {counts['seconds']:.1f} | {counts['cpu_seconds']:.1f} |")
    for run in sorted({run for run, _ in rows}):
        sums = [sum(counts[field] for place, counts in rows if place == run)
                for field in ("seconds", "cpu_seconds")]
        print(f"| {run} | all | {sums[0]:.0f} | {sums[1]:.0f} |")
    return 0


def print_sum(directory):
    passed, failed, skipped = 0, [], []
    for run, counts in recorded(directory):
        where = f"{run}/{counts['name']}"
        passed += counts["passed"]
        failed += [f"{where}: {case}" for case in counts["failed"]]
        skipped += [f"{where}: {case}" for case in counts["skipped"]]
    for case in skipped:
        print(f"skipped  {case}")
    for case in failed:
        print(f"FAILED   {case}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    skip_counts = os.environ.get("CI") == "true" and skipped
    return 1 if failed or skip_counts or passed == 0 else 0


def main():
    kinds = {"catch": run_catch, "unittest": run_unittest, "plain": run_plain}
    tables = {"sum": print_sum, "times": print_times}
    if len(sys.argv) < 3 or sys.argv[1] not in (*kinds, *tables):
        sys.exit(__doc__)
    if sys.argv[1] in tables:
        return tables[sys.argv[1]](sys.argv[2])
    # What stands if this process is killed, at the time limit say.
    name = run_name(*sys.argv[2:]) if sys.argv[1] == "unittest" else run_name(sys.argv[2])
    record(name, 0, [f"{name} did not end by itself"], [])
    counts = kinds[sys.argv[1]](*sys.argv[2:])
    record(*counts)
    name, passed, failures, skipped = counts
    print(f"{name}: {passed} passed, {len(failures)} failed, {len(skipped)} skipped")
    if failures:
        return 1
    return SKIPPED if skipped and not passed else 0


if __name__ == "__main__":
    sys.exit(main())
