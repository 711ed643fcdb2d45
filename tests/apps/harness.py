"""What the application tests share: the command, applications made on the spot, events, processes."""

import dataclasses
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

UNUM = os.environ["UNUM_BINARY"]
SOURCE = os.environ["UNUM_SOURCE_ROOT"]
BUILD = os.environ["UNUM_BUILD_ROOT"]
EXAMPLES = os.path.join(SOURCE, "examples")
DONE, FAILED, USAGE, MACHINE, INTERRUPTED = 0, 1, 2, 3, 130
# Everything that a test's processes start inherits this variable, so that survivors are found.
MARK = "UNUM_TEST_MARK"
TIMEOUT_S = 120


def is_sanitized():
    """Whether the build has a sanitizer: then times and memory say nothing."""
    with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as file:
        options = {option["name"]: option["value"] for option in json.load(file)}
    return options["b_sanitize"] != "none"


@dataclasses.dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def __str__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"

    @property
    def json(self):
        return json.loads(self.out)


class Command:
    """One `unum ...` and all that it starts."""

    def __init__(self, *arguments, cwd=None, stdin=None, before=None, program=(UNUM,), **environment):
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [*program, *arguments], cwd=cwd, preexec_fn=before, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            env=dict(os.environ, UNUM_PYTHON=sys.executable, **environment, **{MARK: self.mark}))
        self.stdin = stdin
        self.ended = None

    def wait(self, timeout=TIMEOUT_S):
        ended = self.ended_within(timeout)
        if ended is None:
            self.process.kill()
            err = self.process.communicate()[1].decode(errors="replace")
            raise AssertionError(f"{self.process.args} did not end in {timeout} s\n{err}")
        return ended

    def ended_within(self, seconds):
        """How it ended, or nothing if it still runs after that time."""
        if self.ended is None:
            try:
                out, err = self.process.communicate(self.stdin, seconds)
            except subprocess.TimeoutExpired:
                return None
            self.ended = Ended(self.process.returncode, out.decode(errors="surrogateescape"),
                               err.decode(errors="surrogateescape"))
        return self.ended

    def send(self, number):
        self.process.send_signal(number)

    def processes(self):
        """All that live and carry this command's mark, itself included."""
        return marked_processes(self.mark)

    def wait_for_no_process(self, timeout=20):
        """Waits until all are gone; those that are not, by name."""
        deadline = time.monotonic() + timeout
        while survivors := self.processes():
            if time.monotonic() > deadline:
                return [describe_process(pid) for pid in survivors]
            wait_for_end(survivors[0], deadline - time.monotonic())
        return []


def marked_processes(mark):
    """A zombie's environment is empty: it is not counted."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if wanted in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                pass
    return found


def describe_process(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read().replace(bytes(1), b" ").decode(errors="replace")
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            status = [line for line in file.read().split("\n")
                      if line.startswith(("State", "PPid", "Threads", "Sig", "ShdPnd"))]
        return f"{pid}: {command} {' '.join(status)}"
    except OSError:
        return f"{pid}: (gone)"


def wait_for_end(pid, timeout):
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([descriptor], [], [], max(0, timeout))
    finally:
        os.close(descriptor)


class Events:
    """A named pipe that functions under test write lines to, so that a test waits for events."""

    def __init__(self, directory):
        self.path = os.path.join(directory, f"events-{uuid.uuid4().hex}")
        os.mkfifo(self.path)
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        self.pending = b""

    def next(self, timeout=TIMEOUT_S):
        deadline = time.monotonic() + timeout
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.descriptor], [], [], deadline - time.monotonic())
            if not ready:
                raise AssertionError("the function under test did not say what was waited for")
            self.pending += os.read(self.descriptor, 65536)
        line, _, self.pending = self.pending.partition(b"\n")
        return line.decode()

    def close(self):
        os.close(self.descriptor)


@dataclasses.dataclass
class Function:
    """A function of an application under test."""

    code: str = "def lambda_handler(event, context):\n    return event\n"
    next: object = None  # one edge or a list of them
    start: bool = False
    runtime: str = "python3.11"
    handler: str = ""
    file: str = "app.py"
    properties: dict = dataclasses.field(default_factory=dict)
    ir: dict = dataclasses.field(default_factory=dict)


def scalar(name, **more):
    return {"Name": name, "InputType": "Scalar", **more}


def each(name, **more):
    return {"Name": name, "InputType": "Map", **more}


def fan_in(name, values, **more):
    return {"Name": name, "InputType": {"Fan-in": {"Values": values}}, "Payload Modifiers": ["Pop"],
            **more}


def write(path, text, executable=False):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    if executable:
        os.chmod(path, 0o755)


def make_application(directory, functions, **settings):
    """Writes an application; JSON is YAML. The first function is the entry unless one says so."""
    os.makedirs(directory)
    has_start = any(function.start for function in functions.values())
    listed = {}
    for number, (name, function) in enumerate(functions.items()):
        place = os.path.join(directory, name.lower())
        os.mkdir(place)
        write(os.path.join(place, function.file), function.code,
              executable=function.runtime.startswith("provided"))
        ir = {"Name": name, **({"Next": function.next} if function.next else {}), **function.ir}
        if function.start or (not has_start and number == 0):
            ir["Start"] = True
        write(os.path.join(place, "unum_config.json"), json.dumps(ir))
        properties = {"CodeUri": name.lower() + "/", "Runtime": function.runtime, **function.properties}
        if function.handler:
            properties["Handler"] = function.handler
        listed[name] = {"Properties": properties}
    template = {"Globals": {"ApplicationName": "under-test", **settings}, "Functions": listed}
    write(os.path.join(directory, "unum-template.yaml"), json.dumps(template, indent=1))
    return directory


def example_cases():
    """(example, input file, expected file) of every example that `unum run` runs."""
    cases = []
    for name in sorted(os.listdir(EXAMPLES)):
        directory = os.path.join(EXAMPLES, name)
        if os.path.isfile(os.path.join(directory, "unum-template.yaml")):
            for file in sorted(os.listdir(directory)):
                if file.startswith("input") and file.endswith(".json"):
                    cases.append((name, os.path.join(directory, file),
                                  os.path.join(directory, file.replace("input", "expected", 1))))
    return cases


# Appended to a Python function: the instance is in the log before anybody can know what came of it.
LOGGING = """

import os as _os
_code = lambda_handler

def lambda_handler(event, context):
    try:
        return _code(event, context)
    finally:
        log = _os.open(_os.environ["UNUM_TEST_LOG"], _os.O_WRONLY | _os.O_APPEND | _os.O_CREAT)
        _os.write(log, context.unum_instance.encode() + b"\\n")
        _os.close(log)
"""


def log_calls(application):
    """From now on each Python function of an application writes its instance to $UNUM_TEST_LOG."""
    for folder, _, files in os.walk(application):
        if "app.py" in files and "unum_config.json" in files:
            with open(os.path.join(folder, "app.py"), "a", encoding="utf-8") as file:
                file.write(LOGGING)


def lines(path):
    """Those of a text file; none if nobody has written it."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def session_directory(application, session):
    return os.path.join(application, ".unum", "store", session)


def outcomes(application, session):
    """Instance to stored text, of the embedded default store."""
    directory = session_directory(application, session)
    found = {}
    if os.path.isdir(directory):
        for name in os.listdir(directory):
            if name.endswith("-output.json"):
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    found[name[:-len("-output.json")]] = file.read()
    return found


def stored_files(directory):
    """Every file below a directory, by its relative path."""
    return sorted(os.path.relpath(os.path.join(folder, name), directory)
                  for folder, _, names in os.walk(directory) for name in names)


class AppTest(unittest.TestCase):
    """A scratch directory, and every process that a test started is gone at its end."""

    maxDiff = None

    def setUp(self):
        self.scratch = tempfile.mkdtemp(prefix="unum-apps-")
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.commands = []
        self.addCleanup(self.end_everything)

    def end_everything(self):
        for command in self.commands:
            for pid in command.processes():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if command.process.poll() is None:
                command.process.communicate()
            for stream in (command.process.stdin, command.process.stdout, command.process.stderr):
                if stream:
                    stream.close()

    def path(self, *parts):
        return os.path.join(self.scratch, *parts)

    def application(self, functions, name="app", **settings):
        return make_application(self.path(name), functions, **settings)

    def example(self, name, as_name=None):
        directory = self.path(as_name or name)
        shutil.copytree(os.path.join(EXAMPLES, name), directory,
                        ignore=shutil.ignore_patterns(".unum", "__pycache__"))
        build = os.path.join(directory, "build.sh")
        if os.path.isfile(build):  # an example with a function that is compiled
            subprocess.run([build, os.path.join(SOURCE, "include")], check=True)
        return directory

    def events(self):
        events = Events(self.scratch)
        self.addCleanup(events.close)
        return events

    def start(self, *arguments, **options):
        options.setdefault("cwd", self.scratch)
        command = Command(*arguments, **options)
        self.commands.append(command)
        return command

    def unum(self, *arguments, code=None, timeout=TIMEOUT_S, **options):
        """Runs a command to its end; nothing that it started may live on."""
        ended = self.end_of(self.start(*arguments, **options), timeout)
        if code is not None:
            self.assertEqual(code, ended.code, f"{arguments}: {ended}")
        return ended

    def end_of(self, command, timeout=TIMEOUT_S):
        ended = command.wait(timeout)
        self.assertEqual([], command.wait_for_no_process(), "processes that were left behind")
        return ended

    def run_json(self, *arguments, **options):
        return self.unum("run", *arguments, code=DONE, **options).json

    def refused(self, code, *arguments, says=(), **options):
        """A command that must fail with one clear message: no output, no stack of the program's own."""
        ended = self.unum(*arguments, **options)
        self.expect_refusal(ended, code, says)
        return ended

    def expect_refusal(self, ended, code, says):
        self.assertEqual(code, ended.code, ended)
        self.assertEqual("", ended.out, ended)
        for words in [says] if isinstance(says, str) else says:
            self.assertIn(words, ended.err)
        self.assertNotIn("internal error", ended.err)
