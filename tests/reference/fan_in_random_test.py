"""Applications in all orders of completion against the reference interpreter: those of cases.py."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cases import CASES
from driver import Driver, judge
from interpreter import interpret


class ByHand(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.driver = Driver()

    @classmethod
    def tearDownClass(cls):
        cls.driver.close()

    def test_the_interpreter_knows_the_cases_written_by_hand(self):
        for sentence, case, expected in CASES:
            with self.subTest(sentence):
                outcome = interpret(case)
                self.assertEqual(expected, outcome.failures or outcome.result)

    def test_the_cases_written_by_hand_come_to_the_same_in_every_order(self):
        for sentence, case, _ in CASES:
            with self.subTest(sentence):
                problems = judge(interpret(case), self.driver.run(case))
                self.assertEqual("", "\n".join(f"{each.kind}\n{each.text}" for each in problems))


if __name__ == "__main__":
    unittest.main()
