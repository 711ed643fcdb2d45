#!/usr/bin/env python3
"""What `check_values_exist` of 1,000 names costs in Python and in C, in one run.

Usage: check_values.py [TYPE:NAME]    (without it, `fs` in a temporary directory)

Needs a C compiler, unum.h (UNUM_INCLUDE: its directory, else this source tree's) and the library (UNUM_LIBRARY). The
two take turns, a block of rounds each, so that both meet the same machine; the figure is the median of all rounds.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import unum_workflows as unum  # noqa: E402  pylint: disable=wrong-import-position

NAMES, ROUNDS, BLOCKS = 1000, 200, 10


def python_rounds(type_, name, fresh):
    """`fresh`: another list each time; else the same, as the branches of one fan-in have it."""
    with unum.Loop() as loop:
        loop.create_store(type_, name)
        with loop.open_store(type_, name) as store:
            session = store.create_session_context()
            names = [f"Branch-unumIndex-{i}" for i in range(NAMES)]
            for op in [store.begin.write_return_value(session, each, "1") for each in names]:
                op.wait()
            times = []
            for round_ in range(ROUNDS):
                if fresh:  # asking twice for one of them is another list, of as many names
                    asked = [*names[:-1], names[round_]]
                else:
                    asked = list(names)
                begin = time.perf_counter()
                assert store.check_values_exist(session, asked)
                times.append(1e6 * (time.perf_counter() - begin))
            return times


def c_rounds(program, type_, name):
    command = [program, type_, name, str(NAMES), str(ROUNDS)]
    return [float(line) for line in subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.split()]


def build(directory):
    include = os.environ.get("UNUM_INCLUDE") or os.path.join(HERE, "..", "..", "..", "include")
    program = os.path.join(directory, "check_values")
    library = os.path.abspath(unum.LIBRARY_PATH)
    subprocess.run(["cc", "-O2", "-I", include, "-o", program, os.path.join(HERE, "check_values.c"), library,
                    f"-Wl,-rpath,{os.path.dirname(library)}"], check=True)
    return program


def main():
    with tempfile.TemporaryDirectory() as directory:
        type_, _, name = (sys.argv[1] if len(sys.argv) > 1 else f"fs:{directory}/store").partition(":")
        program = build(directory)
        in_python, in_fresh, in_c = [], [], []
        for _ in range(BLOCKS):
            in_c += c_rounds(program, type_, name)
            in_python += python_rounds(type_, name, False)
            in_fresh += python_rounds(type_, name, True)
    python_us, fresh_us, c_us = (statistics.median(times) for times in (in_python, in_fresh, in_c))
    print(f"{type_}: check_values_exist of {NAMES:,} names, median of {len(in_c):,}: "
          f"C {c_us:,.0f} us, Python {python_us:,.0f} us (ratio {python_us / c_us:.3f}), "
          f"of other names each time {fresh_us:,.0f} us (ratio {fresh_us / c_us:.3f})")


if __name__ == "__main__":
    main()
