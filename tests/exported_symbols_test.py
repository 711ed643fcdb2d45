"""What libunum-cpp.so and libunum.so.1 export: the lists that are kept, everything public, and nothing else.

After a change of the public interface: `python3 tests/exported_symbols_test.py --update` (with the
variables that Meson sets) writes the list anew; the difference is looked at like any other.
"""

import glob
import os
import re
import subprocess
import sys
import unittest

SOURCE = os.environ["UNUM_SOURCE_ROOT"]
C_HEADER = os.path.join(SOURCE, "include", "unum.h")
C_KEPT = os.path.join(SOURCE, "tests", "fixtures", "exported_c_symbols.txt")
KEPT = os.path.join(SOURCE, "tests", "fixtures", "exported_symbols.txt")
HEADERS = sorted(glob.glob(os.path.join(SOURCE, "include", "unum", "**", "*.hpp"), recursive=True))
STRING = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"
VIEW = "std::basic_string_view<char, std::char_traits<char> >"


def exported():
    """Demangled, sorted, without what is weak: which of those there are is the compiler's affair."""
    listed = subprocess.run(["nm", "-D", "--defined-only", "--demangle", os.environ["UNUM_TEST_SHARED"]],
                            check=True, capture_output=True, text=True).stdout
    names = set()
    for line in listed.splitlines():
        kind, name = line.split(" ", 2)[1:]
        if kind in "TDRB" and not name.startswith("typeinfo name for"):
            names.add(name.replace(STRING, "std::string").replace(VIEW, "std::string_view"))
    return sorted(names)


def all_exported():
    """Weak ones too."""
    listed = subprocess.run(["nm", "-D", "--defined-only", "--demangle", os.environ["UNUM_TEST_SHARED"]],
                            check=True, capture_output=True, text=True).stdout
    return [line.split(" ", 2)[2] for line in listed.splitlines()]


def exported_c():
    """With their versions, sorted."""
    listed = subprocess.run(["nm", "-D", "--defined-only", os.environ["UNUM_TEST_CAPI"]], check=True,
                            capture_output=True, text=True).stdout
    return sorted(name for kind, name in (line.split()[1:] for line in listed.splitlines()) if kind != "A")


def declarations(header):
    """Each class, and each function at namespace level that has no body, as one line."""
    with open(header, encoding="utf-8") as file:
        text = re.sub(r"//.*", "", file.read()).replace(" = {}", "")
    text = re.sub(r"^#.*(?:\\\n.*)*", "", text, flags=re.MULTILINE)
    for match in re.finditer(r"^(?!namespace|using|inline|constexpr|template|extern|typedef|\}|\s)[^;{}]*[;{]", text,
                             re.MULTILINE):
        statement = " ".join(match.group().split())
        is_template = text[:match.start()].rstrip().endswith(">")
        is_class = re.match(r"(class|struct) .*\{$", statement)
        is_function = "(" in statement and statement.endswith(";")
        if not is_template and (is_function or is_class):
            body = text[match.end():text.index("\n}", match.start())] if is_class else ""
            yield statement, body


class ExportedSymbols(unittest.TestCase):
    maxDiff = None

    def test_the_symbols_are_those_of_the_list(self):
        with open(KEPT, encoding="utf-8") as file:
            kept = file.read().splitlines()
        self.assertEqual(kept, exported(), "see the first lines of this file")

    def test_nothing_but_unums_own_is_exported(self):
        own = re.compile(r"(vtable for |typeinfo for |typeinfo name for )?unum::")
        self.assertEqual([], [name for name in all_exported() if not own.match(name)])

    def test_everything_that_a_public_header_declares_is_exported(self):
        missing, seen = [], 0
        for header in HEADERS:
            for statement, body in declarations(header):
                seen += 1
                # A plain struct whose functions all have bodies needs no symbol.
                needs = not re.match(r"struct|class", statement) or "virtual " in body or re.search(
                    r"^  (?! |friend|using|template)[\w:&*<>, ]+\((?!\*)[^{};]*\)( const)?( noexcept)?;$", body,
                    re.MULTILINE)
                if needs and "UNUM_API" not in statement:
                    missing.append(f"{os.path.basename(header)}: {statement}")
        self.assertGreater(seen, 40)
        self.assertEqual([], missing, "public, and not marked UNUM_API")

    def test_the_c_library_exports_what_its_header_declares_and_its_list_has(self):
        with open(C_KEPT, encoding="utf-8") as file:
            self.assertEqual(file.read().splitlines(), exported_c(), "see the first lines of this file")
        with open(C_HEADER, encoding="utf-8") as file:
            declared = re.findall(r"^UNUM_C_API [^;]*?(unum_\w+)\(", file.read(), re.MULTILINE)
        self.assertGreater(len(declared), 60)
        self.assertEqual(sorted(name + "@@UNUM_1" for name in declared), exported_c())

    def test_the_c_library_runs_with_glibc_2_34(self):
        """Built with 2.36 at most: a later one gives new versions to functions that had older ones."""
        listed = subprocess.run(["nm", "-D", "--undefined-only", os.environ["UNUM_TEST_CAPI"]], check=True,
                                capture_output=True, text=True).stdout
        needed = {tuple(map(int, match)) for match in re.findall(r"@GLIBC_(\d+)\.(\d+)", listed)}
        self.assertGreater(len(needed), 3)
        built_with = tuple(map(int, os.confstr("CS_GNU_LIBC_VERSION").split()[1].split(".")))
        if built_with <= (2, 36):
            self.assertLessEqual(max(needed), (2, 34), listed)

    def test_a_program_that_uses_every_header_runs_with_the_shared_library_alone(self):
        with open(os.path.join(SOURCE, "include", "unum", "unum.hpp"), encoding="utf-8") as file:
            included = set(re.findall(r'#include "unum/(.+)"', file.read()))
        every = {os.path.basename(header) for header in HEADERS if os.path.basename(os.path.dirname(header)) == "unum"}
        self.assertEqual(every - {"unum.hpp", "api.hpp", "assert.hpp"}, included)
        ended = subprocess.run([os.environ["UNUM_TEST_CONSUMER"]], check=False, capture_output=True, text=True,
                               timeout=60)
        self.assertEqual((0, ""), (ended.returncode, ended.stderr), ended.stdout)
        self.assertEqual(["invoke B", "A: [7,7] A-output", "error", "invalid"], ended.stdout.splitlines())


if __name__ == "__main__":
    if "--update" in sys.argv:
        with open(KEPT, "w", encoding="utf-8") as kept_file:
            kept_file.write("\n".join(exported()) + "\n")
        with open(C_KEPT, "w", encoding="utf-8") as kept_file:
            kept_file.write("\n".join(exported_c()) + "\n")
    else:
        unittest.main()
