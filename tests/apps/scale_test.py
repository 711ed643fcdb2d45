"""Wide workflows through the command: the right result, memory that stays bounded, and the time it took."""

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
import unittest

from harness import DONE, TIMEOUT_S, UNUM, AppTest, Function, each, fan_in, is_sanitized, outcomes

MEMORY_MAX_MB = 200
BRANCH = "def lambda_handler(event, context):\n    return event * 2\n"
# The last function looks how much memory the command above it has had at most.
SUM = """import os

def field(pid, name):
    with open(f"/proc/{pid}/status") as file:
        return next(line.split()[1] for line in file if line.startswith(name + ":"))

def lambda_handler(event, context):
    pid = os.getppid()
    while field(pid, "Name") != "unum":
        pid = field(pid, "PPid")
    return [sum(event), int(field(pid, "VmHWM"))]
"""
LARGE_BYTES = 1_000_000
LARGE_WIDTH = 10_000 if os.environ.get("UNUM_TEST_WIDE") else 200
LARGE = f"def lambda_handler(event, context):\n    return chr(97 + event % 26) * {LARGE_BYTES - 2}\n"
# A program that reads its event as it comes, and looks the same up.
DIGEST = """#!/bin/sh
digest=$(sha256sum | sed 's/ .*//')
memory_kb=$(sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$PPID/status)
echo "[\\"$digest\\", $memory_kb]"
"""


class Scale(AppTest):
    def wide(self, width):
        return self.application({
            "Fork": Function(f"def lambda_handler(event, context):\n    return list(range({width}))\n",
                             each("Branch")),
            "Branch": Function(BRANCH, fan_in("Sum", ["Branch-unumIndex-*"])),
            "Sum": Function(SUM)}, name=f"wide-{width}")

    def run_wide(self, width, *options):
        application = self.wide(width)
        began = time.monotonic()
        ended = self.unum("run", application, "--session", "wide", "--workers", "2", "--quiet",
                          *options, code=DONE)
        seconds = time.monotonic() - began
        total, memory_kb = json.loads(ended.out)
        self.assertEqual(width * (width - 1), total)
        memory_mb = memory_kb / 1024
        print(f"{width} branches {' '.join(options) or 'durable'}: {seconds:.2f} s, {memory_mb:.0f} MB")
        return application, memory_mb

    def expect_memory_below(self, limit_mb, memory_mb):
        if not is_sanitized():
            self.assertLess(memory_mb, limit_mb)

    def test_fan_ins_of_1_2_100_and_1000_give_the_right_result(self):
        for width in (1, 2, 100, 1000):
            with self.subTest(width=width):
                application, _ = self.run_wide(width)
                self.assertEqual(width + 2, len(outcomes(application, "wide")))

    def test_10000_branches_stay_below_200_mb(self):
        application, memory_mb = self.run_wide(10_000)
        self.assertEqual(10_002, len(outcomes(application, "wide")))
        self.expect_memory_below(MEMORY_MAX_MB, memory_mb)

    def test_10000_branches_in_memory_stay_below_200_mb(self):
        _, memory_mb = self.run_wide(10_000, "--store", "memory")
        self.expect_memory_below(MEMORY_MAX_MB, memory_mb)

    def test_an_aggregator_of_large_inputs_is_not_held_by_the_command(self):
        digest = hashlib.sha256(b"[")
        for i in range(LARGE_WIDTH):
            digest.update(b"," * (i > 0) + b'"' + bytes([97 + i % 26]) * (LARGE_BYTES - 2) + b'"')
        digest.update(b"]")
        application = self.application({
            "Fork": Function(f"def lambda_handler(event, context):\n    return list(range({LARGE_WIDTH}))\n",
                             each("Branch")),
            "Branch": Function(LARGE, fan_in("Digest", ["Branch-unumIndex-*"])),
            "Digest": Function(DIGEST, runtime="provided.al2023", handler="bootstrap",
                               file="bootstrap")})
        began = time.monotonic()
        ended = self.unum("run", application, "--workers", "2", "--quiet", "--no-durable", code=DONE,
                          timeout=TIMEOUT_S * LARGE_WIDTH / 200)
        of_inputs, memory_kb = ended.json
        memory_mb = memory_kb / 1024
        print(f"{LARGE_WIDTH} inputs of 1 MB: {time.monotonic() - began:.2f} s, {memory_mb:.0f} MB")
        self.assertEqual(digest.hexdigest(), of_inputs)
        self.expect_memory_below(130 if LARGE_WIDTH <= 200 else 300, memory_mb)

    def test_a_map_beyond_the_limit_is_refused_by_name(self):
        application = self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return [0] * 1_000_001\n",
                             each("Branch")),
            "Branch": Function(BRANCH, fan_in("Sum", ["Branch-unumIndex-*"])),
            "Sum": Function(SUM)})
        self.refused(1, "run", application, "--session", "s", says=("Unum.TooWide", "1000000"))
        self.assertEqual({}, outcomes(application, "s"))

    def test_descriptors_are_bounded_whatever_the_width(self):
        application = self.wide(2000)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        done = subprocess.run([UNUM, "run", application, "--quiet"], check=False, capture_output=True,
                              text=True, timeout=120, env=dict(os.environ, UNUM_PYTHON=sys.executable),
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                                    (min(256, soft), hard)))
        self.assertEqual(DONE, done.returncode, done.stderr)
        self.assertEqual(2000 * 1999, json.loads(done.stdout)[0])


if __name__ == "__main__":
    unittest.main()
