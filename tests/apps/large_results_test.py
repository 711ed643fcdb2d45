"""Results of a hundred megabytes and more, from a function over the store to the next: held once by the command."""

import os
import subprocess
import unittest

from harness import DONE, UNUM, AppTest, Function, is_sanitized
from network_stores import OnANetworkStore, S3Store

# Twice this is well above the limit below; of what 1 GB takes only `--thorough` would be patient enough.
RESULT_BYTES = 1_000_000_000 if os.environ.get("UNUM_TEST_WIDE") else 100_000_000
MEMORY_MAX_BYTES = RESULT_BYTES * 1.15 + 60e6
PYTHON_TEXT = f"def lambda_handler(event, context):\n    return 'x' * {RESULT_BYTES - 2}\n"
PROGRAM_TEXT = f"""#!/bin/sh
printf '"'
head -c {RESULT_BYTES - 2} /dev/zero | tr '\\0' x
printf '"'
"""
# `meson test` has malloc write to all that it gives: also to what the command only reserves.
UNTOUCHED = {"MALLOC_PERTURB_": "0"}
# What arrives, and the most memory that the command above has had.
LOOK = """#!/bin/sh
count=$(wc -c)
memory_kb=$(sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$PPID/status)
echo "[$count, $memory_kb]"
"""


NEXT = {"Name": "Look", "InputType": "Scalar"}


def program(text, following=None):
    return Function(text, following, runtime="provided.al2023", handler="bootstrap", file="bootstrap")


class LargeResults:
    def expect_held_once(self, memory_bytes):
        print(f"{RESULT_BYTES / 1e6:.0f} MB: {memory_bytes / 1e6:.0f} MB of memory")
        if not is_sanitized():
            self.assertLess(memory_bytes, MEMORY_MAX_BYTES)

    def goes_on(self, make):
        application = self.application({"Make": make, "Look": program(LOOK)})
        ended = self.unum("run", application, "--quiet", *self.store_options(), code=DONE, timeout=600,
                          **self.store_environment(), **UNTOUCHED)
        arrived, memory_kb = ended.json
        self.assertEqual(RESULT_BYTES, arrived)
        self.expect_held_once(memory_kb * 1024)

    def test_of_a_python_function(self):
        self.goes_on(Function(PYTHON_TEXT, NEXT))

    def test_of_a_program(self):
        self.goes_on(program(PROGRAM_TEXT, NEXT))

    def test_as_the_end_of_a_run(self):
        application = self.application({"Make": program(PROGRAM_TEXT)})
        path = self.path("result")
        with open(path, "wb") as out:
            command = subprocess.Popen([UNUM, "run", application, "--quiet", *self.store_options()], stdout=out,
                                       env=dict(os.environ, **self.store_environment(), **UNTOUCHED))
            # pylint: disable-next=no-member
            _, status, used = os.wait4(command.pid, 0)
        self.assertEqual(DONE, os.waitstatus_to_exitcode(status))
        self.assertEqual(RESULT_BYTES + 1, os.path.getsize(path))
        self.expect_held_once(used.ru_maxrss * 1024)


class LargeResultsOnFs(LargeResults, AppTest):
    def store_options(self):
        return ["--no-durable"]

    def store_environment(self):
        return {}


class LargeResultsOnS3(OnANetworkStore, LargeResults, AppTest):
    make_store = S3Store


if __name__ == "__main__":
    unittest.main()
