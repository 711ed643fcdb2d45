"""Progress on a terminal: bars while it runs, a timeline at the end, and nothing of the kind in a pipe."""

import os
import pty
import re
import select
import sys
import termios
import struct
import fcntl
import subprocess
import unittest

from harness import DONE, TIMEOUT_S, UNUM, AppTest, Function, each, fan_in, outcomes

WAITING = """import os

def lambda_handler(event, context):
    if event == 150:
        with open(os.environ["UNUM_TEST_EVENTS"], "w") as events:
            events.write("half\\n")
        with open(os.environ["UNUM_TEST_GATE"]) as gate:
            gate.read()
        print("through the gate")
    return event
"""


class Terminal:
    """A command whose stderr is a pseudo terminal of a given width."""

    def __init__(self, arguments, columns, environment):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        self.process = subprocess.Popen([UNUM, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=slave,
                                        env=dict(os.environ, UNUM_PYTHON=sys.executable, **environment))
        os.close(slave)
        self.shown = ""

    def read(self):
        """False at the end."""
        ready, _, _ = select.select([self.master], [], [], TIMEOUT_S)
        try:
            piece = os.read(self.master, 65536) if ready else b""
        except OSError:  # all of the other side was closed
            piece = b""
        self.shown += piece.decode()
        return piece != b""

    def finish(self):
        while self.read():
            pass
        out = self.process.stdout.read()
        self.process.stdout.close()
        os.close(self.master)
        return self.process.wait(), out


class Progress(AppTest):
    def waiting(self):
        return self.application({
            "Fork": Function("def lambda_handler(event, context):\n    return list(range(300))\n",
                             each("AFunctionWithALongNameIndeed")),
            "AFunctionWithALongNameIndeed": Function(
                WAITING, fan_in("Sum", ["AFunctionWithALongNameIndeed-unumIndex-*"])),
            "Sum": Function("def lambda_handler(event, context):\n    return sum(event)\n")})

    def run_on_terminal(self, columns, *options):
        events = self.events()
        gate = self.path("gate")
        os.mkfifo(gate)
        terminal = Terminal(["run", self.waiting(), "--session", "seen", "--workers", "1", *options],
                            columns, {"UNUM_TEST_EVENTS": events.path, "UNUM_TEST_GATE": gate})
        self.assertEqual("half", events.next())
        return terminal, gate

    @staticmethod
    def open_gate(gate):
        with open(gate, "w", encoding="utf-8"):
            pass

    def test_a_terminal_shows_a_bar_for_what_runs_and_a_timeline_at_the_end(self):
        terminal, gate = self.run_on_terminal(100)
        self.open_gate(gate)
        code, out = terminal.finish()
        self.assertEqual((DONE, b"44850\n"), (code, out))
        self.assertIn("\x1b[", terminal.shown)
        self.assertRegex(terminal.shown, r"(Fork|AFunctionWithALongNameI) +\[#*\.*\] \d+ done, \d+ waiting")
        self.assertIn("[AFunctionWithALongNameIndeed-unumIndex-150] through the gate\r\n", terminal.shown)
        # After the last live line was erased: the timeline, without an escape.
        end = terminal.shown.rpartition("\x1b[")[2]
        self.assertRegex(end, r"function +instances +time +\|0 \.\. ")
        self.assertRegex(end, r"AFunctionWithALongNameIndeed +300 ")
        self.assertIn("done: 302 instances", end)
        self.assertEqual(302, len(outcomes(self.path("app"), "seen")))

    def test_no_live_line_wraps_on_a_narrow_terminal(self):
        terminal, gate = self.run_on_terminal(40)
        self.open_gate(gate)
        self.assertEqual(DONE, terminal.finish()[0])
        live = re.findall(r"(?m)^(?:\x1b\[[0-9]*[A-Z]|\x1b\[0J)*([A-Z]\w+ +\[[#.]*.*)\r$", terminal.shown)
        self.assertTrue(live, terminal.shown)
        self.assertLess(max(len(line) for line in live), 40)

    def test_quiet_shows_no_bar_on_a_terminal(self):
        terminal, gate = self.run_on_terminal(80, "--quiet")
        self.open_gate(gate)
        self.assertEqual(DONE, terminal.finish()[0])
        self.assertEqual("[AFunctionWithALongNameIndeed-unumIndex-150] through the gate\r\n", terminal.shown)

    def test_a_pipe_gets_plain_lines(self):
        events = self.events()
        gate = self.path("gate")
        os.mkfifo(gate)
        command = self.start("run", self.waiting(), UNUM_TEST_EVENTS=events.path, UNUM_TEST_GATE=gate)
        self.assertEqual("half", events.next())
        self.open_gate(gate)
        ended = command.wait()
        self.assertEqual(DONE, ended.code, ended)
        self.assertNotRegex(ended.err, r"[\x1b\r]")
        self.assertRegex(ended.err, r"(?m)^AFunctionWithALongNameIndeed +300 ")


if __name__ == "__main__":
    unittest.main()
