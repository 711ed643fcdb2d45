"""Wide workflows through the command: the right result, memory that stays bounded, and the time it took."""

import json
import os
import resource
import subprocess
import sys
import time
import unittest

from harness import DONE, UNUM, AppTest, Function, each, fan_in, is_sanitized, outcomes

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
