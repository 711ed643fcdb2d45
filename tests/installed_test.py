"""An installed copy: complete, usable by a program outside the tree, and movable to anywhere."""

import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

SOURCE = os.environ["UNUM_SOURCE_ROOT"]
BUILD = os.environ["UNUM_BUILD_ROOT"]
COMPILER = os.environ.get("CXX", "c++").split()


def run(*command, **options):
    done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def build_options():
    """The build's own options, so that what is compiled against its library fits it."""
    listed = json.loads(run("meson", "introspect", BUILD, "--buildoptions"))
    return {option["name"]: option["value"] for option in listed}


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="unum-installed-")
        first = os.path.join(cls.scratch.name, "first")
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", first)
        prefix = build_options()["prefix"].lstrip("/")
        # Moved after it was installed: nothing in it may remember where it first was.
        cls.root = os.path.join(cls.scratch.name, "moved here")
        shutil.move(os.path.join(first, prefix), cls.root)
        pkg_config = glob.glob(os.path.join(cls.root, "lib*", "**", "unum-cpp.pc"), recursive=True)
        cls.pkg_config_dir = os.path.dirname(pkg_config[0]) if pkg_config else None

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def pkg_config(self, *arguments, package="unum-cpp"):
        # pkg-config escapes the blank in the path.
        environment = dict(os.environ, PKG_CONFIG_PATH=self.pkg_config_dir)
        printed = run("pkg-config", *arguments, package, env=environment)
        return [word.replace("\0", " ") for word in printed.replace("\\ ", "\0").split()]

    def sanitizers(self):
        wanted = build_options()["b_sanitize"]
        return [] if wanted == "none" else ["-fsanitize=" + wanted]

    def test_libraries_headers_command_and_worker_are_in_place(self):
        self.assertIsNotNone(self.pkg_config_dir, "no unum-cpp.pc was installed")
        self.assertTrue(glob.glob(self.path("lib*", "**", "libunum-cpp.*"), recursive=True))
        self.assertTrue(os.access(self.path("bin", "unum"), os.X_OK))
        self.assertTrue(os.access(self.path("libexec", "unum", "unum-native-worker"), os.X_OK))
        for name in ("libunum.so", "libunum.so.1", "unum.pc"):
            self.assertTrue(glob.glob(self.path("lib*", "**", name), recursive=True), name)
        self.assertTrue(os.path.exists(self.path("include", "unum.h")))
        headers = os.listdir(os.path.join(SOURCE, "include", "unum"))
        self.assertEqual(sorted(headers), sorted(os.listdir(self.path("include", "unum"))))

    def test_each_public_header_compiles_alone(self):
        flags = self.pkg_config("--cflags")
        for header in sorted(glob.glob(self.path("include", "unum", "*.hpp"))):
            with self.subTest(header=os.path.basename(header)):
                program = f'#include "unum/{os.path.basename(header)}"\n'
                run(*COMPILER, "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror",
                    "-fsyntax-only", "-x", "c++", "-", *flags, input=program)

    def test_a_program_in_c_of_any_standard_is_built_with_the_header_and_the_library_alone(self):
        flags = self.pkg_config("--cflags", "--libs", package="unum")
        program = ('#include <unum.h>\n#include <stdio.h>\n'
                   'int main(void) { return puts(unum_version()) < 0 || unum_loop_free(NULL) != UNUM_OK; }\n')
        library = os.path.dirname(glob.glob(self.path("lib*", "**", "libunum.so.1"), recursive=True)[0])
        project = json.loads(run("meson", "introspect", BUILD, "--projectinfo"))
        for language, standard in (("c", "c99"), ("c", "c11"), ("c", "c17"), ("c++", "c++11"), ("c++", "c++20")):
            with self.subTest(standard=standard):
                built = self.path("program-" + standard)
                run(*COMPILER, "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror",
                    f"-std={standard}", *self.sanitizers(), "-x", language, "-", "-x", "none", *flags, "-o", built,
                    input=program)
                printed = run(built, env=dict(os.environ, LD_LIBRARY_PATH=library))
                self.assertEqual(project["version"], printed.strip())

    def test_a_moved_command_says_its_version_and_runs_an_application_from_anywhere(self):
        command = self.path("bin", "unum")
        project = json.loads(run("meson", "introspect", BUILD, "--projectinfo"))
        self.assertIn(project["version"], run(command, "--version"))
        outside = tempfile.mkdtemp(dir=self.scratch.name)
        shutil.copytree(os.path.join(SOURCE, "examples", "word-count"),
                        os.path.join(outside, "app"), ignore=shutil.ignore_patterns(".unum"))
        done = subprocess.run([command, "run", "app", "--input", "@app/input.json", "--quiet"],
                              cwd=outside, check=False, capture_output=True, text=True, timeout=120)
        self.assertEqual(0, done.returncode, done.stderr)
        with open(os.path.join(outside, "app", "expected.json"), encoding="utf-8") as expected:
            self.assertEqual(json.load(expected), json.loads(done.stdout))

    def test_the_command_alone_in_a_directory_runs_functions_in_python_and_node(self):
        """It has the workers in itself: one file is the installation."""
        outside = tempfile.mkdtemp(dir=self.scratch.name)
        command = shutil.copy(self.path("bin", "unum"), outside)
        with open(os.path.join(outside, "unum-template.yaml"), "w", encoding="utf-8") as file:
            file.write("Globals: {ApplicationName: alone}\nFunctions:\n"
                       "  Py: {Properties: {CodeUri: py/, Runtime: python3.11, Start: true}}\n"
                       "  Js: {Properties: {CodeUri: js/, Runtime: nodejs20.x}}\n")
        sources = {"py/unum_config.json": '{"Name": "Py", "Next": {"Name": "Js", "InputType": "Scalar"}}',
                   "py/app.py": "def lambda_handler(event, context):\n    return event + 1\n",
                   "js/unum_config.json": '{"Name": "Js"}',
                   "js/app.js": "exports.lambda_handler = async (event) => event * 2;\n"}
        for name, text in sources.items():
            os.makedirs(os.path.dirname(os.path.join(outside, name)), exist_ok=True)
            with open(os.path.join(outside, name), "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([command, "run", outside, "--input", "20", "--quiet"], check=False,
                              capture_output=True, text=True, timeout=120, cwd="/")
        self.assertEqual((0, "42\n", ""), (done.returncode, done.stdout, done.stderr))


if __name__ == "__main__":
    unittest.main()
