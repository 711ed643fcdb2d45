"""The binary interface of libunum.so.1: what its header says, compared with the last release's description.

After a release, and while there is none after each change: `python3 tests/abi_test.py --update` (with the
variables that Meson sets) writes the description anew; the difference is looked at like any other.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ["UNUM_SOURCE_ROOT"]
HEADER = os.path.join(SOURCE, "include", "unum.h")
KEPT = os.path.join(SOURCE, "tests", "fixtures", "libunum.abi")
COMPILER = os.environ.get("CC", "cc").split()
# abidiff(1): bits of its exit code.
ABI_ERROR = 1 | 2
ABI_CHANGED = 4


def describe(header_text, scratch):
    """The path of a description of a library that has this header's functions. They do nothing: the compiler sees
    to it that the real ones are of these types, and another test that they are all there."""
    functions, count = re.subn(r"^UNUM_C_API ([^;]*\));", r"\1 { __builtin_trap(); }", header_text, flags=re.MULTILINE)
    if count < 60:
        raise AssertionError(f"only {count} functions were found in the header")
    source = os.path.join(scratch, "unum.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(functions)
    library = os.path.join(scratch, "libunum.so.1")
    subprocess.run([*COMPILER, "-g", "-O0", "-w", "-shared", "-fPIC", "-Wl,-soname,libunum.so.1", source, "-o",
                    library], check=True)
    described = os.path.join(scratch, "libunum.abi")
    subprocess.run(["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--type-id-style", "hash",
                    "--out-file", described, library], check=True)
    return described


def difference(kept, described):
    return subprocess.run(["abidiff", "--no-added-syms", kept, described], check=False, capture_output=True, text=True)


class Abi(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="unum-abi-")
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name
        with open(HEADER, encoding="utf-8") as file:
            self.header = file.read()

    def test_the_interface_is_the_last_releases_with_nothing_changed_or_taken_away(self):
        found = difference(KEPT, describe(self.header, self.scratch))
        self.assertEqual(0, found.returncode, found.stdout + found.stderr)

    def test_a_changed_argument_a_changed_field_and_a_missing_function_are_seen(self):
        changes = {"unum_op_wait(unum_op* op, int64_t timeout_ms)": "unum_op_wait(unum_op* op, int32_t timeout_ms)",
                   "  int64_t timeout_ms; /* 0: none.": "  int32_t timeout_ms; /* 0: none.",
                   "UNUM_C_API unum_status unum_op_cancel(unum_op* op);": ""}
        for old, new in changes.items():
            with self.subTest(change=old):
                self.assertEqual(1, self.header.count(old))
                found = difference(KEPT, describe(self.header.replace(old, new), self.scratch))
                seen = found.returncode & (ABI_CHANGED | ABI_ERROR)
                self.assertEqual(ABI_CHANGED, seen, found.stdout + found.stderr)


if __name__ == "__main__":
    if "--update" in sys.argv:
        with tempfile.TemporaryDirectory() as own, open(HEADER, encoding="utf-8") as header_file:
            with open(describe(header_file.read(), own), encoding="utf-8") as new, open(
                    KEPT, "w", encoding="utf-8") as kept_file:
                kept_file.write(new.read())
    else:
        unittest.main()
