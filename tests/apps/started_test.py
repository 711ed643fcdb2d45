"""What the command makes of what it is started with: descriptors, signals, limits, a container's process 1."""

import json
import os
import re
import resource
import shlex
import signal
import subprocess
import unittest

from harness import (DONE, FAILED, MACHINE, UNUM, USAGE, AppTest, Function, each, fan_in, outcomes,
                     read_json, scalar, session_directory, write)
from network_stores import DynamoDbStore, RedisStore, S3Store

SUM = "def lambda_handler(event, context):\n    return sum(event)\n"
PROGRAM = "#!/bin/sh\ncat\n"


def limit(which, soft, hard=None):
    return lambda: resource.setrlimit(which, (soft, soft if hard is None else hard))


def fan(width, branch="def lambda_handler(event, context):\n    return event\n"):
    """A map over `width` numbers and their sum."""
    return {"Fork": Function(f"def lambda_handler(event, context):\n    return list(range({width}))\n",
                             each("Branch")),
            "Branch": Function(branch, fan_in("Sum", ["Branch-unumIndex-*"])),
            "Sum": Function(SUM)}


def executable(code):
    return Function(code, runtime="provided.al2023", handler="bootstrap", file="bootstrap")


class Descriptors(AppTest):
    def redirected(self, redirection, *arguments):
        """Runs a command with its standard descriptors as a shell gives them."""
        script = f'exec "$0" "$@" {redirection}'
        return self.unum("-c", script, UNUM, *arguments, program=("sh",))

    def test_a_stdout_that_takes_nothing_is_told_before_anything_is_done_found_7(self):
        application = self.application({"Echo": Function()})
        store = "fs:" + self.path("store")
        for redirection in (">&-", ">/dev/full", "1</dev/null", "<&- >&-", "<&- >&- 2>&-"):
            for command in (["run", application], ["run", application, "--json"], ["check", application],
                            ["inspect", "s", application], ["doctor"], ["store", "create", store]):
                with self.subTest(redirection=redirection, command=command[0]):
                    ended = self.redirected(redirection, *command)
                    self.assertEqual(MACHINE, ended.code, ended)
                    if "2>&-" not in redirection:
                        self.assertIn("cannot write to stdout", ended.err)
                        self.assertIn("nothing was done", ended.err)
            self.assertEqual(MACHINE, self.redirected(redirection, "--version").code)
        self.assertFalse(os.path.exists(os.path.join(application, ".unum")))
        self.assertFalse(os.path.exists(self.path("store")))

    def test_a_reader_of_stdout_that_has_gone_is_told_before_anything_is_done_found_7(self):
        application = self.application({"Echo": Function()})
        read_end, write_end = os.pipe()
        os.close(read_end)
        for command in (["run", application], ["check", application], ["doctor"], ["--version"]):
            with self.subTest(command=command):
                ended = subprocess.run([UNUM, *command], check=False, stdout=write_end,
                                       stderr=subprocess.PIPE, timeout=60)
                self.assertEqual(MACHINE, ended.returncode, ended.stderr)
                self.assertIn(b"cannot write to stdout", ended.stderr)
        os.close(write_end)
        self.assertFalse(os.path.exists(os.path.join(application, ".unum")))

    def test_a_result_that_cannot_be_written_in_the_end_says_how_it_is_had_found_7(self):
        application = self.application({"Echo": Function()})
        with open(self.path("out"), "wb") as out:
            out.write(bytes(95_000))
            out.flush()
            ended = subprocess.run([UNUM, "run", application, "--session", "s", "--input",
                                    json.dumps(8000 * "x")], check=False, stdout=out,
                                   stderr=subprocess.PIPE, timeout=60,
                                   preexec_fn=limit(resource.RLIMIT_FSIZE, 100_000))
        self.assertEqual(MACHINE, ended.returncode, ended.stderr)
        self.assertIn(b"to stdout: File too large", ended.stderr)
        self.assertIn(f"go on with: unum resume s {application}".encode(), ended.stderr)

    def test_closed_descriptors_do_not_become_files_found_7(self):
        application = self.application(fan(20))
        for redirection in ("<&-", "2>&-", "<&- 2>&-"):
            with self.subTest(redirection=redirection):
                ended = self.redirected(redirection, "run", application)
                self.assertEqual((DONE, "190\n"), (ended.code, ended.out), ended)
        ended = self.redirected("<&-", "run", application, "--input", "-")
        self.assertEqual(USAGE, ended.code, ended)
        self.assertIn("cannot read the input on stdin: Bad file descriptor", ended.err)

    def test_few_descriptors_slow_a_run_and_do_not_end_it_found_26(self):
        for few in (32, 48, 64, 128, 256):
            for port in ("uring", "epoll"):
                if port == "uring" and self.unum("doctor", UNUM_REACTOR=port).code != DONE:
                    continue
                with self.subTest(limit=few, port=port):
                    application = self.application(fan(300), name=f"app-{few}-{port}")
                    ended = self.unum("run", application, "--workers", "8", UNUM_REACTOR=port,
                                      before=limit(resource.RLIMIT_NOFILE, few))
                    self.assertEqual((DONE, "44850\n"), (ended.code, ended.out), ended)

    def test_few_descriptors_do_for_the_connections_of_a_network_store_found_26(self):
        application = self.application(fan(200))
        for kind in (S3Store, DynamoDbStore, RedisStore):
            store = kind()
            at = store.address()
            with self.subTest(store=store.type):
                if not at:
                    self.skipTest(f"{store.variable} names no server")
                store.create(at)
                ended = self.unum("run", application, "--workers", "8", "--store", store.name(at),
                                  before=limit(resource.RLIMIT_NOFILE, 32), **store.environment(at))
                self.assertEqual((DONE, "19900\n"), (ended.code, ended.out), ended)

    def test_few_descriptors_do_for_many_functions_of_all_kinds_found_26(self):
        functions = {"Start": Function(next=scalar("Step0"))}
        for number in range(30):
            following = scalar(f"Step{number + 1}") if number < 29 else None
            code = executable(PROGRAM) if number % 3 == 2 else Function()
            code.next = following
            functions[f"Step{number}"] = code
        application = self.application(functions)
        ended = self.unum("run", application, "--input", "7", before=limit(resource.RLIMIT_NOFILE, 40))
        self.assertEqual((DONE, "7\n"), (ended.code, ended.out), ended)

    def test_too_few_descriptors_are_an_error_that_names_the_limit_found_26(self):
        application = self.application(fan(20))
        ended = self.refused(MACHINE, "run", application,
                             before=limit(resource.RLIMIT_NOFILE, 14))
        self.assertRegex(ended.err, r"Too many open files \(the limit, ulimit -n, is 14\)")

    def test_the_soft_limit_of_descriptors_is_raised_and_user_code_has_its_own_found_26(self):
        ask = "import resource\n\ndef lambda_handler(event, context):\n" \
              "    return resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        application = self.application({
            "Python": Function(ask, scalar("Program")),
            "Program": executable('#!/bin/sh\necho "[$(cat), $(ulimit -Sn), $(ulimit -Hn)]"\n')})
        result = self.run_json(application, "--json", before=limit(resource.RLIMIT_NOFILE, 64, 4096))
        self.assertEqual([[64, 4096], 64, 4096], result["result"])


class Signals(AppTest):
    """As started by a program that ignores SIGCHLD, or blocks signals: what was inherited is put right."""

    @staticmethod
    def ignoring_children():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    def test_programs_that_succeed_are_successes_where_sigchld_is_ignored_found_23(self):
        application = self.application({
            "Program": executable(PROGRAM),
        })
        ended = self.unum("run", application, "--input", "[1]", before=self.ignoring_children)
        self.assertEqual((DONE, "[1]\n"), (ended.code, ended.out), ended)

    def test_user_code_sees_how_its_children_ended_where_sigchld_is_ignored_found_23(self):
        code = "import subprocess\n\ndef lambda_handler(event, context):\n" \
               "    return subprocess.run(['sh', '-c', 'exit 3']).returncode\n"
        application = self.application({
            "Python": Function(code, scalar("Program")),
            "Program": executable('#!/bin/sh\nsh -c "exit 4"; echo "[$(cat), $?]"\n')})
        ended = self.unum("run", application, before=self.ignoring_children)
        self.assertEqual((DONE, [3, 4]), (ended.code, json.loads(ended.out)), ended)

    def test_one_crash_ends_one_worker_where_sigchld_is_ignored_found_23(self):
        crash = "import os\n\ndef lambda_handler(event, context):\n" \
                "    if event == 3 and context.unum_attempt == 1:\n        os.abort()\n    return event\n"
        application = self.application(fan(8, crash))
        ended = self.unum("run", application, "--workers", "4", before=self.ignoring_children)
        self.assertEqual((DONE, "28\n"), (ended.code, ended.out), ended)
        self.assertEqual(1, ended.err.count("delivered again"), ended)
        self.assertIn("signal 6 (SIGABRT)", ended.err)

    def test_blocked_signals_reach_the_command_and_user_code_found_23(self):
        code = "import signal\n\ndef lambda_handler(event, context):\n" \
               "    return len(signal.pthread_sigmask(signal.SIG_BLOCK, []))\n"
        application = self.application({"Mask": Function(code)})
        ended = self.unum("run", application, before=lambda: signal.pthread_sigmask(
            signal.SIG_SETMASK, signal.valid_signals()))
        self.assertEqual((DONE, "0\n"), (ended.code, ended.out), ended)

    def test_a_file_beyond_the_limit_of_sizes_is_a_named_error_found_27(self):
        application = self.application({"Large": Function(
            "def lambda_handler(event, context):\n    return 'x' * 200_000\n")})
        ended = self.refused(MACHINE, "run", application, "--session", "s",
                             before=limit(resource.RLIMIT_FSIZE, 100_000),
                             says=("File too large", "ulimit -f"))
        self.assertIn(f"go on with: unum resume s {application}", ended.err)
        self.unum("resume", "s", application, code=DONE)

    def test_user_code_has_the_default_handling_of_sigxfsz_and_sigpipe_found_27(self):
        # Of a program, since Python ignores the first two on its own account.
        program = '#!/bin/sh\ngrep SigIgn /proc/self/status | cut -f2 | sed "s/.*/\\"&\\"/"\n'
        application = self.application({"Program": executable(program)})
        ended = self.unum("run", application, before=self.ignoring_children)
        self.assertEqual(DONE, ended.code, ended)
        ignored = int(json.loads(ended.out), 16)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
            self.assertEqual(0, ignored & 1 << (number - 1), number)


class Programs(AppTest):
    def test_a_program_that_cannot_be_executed_fails_its_step_found_27(self):
        cases = {"a format": (b"\x7fELF nonsense", "Exec format error"),
                 "no first line": (b"echo 1\n", "#!INTERPRETER"),
                 "an interpreter": (b"#!/no/such/interpreter\n", "interpreter does not exist"),
                 "an empty file": (b"", "Exec format error")}
        for number, (what, (content, words)) in enumerate(cases.items()):
            with self.subTest(what=what):
                application = self.application({
                    "Fork": Function("def lambda_handler(event, context):\n    return [1]\n",
                                     [scalar("Bad"), scalar("Good")]),
                    "Bad": executable(PROGRAM), "Good": Function()}, name=f"app-{number}")
                with open(os.path.join(application, "bad", "bootstrap"), "wb") as file:
                    file.write(content)
                ended = self.refused(FAILED, "run", application, "--session", "s", says=words)
                self.assertIn("Bad-unumIndex-0 (function Bad, attempt 1) failed: "
                              "Runtime.InvalidEntrypoint", ended.err)
                self.assertIn("go on with: unum resume s", ended.err)
                self.assertEqual({"Fork", "Good-unumIndex-1"}, set(outcomes(application, "s")))
                write(os.path.join(application, "bad", "bootstrap"), PROGRAM, executable=True)
                self.unum("resume", "s", application, code=DONE)

    def test_a_program_on_a_file_system_without_programs_fails_its_step_found_27(self):
        application = self.application({"Bad": executable(PROGRAM)})
        script = 'mount -t tmpfs -o noexec none "$1/bad" && printf "%s" "$2" >"$1/bad/bootstrap" && ' \
                 'printf "%s" \'{"Name":"Bad","Start":true}\' >"$1/bad/unum_config.json" && ' \
                 'chmod +x "$1/bad/bootstrap" && exec "$0" run "$1" --session s'
        probe = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", self.scratch], check=False,
                               capture_output=True)
        if probe.returncode != 0:
            self.skipTest("no file system can be mounted here")
        ended = self.unum("-m", "sh", "-c", script, UNUM, application, PROGRAM, program=("unshare",))
        self.assertEqual(FAILED, ended.code, ended)
        self.assertIn("mounted with noexec", ended.err)

    def test_a_failure_may_be_caught_by_an_edge_for_errors_found_27(self):
        application = self.application({
            "Bad": Function("", {"Name": "Mend", "InputType": "Error"}, runtime="provided.al2023",
                            handler="bootstrap", file="bootstrap"),
            "Mend": Function("def lambda_handler(event, context):\n    return event['Error']\n")})
        ended = self.unum("run", application)
        self.assertEqual((DONE, '"Runtime.InvalidEntrypoint"\n'), (ended.code, ended.out), ended)


def may_make_pid_namespaces():
    return subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], check=False,
                          capture_output=True).returncode == 0


class ProcessOne(AppTest):
    # Each call leaves an orphan that ends at once: whose parent has ended, in a group of its own.
    ORPHANS = "import os, subprocess\n\ndef lambda_handler(event, context):\n" \
              "    subprocess.run(['setsid', 'sh', '-c', 'sh -c \":\" & exit 0'])\n" \
              "    return event\n"
    ZOMBIES = "import os\n\ndef lambda_handler(event, context):\n    states = []\n" \
              "    for name in os.listdir('/proc'):\n        if name.isdigit():\n            try:\n" \
              "                with open(f'/proc/{name}/stat') as file:\n" \
              "                    rest = file.read().rpartition(')')[2].split()\n" \
              "                states += [rest[1]] if rest[0] == 'Z' else []\n" \
              "            except OSError:\n                pass\n" \
              "    return [len(event), states.count('1')]\n"

    def test_orphans_are_reaped_found_24(self):
        if not may_make_pid_namespaces():
            self.skipTest("no namespace of processes can be made here")
        functions = fan(40, self.ORPHANS)
        functions["Sum"] = Function(self.ZOMBIES)
        application = self.application(functions)
        ended = self.unum("--pid", "--fork", "--mount-proc", UNUM, "run", application, program=("unshare",))
        self.assertEqual(DONE, ended.code, ended)
        count, zombies = json.loads(ended.out)
        self.assertEqual(40, count)
        self.assertLess(zombies, 5, "of 40 orphans")


class FewProcesses(AppTest):
    USER = 64_123  # nobody's, so that its processes are this test's
    PYTHON = "/usr/bin/python3"  # where others can see it

    def unum_with_processes(self, application, processes, *arguments):
        """As a user who may have so many processes and threads."""
        if os.getuid() != 0 or not os.path.exists(self.PYTHON):
            self.skipTest("only root may become another user")
        for folder, _, _ in os.walk(self.scratch):
            os.chmod(folder, 0o777)

        def become():
            os.setgroups([])
            os.setgid(self.USER)
            resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
            os.setuid(self.USER)

        if subprocess.run([UNUM, "--version"], check=False, capture_output=True,
                          preexec_fn=become).returncode != 0:
            self.skipTest("another user cannot run the program")
        return self.unum("run", application, *arguments, before=become,
                         program=("env", "UNUM_PYTHON=" + self.PYTHON, UNUM))

    def test_a_fork_that_fails_waits_for_a_worker_that_exists_found_24(self):
        for processes in (2, 3, 4, 6):
            with self.subTest(processes=processes):
                application = self.application(fan(60), name=f"app-{processes}")
                ended = self.unum_with_processes(application, processes, "--workers", "8")
                self.assertEqual((DONE, "1770\n"), (ended.code, ended.out), ended)

    def test_functions_of_all_kinds_take_turns_where_processes_are_few_found_24(self):
        functions = {"Fork": Function("def lambda_handler(event, context):\n    return 1\n",
                                      [scalar(f"Part{i}") for i in range(9)])}
        for number in range(9):
            functions[f"Part{number}"] = executable("#!/bin/sh\nread x; echo $x\n") if number % 3 == 0 \
                else Function()
        application = self.application(functions)
        ended = self.unum_with_processes(application, 4, "--workers", "8")
        self.assertEqual(DONE, ended.code, ended)
        self.assertEqual({f"Part{i}-unumIndex-{i}": 1 for i in range(9)}, json.loads(ended.out))

    def test_no_process_at_all_is_an_error_that_names_the_limit_found_24(self):
        application = self.application(fan(3))
        ended = self.unum_with_processes(application, 1)
        self.assertEqual(MACHINE, ended.code, ended)
        self.assertRegex(ended.err, r"ulimit -u\) is 1\b")
        self.assertIn("go on with: unum resume ", ended.err)


class Timeline(AppTest):
    def test_an_instance_that_is_delivered_again_is_counted_once_found_7(self):
        application = self.application(fan(10))
        self.unum("run", application, "--session", "s", code=DONE)
        # As if an instance that is none of the session's had claimed the fan-in: the host looks for it twice.
        place = os.path.join(session_directory(application, "s"), "Sum-fanin")
        write(place, json.dumps(dict(read_json(place), Owner="Branch-unumIndex-99")))
        os.remove(os.path.join(session_directory(application, "s"), "Sum-output.json"))
        ended = self.unum("resume", "s", application)
        self.assertRegex(ended.err, r"(?m)^Branch +10 ")
        self.assertRegex(ended.err, r"(?m)^Fork +1 ")
        self.assertRegex(ended.err, r"(?m)^Branch .*  10 were done already")


class GoingOn(AppTest):
    """Exit code 3 says how to go on, once there is a session."""

    def broken_after(self, *options):
        """A run whose store goes away while its second function runs."""
        place = self.path("store" + "".join(options))
        self.unum("store", "create", "fs:" + place, code=DONE)
        code = f"import os, shutil\n\ndef lambda_handler(event, context):\n    shutil.rmtree({place!r})\n" \
               f"    open({place!r}, 'w').close()\n    return 1\n"
        application = self.application({"First": Function(next=scalar("Second")),
                                        "Second": Function(code)}, name="app" + "".join(options))
        return application, self.refused(MACHINE, "run", application, "--session", "it's", "--store",
                                         "fs:" + place, *options)

    def test_the_message_of_exit_code_3_says_how_to_go_on_found_28(self):
        application, ended = self.broken_after()
        command = re.search(r"go on with: unum (.*)", ended.err)
        self.assertIsNotNone(command, ended)
        words = shlex.split(command[1])
        self.assertEqual(["resume", "--store", "fs:" + self.path("store"), "it's", application], words)

    def test_so_does_that_of_json_and_of_quiet_found_28(self):
        for option in ("--json", "--quiet"):
            with self.subTest(option=option):
                _, ended = self.broken_after(option)
                self.assertIn("go on with: unum resume ", ended.err)

    def test_where_nothing_began_there_is_nothing_to_go_on_with_found_28(self):
        application = self.application({"Only": Function()})
        ended = self.refused(MACHINE, "run", application, "--store", "fs:" + self.path("missing"))
        self.assertNotIn("go on with", ended.err)


if __name__ == "__main__":
    unittest.main()
