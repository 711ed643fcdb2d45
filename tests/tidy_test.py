"""The habits of the source, as tests: what a reviewer should not have to look for."""

import ast
import os
import re
import subprocess
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("UNUM_SOURCE_ROOT") or os.path.dirname(HERE)


def read_layers():
    """Each layer of meson.build with all the layers below it."""
    with open(os.path.join(ROOT, "meson.build"), encoding="utf-8") as build:
        rows = re.findall(r"^  \['([a-z_/]+)', \[([a-z_/', ]*)\], \[", build.read(), re.MULTILINE)
    below = {}
    for layer, needs in rows:
        direct = re.findall(r"'([a-z_/]+)'", needs)
        below[layer] = set(direct).union(*(below[name] for name in direct))
    return below


def layer_of(path):
    """Of a path below src/, its layer: the longest that it begins with."""
    return max((layer for layer in LAYERS if path.startswith(layer + "/")), key=len, default=None)


LAYERS = read_layers()
LINES_MAX = 600
COLUMNS_MAX = 100
SCRIPT_COLUMNS_MAX = 120
DOCUMENT_COLUMNS_MAX = 120
# Split in two so that this file passes its own test.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
CPP = (".cpp", ".hpp", ".h", ".c", ".hpp.in")
SCRIPTS = (".py", ".sh", ".js", ".mjs", ".build", ".options", ".txt")
COMMENT = ("//", "/*", "#", '"""')
CODE_IN_DOCUMENT = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
# Clocks and the kernel's randomness, which only these may ask: the ports of the reactor, and the
# file-system store for the clock that files are stamped with; and what is for people alone, that
# decides nothing and has no reactor: when a line of the log was written, since when something waits.
CLOCK_OR_CHANCE = re.compile(
    r"\b\w*[cC]lock::now\b|\bclock_gettime\b|\bgettimeofday\b|\btimespec_get\b"
    r"|(?<![\w.>])time\((nullptr|NULL|0|&)|\brandom_device\b|\bgetrandom\b|\bgetentropy\b"
    r"|\bRAND_(priv_)?bytes\b|\barc4random|\bs?rand\(|\bmt19937|\bminstd_rand|\brandom_engine\b")
PORTS = ("src/reactor/system_port.cpp", "src/stores/fs/system_calls.cpp", "src/base/activity.cpp", "src/base/log.cpp")
LINK = re.compile(r"\]\(([^()\s]+)\)")


def walked():
    """The tree without what .gitignore names: builds, caches, fetched subprojects."""
    names = []
    for folder, folders, files in os.walk(ROOT):
        place = os.path.relpath(folder, ROOT)
        folders[:] = [name for name in folders
                      if name not in (".git", ".cache", ".unum", "__pycache__")
                      and not (place == "." and name.startswith("build"))
                      and (place != "subprojects" or name == "packagefiles")]
        names += [os.path.normpath(os.path.join(place, name)) for name in files]
    return names


def source_files():
    """Every file of the tree that is in git or could be added to it: neither ignored nor built."""
    command = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, check=True, capture_output=True).stdout
        names = listed.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):  # no git here
        names = walked()
    return sorted(name for name in names if name and os.path.isfile(os.path.join(ROOT, name)))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def anchors_of(document):
    """A document's headings as GitHub names them: letters, digits, hyphens also for blanks."""
    text = re.sub(r"^```.*?^```", "", document, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def read_editorconfig(text):
    """Pattern to its settings."""
    sections, settings = {}, {}
    for line in text.splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if line.startswith("["):
            settings = sections.setdefault(line.strip()[1:-1], {})
        elif equals and not line.startswith("#"):
            settings[key] = value
    return sections


def suffixes_of(pattern):
    """Of *.py or *.{c,h}."""
    names = pattern.removeprefix("*.").removeprefix("{").removesuffix("}")
    return ["." + name for name in names.split(",")]


class Tidy(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        names = source_files()
        cls.cpp = {name: read(name) for name in names if name.endswith(CPP)}
        cls.documents = {name: read(name) for name in names if name.endswith(".md")}
        ours = ("src/", "include/", "tests/", "bench/", "tools/", "subprojects/")
        cls.code = dict(cls.cpp)
        for name in names:
            script = name.endswith(SCRIPTS) or name in ("demo.sh", "test.sh", ".ci/run")
            if script and (name.startswith(ours) or "/" not in name or name.startswith(".ci/")):
                cls.code[name] = read(name)

    def expect_none(self, problems, rule):
        self.assertEqual([], problems, rule)

    def test_there_is_source_to_look_at(self):
        self.assertGreater(len(self.cpp), 10)

    def test_no_file_is_longer_than_a_reader_can_hold(self):
        long = [f"{name}: {text.count(chr(10))} lines" for name, text in self.code.items()
                if text.count("\n") > LINES_MAX and not name.endswith(".txt")]
        self.expect_none(long, f"at most {LINES_MAX} lines a file")

    def test_no_line_is_longer_than_the_window(self):
        texts = [(name, text, COLUMNS_MAX) for name, text in self.cpp.items()]
        texts += [(name, text, SCRIPT_COLUMNS_MAX) for name, text in self.code.items() if name.endswith(".py")]
        long = [f"{name}:{number}" for name, text, most in texts
                for number, line in enumerate(text.splitlines(), 1) if len(line) > most]
        self.expect_none(long, f"at most {COLUMNS_MAX} columns, {SCRIPT_COLUMNS_MAX} in Python")

    def test_editors_are_told_what_is_held_here(self):
        sections = read_editorconfig(read(".editorconfig"))
        said = {suffix: int(values["max_line_length"]) for pattern, values in sections.items()
                if "max_line_length" in values for suffix in suffixes_of(pattern)}
        self.assertEqual({**dict.fromkeys(CPP, COLUMNS_MAX), ".py": SCRIPT_COLUMNS_MAX,
                          ".md": DOCUMENT_COLUMNS_MAX}, said)
        self.assertIn(f"\nColumnLimit: {COLUMNS_MAX}\n", read(".clang-format"))
        everywhere = sections["*"]
        self.assertEqual(("lf", "true", "true", "space"), tuple(everywhere[key] for key in (
            "end_of_line", "insert_final_newline", "trim_trailing_whitespace", "indent_style")))

    def test_lines_end_as_editors_are_told(self):
        # Blanks at the end of a line of C++ are clang-format's business, or stand in a raw string.
        wrong = []
        for name, text in {**self.code, **self.documents}.items():
            if name.startswith(("tests/fixtures/", "tests/fuzz/corpus/")):
                continue
            if "\r" in text or "\t" in text or (text and not text.endswith("\n")):
                wrong.append(f"{name}: a tab, a carriage return or no newline at the end")
            if name not in self.cpp:
                wrong += [f"{name}:{number}" for number, line in enumerate(text.split("\n"), 1)
                          if line != line.rstrip()]
        self.expect_none(wrong, "blanks for indents, a line feed at every end and nothing before it")

    def test_hosted_ci_runs_what_ci_runs(self):
        name = ".github/workflows/ci.yml"
        text = read(name)
        self.assertNotIn("\t", text)
        self.assertRegex(text, r"(?m)^ +debian: \[12, 13\]$")
        self.assertRegex(text, r"(?m)^ +run: \.ci/run$")
        actions = re.findall(r"(?m)^ +(?:- )?uses: (.+)$", text)
        self.assertGreater(len(actions), 2)
        loose = [action for action in actions if not re.fullmatch(r"actions/[a-z-]+@v\d+", action)]
        self.expect_none(loose, "actions of the platform's own, pinned by major version")
        try:
            import yaml
        except ImportError:  # not on every machine; hosted CI reads it anyhow
            return
        steps = yaml.safe_load(text)["jobs"]["test"]["steps"]
        self.assertTrue(all("run" in step or "uses" in step for step in steps), steps)

    def test_every_file_begins_with_its_reason_to_exist(self):
        silent = []
        for name, text in self.code.items():
            lines = [line for line in text.splitlines()[:3] if not line.startswith("#!")]
            if name.endswith(".txt") or not text.strip() or name.startswith("tests/fixtures/"):
                continue
            if not lines or not lines[0].startswith(COMMENT):
                silent.append(name)
        self.expect_none(silent, "the first line is a comment that says why the file exists")

    def test_prose_is_wrapped(self):
        wide = []
        for name, document in self.documents.items():
            prose = re.sub(r"^ *```.*?^ *```", "", document, flags=re.MULTILINE | re.DOTALL)
            wide += [f"{name}: {line[:60]}..." for line in prose.splitlines()
                     if len(line) > DOCUMENT_COLUMNS_MAX and not line.lstrip().startswith("|")]
        self.expect_none(wide, f"at most {DOCUMENT_COLUMNS_MAX} columns outside tables and code")

    def test_rulers_stand_on_one_line(self):
        # clang-format moves what is beyond the column limit to a line of its own: dashes and no title.
        broken = [f"{name}:{number}" for name, text in self.cpp.items()
                  for number, line in enumerate(text.splitlines(), 1) if re.fullmatch(r"\s*//[ -]*--", line)]
        self.expect_none(broken, f"`// --- Title ---...` within {COLUMNS_MAX} columns")

    def test_nothing_is_left_unfinished(self):
        marks = [f"{name}:{number}" for name, text in self.code.items()
                 for number, line in enumerate(text.splitlines(), 1) if UNFINISHED.search(line)]
        self.expect_none(marks, "what is left to do is not noted in the source")

    def test_no_layer_includes_from_one_above_it(self):
        wrong = []
        for name, text in self.cpp.items():
            layer = layer_of(name.removeprefix("src/")) if name.startswith("src/") else None
            if layer is None:
                continue
            for included in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.MULTILINE):
                other = layer_of(included)
                if other is not None and other != layer and other not in LAYERS[layer]:
                    wrong.append(f"{name} includes {included}")
        self.assertGreater(len(LAYERS), 10)
        self.expect_none(wrong, "a layer includes from those below it in meson.build only")

    def test_public_headers_include_public_headers_only(self):
        wrong = []
        for name, text in self.cpp.items():
            if name.startswith("include/"):
                for included in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.MULTILINE):
                    if not included.startswith("unum/") and included != "unum.h":
                        wrong.append(f"{name} includes {included}")
        self.expect_none(wrong, "an installed header finds only installed headers")

    def test_no_two_types_have_one_name(self):
        """Whatever the headers: two types of one name in one namespace are one to the linker, which then takes the
        inline functions of either (std::optional<Failure>, say) for both."""
        places, seen = {}, 0
        for name, text in self.cpp.items():
            if not name.startswith(("src/", "include/")) or not name.endswith(".hpp"):
                continue
            for namespace, body in re.findall(r"^namespace (unum[\w:]*) \{\n(.*?)^\}  // namespace \1", text,
                                              re.MULTILINE | re.DOTALL):
                definition = r"^(?:struct|class|enum class) (?:UNUM_API )?(\w+)\b(?!::)[^;{]*\{"
                for type_name in re.findall(definition, body, re.MULTILINE):
                    seen += 1
                    places.setdefault(f"{namespace}::{type_name}", set()).add(name)
        self.assertGreater(seen, 200)
        twice = [f"{name}: {', '.join(sorted(where))}" for name, where in places.items() if len(where) > 1]
        self.expect_none(twice, "a type has one definition")

    def test_headers_are_guarded_and_keep_namespaces_closed(self):
        for name, text in self.cpp.items():
            if name.endswith((".hpp", ".hpp.in")) and not name.startswith("tests/pch/"):
                self.assertIn("#pragma once", text, name)
                self.assertIsNone(re.search(r"^using namespace", text, re.MULTILINE), name)

    def test_tests_wait_for_events_and_never_sleep(self):
        # A function under test may hang: two digits of seconds are that, less is a test that waits.
        # The reactor's own sleep is a function under test.
        # Timers of our own are no sleep: they are what such a test is about.
        calls = r"this_thread::sleep_|\b(usleep|nanosleep)\(|\btime\.sleep(?!\(\d{2,}\))"
        call = re.compile(calls)
        sleepy = [f"{name}:{number}" for name, text in self.code.items()
                  if name.startswith("tests/") and name != "tests/tidy_test.py"
                  for number, line in enumerate(text.splitlines(), 1) if call.search(line)]
        self.expect_none(sleepy, "wait for the event")

    def test_only_the_ports_ask_a_clock_or_the_kernels_randomness(self):
        asking = [f"{name}:{number}: {line.strip()}" for name, text in self.cpp.items()
                  if name.startswith(("src/", "include/")) and name not in PORTS
                  for number, line in enumerate(text.splitlines(), 1)
                  if CLOCK_OR_CHANCE.search(line.partition("//")[0])]
        self.expect_none(asking, "time and randomness come from the reactor, so that a port of a"
                                 " test's own drives them")
        for name in PORTS:
            self.assertRegex(self.cpp[name], CLOCK_OR_CHANCE, "each port still needs its place")

    def test_every_layer_has_its_readme(self):
        missing = [layer for layer in LAYERS if "/" not in layer
                   if not os.path.isfile(os.path.join(ROOT, "src", layer, "README.md"))]
        self.expect_none(missing, "src/<layer>/README.md: key types, where to look, what must hold")

    def test_every_source_is_built(self):
        lists = "\n".join(text for name, text in self.code.items() if name.endswith("meson.build"))
        listed = set(re.findall(r"'([^']+\.(?:cpp|c))'", lists))
        orphans = [name for name in self.cpp
                   if name.startswith(("src/", "tests/unit/", "tests/conformance/"))
                   and name.endswith((".cpp", ".c"))
                   and not any(("/" + name).endswith("/" + entry) for entry in listed)]
        self.expect_none(orphans, "every source file stands in a meson.build")

    def test_every_class_of_a_script_is_run(self):
        # A script that is divided names its classes in tests/meson.build; a new one is easily forgotten there.
        named = {}
        for path, classes in re.findall(r"files\('([a-z_/]+\.py)'\),\s*\[([^]]+)\]", read("tests/meson.build")):
            named.setdefault(path, set()).update(re.findall(r"'(\w+)'", classes))
        self.assertGreater(len(named), 3)
        for path, classes in named.items():
            there = [node for node in ast.parse(read("tests/" + path)).body if isinstance(node, ast.ClassDef)]
            bases = {ast.unparse(base).partition(".")[0] for node in there for base in node.bases}
            self.assertEqual({node.name for node in there} - bases, classes, path)

    def test_every_relative_link_in_a_document_leads_somewhere(self):
        wrong, links = [], 0
        for name, text in self.documents.items():
            for link in LINK.findall(CODE_IN_DOCUMENT.sub("", text)):
                if re.match(r"[a-z]+:", link):
                    continue
                links += 1
                path, _, anchor = link.partition("#")
                target = os.path.normpath(os.path.join(os.path.dirname(name), path))
                target = target if path else name
                if not os.path.exists(os.path.join(ROOT, target)):
                    wrong.append(f"{name}: {link} leads to no file")
                elif anchor and anchor not in anchors_of(self.documents.get(target, "")):
                    wrong.append(f"{name}: {link} names no heading")
        self.assertGreater(links, 50)
        self.expect_none(wrong, "every relative link leads to a file, and to a heading of it")


class Errors(unittest.TestCase):
    """Every error that the source throws has its place in the table of what it means for a delivery."""
    maxDiff = None
    # What stands for an origin that is known only when it runs.
    STORE = ("type()", "store.type()", "store_.type()", "target_->endpoint.service", "endpoint.service")
    PASSED_ON = ("error.origin()", "failure.origin()", "failed->origin()", "origin", "origin_")
    # Texts for people say more where the code is known.
    EXPLAINED = ("src/aws/service_answers.cpp", "src/stores/redis/redis_open.cpp", "src/stores/s3/s3_read.cpp",
                 "src/reactor/redis/connection.cpp")
    THROWN = re.compile(r"\b(?:Error|emplace)\(\s*([^,;()]*\b[kK]ind\b[^,;()]*|[^,;()]*ErrorKind::[^,;()]*),\s*"
                        r"(\"\w+\"|[\w.()>-]+)\s*,")
    OF_SYSTEM = re.compile(r"system_error\(\s*(\"\w+\"|[\w.()>-]+)\s*,")

    @classmethod
    def setUpClass(cls):
        names = [name for name in source_files() if name.startswith("src/") and name.endswith(CPP)]
        cls.source = {name: read(name) for name in names}
        table = cls.source["src/base/error.cpp"]
        cls.kinds = re.findall(r"^  (\w+) = \d+,", read("include/unum/error.hpp").split("enum class Delivery")[0],
                               re.MULTILINE)
        rows = re.findall(r"ByKind (\w+)\s*= \{([^}]*)\}", table)
        letters = {"kF": "final", "kA": "again", "kB": "bounded"}
        cls.rows = {row: [letters[cell.strip()] for cell in cells.split(",")] for row, cells in rows}
        cls.origins = dict(re.findall(r'\{"(\w+)", (\w+)\}', table))

    def thrown(self):
        for name, text in self.source.items():
            for match in (*self.THROWN.finditer(text), *self.OF_SYSTEM.finditer(text)):
                if name != "src/base/error.cpp":
                    yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}", match.groups()

    def test_every_origin_that_is_thrown_is_in_the_table_and_no_other(self):
        unknown, seen = [], {"memory", "sts"}  # of type(), of an endpoint's service
        for place, (*kind, origin) in self.thrown():
            if kind and not set(re.findall(r"ErrorKind::(\w+)", kind[0])) <= set(self.kinds):
                unknown.append(f"{place}: {kind[0]}")
            if origin.startswith('"'):
                seen.add(origin.strip('"'))
                if origin.strip('"') not in self.origins:
                    unknown.append(f"{place}: origin {origin}")
            elif origin not in self.STORE + self.PASSED_ON:
                unknown.append(f"{place}: {origin} is no origin that this test knows")
        self.assertEqual([], unknown, "src/base/error.cpp says what each origin's errors mean for a delivery")
        self.assertEqual(set(), set(self.origins) - seen - {"json"}, "nothing throws with these origins")

    def test_the_documented_table_is_the_one_that_counts(self):
        document = read("docs/errors.md")
        order = ["kOfTheStep", "kOfAStore", "kOfTheWay", "kOfAProcess", "kOfOthers"]
        cells = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", document, re.MULTILINE)
        expected = [(kind, *(self.rows[row][i] for row in order)) for i, kind in enumerate(self.kinds)]
        self.assertEqual(11, len(self.kinds))
        self.assertEqual(expected, cells)
        numbers = re.findall(r"^\| `(\w+)` \| (\d+) \|", document, re.MULTILINE)
        self.assertEqual([(kind, str(i)) for i, kind in enumerate(self.kinds, 1)], numbers)
        for origin in self.origins:
            self.assertIn(f"`{origin}`", document)

    def test_nothing_is_decided_by_the_text_of_a_code(self):
        steered = [f"{name}: {line.strip()}" for name, text in self.source.items() if name not in self.EXPLAINED
                   for line in text.splitlines()
                   if re.search(r"(error\w*|failure|failed)(\.|->)code\(\)( [!=]= |\.starts_with|\.find)", line)]
        self.assertEqual([], steered, "kind, origin or type of an error decide, never its code")


if __name__ == "__main__":
    unittest.main()
