"""The wheel and what is around the code: built and installed offline, examples, types, version."""

import ast
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

import unum_workflows as unum
from support import PACKAGE_ROOT, SOURCE_ROOT, Case
from unum_workflows import aio

TAG = f"py3-none-manylinux_2_34_{platform.machine()}"
PROGRAM = """
import sys, unum_workflows as unum
with unum.Loop() as loop:
    loop.create_store("fs", sys.argv[1])
    with loop.open_store("fs", sys.argv[1]) as store:
        store.write_return_value("s", "A", "1")
        print(store.read_input("s", ["A"])[0].decode(), unum.LIBRARY_PATH)
"""


def run(*command, environment=None, **options):
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True,
                           env=environment, **options)
    if ended.returncode != 0:
        raise AssertionError(f"{command} ended with {ended.returncode}:\n{ended.stdout}")
    return ended.stdout


def without(*names):
    """The environment without what leads to this source tree."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", *names)}


def make_venv(directory):
    """The interpreter of a virtual environment, and the command that installs into it."""
    venv = os.path.join(directory, "venv")
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    python = os.path.join(venv, "bin", "python")
    return python, [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]


def can_install():
    """pip can install into another environment since 22.3."""
    try:
        found = run(sys.executable, "-m", "pip", "--version")
    except AssertionError:
        return False
    return tuple(int(part) for part in re.findall(r"\d+", found)[:2]) >= (22, 3)


def executable():
    """A program to be installed as the command: the one of UNUM_BINARY, else any."""
    return os.environ.get("UNUM_BINARY") or shutil.which("true")


class Wheel(Case):
    def build(self, *arguments):
        """In a copy of the sources, so that nothing can be left in them."""
        copy = os.path.join(self.directory, "source")
        if not os.path.exists(copy):
            shutil.copytree(PACKAGE_ROOT, copy, ignore=shutil.ignore_patterns("__pycache__", "tests", "bench"))
        out = os.path.join(self.directory, "out")
        run(sys.executable, os.path.join(copy, "build_wheel.py"), "--out", out, *arguments)
        return [os.path.join(out, name) for name in sorted(os.listdir(out))][-1]

    def check_installed(self, python):
        place = os.path.join(self.directory, "store")
        value, library = run(python, "-c", PROGRAM, place, environment=without("UNUM_LIBRARY")).split()
        self.assertEqual("1", value)
        self.assertTrue(library.endswith("site-packages/unum_workflows/libunum.so.1"), library)
        bin_directory = os.path.dirname(python)
        self.assertTrue(os.access(os.path.join(bin_directory, "unum"), os.X_OK))
        self.assertNotEqual("", run(os.path.join(bin_directory, "unum"), "--version"))

    @unittest.skipUnless(can_install(), "needs pip 22.3")
    def test_a_wheel_with_library_and_command_is_installed_by_pip_offline(self):
        wheel = self.build("--library", unum.LIBRARY_PATH, "--command", executable(), "--tag", TAG)
        self.assertEqual(f"unum_workflows-{unum.__version__}-{TAG}.whl", os.path.basename(wheel))
        python, pip = make_venv(self.directory)
        run(*pip, "install", "--no-index", wheel)
        self.check_installed(python)
        self.assertIn("unum-workflows", run(*pip, "list"))

    @unittest.skipUnless(shutil.which("uv"), "needs uv")
    def test_a_wheel_is_installed_by_uv_offline(self):
        wheel = self.build("--library", unum.LIBRARY_PATH, "--command", executable(), "--tag", TAG)
        venv = os.path.join(self.directory, "venv")
        environment = dict(os.environ, UV_CACHE_DIR=os.path.join(self.directory, "cache"))
        run("uv", "venv", "--offline", "--python", sys.executable, venv, environment=environment)
        python = os.path.join(venv, "bin", "python")
        run("uv", "pip", "install", "--offline", "--no-index", "--python", python, wheel, environment=environment)
        self.check_installed(python)

    @unittest.skipUnless(can_install(), "needs pip 22.3")
    def test_pip_builds_and_installs_the_folder_offline(self):
        wheel = self.build()
        self.assertTrue(wheel.endswith("-py3-none-any.whl"))
        python, pip = make_venv(self.directory)
        run(*pip, "install", "--no-index", "--use-pep517", os.path.join(self.directory, "source"))
        environment = dict(without(), UNUM_LIBRARY=unum.LIBRARY_PATH)
        value, library = run(python, "-c", PROGRAM, os.path.join(self.directory, "store"),
                             environment=environment).split()
        self.assertEqual(("1", unum.LIBRARY_PATH), (value, library))
        refusal = subprocess.run([python, "-c", "import unum_workflows"], stderr=subprocess.PIPE, check=False,
                                 text=True, env=dict(without(), UNUM_LIBRARY="/nowhere.so")).stderr
        self.assertIn("UNUM_LIBRARY", refusal)

    def test_a_wheel_records_what_it_holds_and_is_the_same_each_time(self):
        arguments = ("--library", executable(), "--tag", TAG)
        digests = set()
        for _ in range(2):
            with open(self.build(*arguments), "rb") as file:
                digests.add(hashlib.sha256(file.read()).hexdigest())
        self.assertEqual(1, len(digests))
        with zipfile.ZipFile(self.build(*arguments)) as archive:
            info = f"unum_workflows-{unum.__version__}.dist-info"
            self.assertIn("unum_workflows/py.typed", archive.namelist())
            self.assertIn(f"Tag: {TAG}\n", archive.read(f"{info}/WHEEL").decode())
            recorded = {line.split(",")[0] for line in archive.read(f"{info}/RECORD").decode().splitlines()}
            self.assertEqual(set(archive.namelist()), recorded)
        with self.assertRaises(AssertionError):
            self.build("--library", unum.LIBRARY_PATH)
        with self.assertRaises(AssertionError):
            self.build("--library", __file__, "--tag", TAG)


class Around(Case):
    def test_the_version_is_the_projects(self):
        with open(os.path.join(SOURCE_ROOT, "meson.build"), encoding="utf-8") as file:
            self.assertIn(f"version: '{unum.__version__}'", file.read())

    def test_every_function_of_the_header_is_declared_with_its_arguments(self):
        from unum_workflows._library import FREE_GIL, KEEP_GIL
        with open(os.path.join(SOURCE_ROOT, "include", "unum.h"), encoding="utf-8") as file:
            text = file.read()
        found = {name: 0 if arguments.strip() == "void" else arguments.count(",") + 1 for name, arguments in
                 re.findall(r"^UNUM_C_API [^(;]*?\b(unum_\w+)\(([^;]*)\);", text, re.MULTILINE)}
        declared = {name: len(arguments) for name, (_, arguments) in {**FREE_GIL, **KEEP_GIL}.items()}
        self.assertGreater(len(found), 60)
        self.assertEqual({name: count for name, count in found.items() if name in declared}, declared)
        self.assertEqual(set(), set(found) - set(declared), "functions that this package does not know")

    def test_what_is_public_is_documented_and_typed(self):
        silent = []
        for name in ("_blocking.py", "aio.py", "types.py", "errors.py", "_log.py"):
            with open(os.path.join(PACKAGE_ROOT, "unum_workflows", name), encoding="utf-8") as file:
                tree = ast.parse(file.read())
            for node in ast.walk(tree):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
                    if node.returns is None:
                        silent.append(f"{name}: {node.name} has no type")
        self.assertEqual([], silent)
        for name in unum.__all__:
            if isinstance(getattr(unum, name), type):
                self.assertTrue(getattr(unum, name).__doc__, name)
        for each in (unum.Loop, unum.Store, unum.Runtime, unum.Application, unum.Op, unum.Function, unum.Context,
                     aio.Loop, aio.Store, aio.Runtime, aio.Application):
            for name, member in vars(each).items():
                if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                    self.assertTrue(member.__doc__, f"{each}.{name}")

    @unittest.skipUnless(importlib.util.find_spec("mypy") or shutil.which("mypy"), "needs mypy")
    def test_mypy_finds_nothing(self):
        mypy = [shutil.which("mypy")] if shutil.which("mypy") else [sys.executable, "-m", "mypy"]
        run(*mypy, "--strict", "--cache-dir", os.path.join(self.directory, "cache"), "unum_workflows",
            cwd=PACKAGE_ROOT)

    def test_the_examples_run(self):
        environment = dict(os.environ, PYTHONPATH=PACKAGE_ROOT)
        for name, place, elements in (("fan_in.py", "memory:m", 1000), ("fan_in_async.py", "memory:m", 1000),
                                      ("fan_in.py", f"fs:{self.directory}/store", 30)):
            with self.subTest(example=name, store=place):
                text = run(sys.executable, os.path.join(PACKAGE_ROOT, "examples", name), place, str(elements),
                           environment=environment)
                self.assertIn(f"the sum of {elements:,} squares is", text)

    def test_the_programs_of_the_readme_run(self):
        with open(os.path.join(PACKAGE_ROOT, "README.md"), encoding="utf-8") as file:
            programs = re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)
        self.assertGreater(len(programs), 3)
        environment = dict(os.environ, PYTHONPATH=PACKAGE_ROOT)
        for number, program in enumerate(programs):
            with self.subTest(program=number), tempfile.TemporaryDirectory() as directory:
                run(sys.executable, "-c", program, cwd=directory, environment=environment)


if __name__ == "__main__":
    unittest.main()
