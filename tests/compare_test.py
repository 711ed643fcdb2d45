"""What bench/compare.py makes of figures, on recorded ones."""

import importlib.util
import os
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("UNUM_SOURCE_ROOT") or os.path.dirname(HERE)
SPEC = importlib.util.spec_from_file_location("compare", os.path.join(ROOT, "bench", "compare.py"))
compare = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(compare)

# As Google Benchmark 1.7 writes them: two kinds of the reactor's, one of the workflow's, with repetitions.
REACTOR = {"benchmarks": [
    {"name": "allocations/iterations:1", "run_type": "iteration", "real_time": 3.1, "time_unit": "ms",
     "allocations": 0.0, "awaits": 20000.0},
    {"name": "await NOP/iterations:1", "run_type": "iteration", "real_time": 812.0, "time_unit": "ms",
     "ours_ns": 612.5, "other_ns": 540.0, "ratio": 1.134, "fastest": 1.134, "goal": 1.3},
    {"name": "1 KB files, hot/iterations:1", "run_type": "iteration", "real_time": 90.0, "time_unit": "ms",
     "ours_ns": 5100.0, "other_ns": 4800.0, "ratio": 1.06, "fastest": 1.06, "goal": 1.15},
    {"name": "1 KB files, hot/iterations:1", "run_type": "iteration", "real_time": 95.0, "time_unit": "ms",
     "ours_ns": 5050.0, "other_ns": 5200.0, "ratio": 0.97, "fastest": 0.97, "goal": 1.0}]}
WORKFLOW = {"benchmarks": [
    {"name": "native_fan_in/memory/1000", "run_type": "iteration", "real_time": 11.25, "time_unit": "ms",
     "us_per_branch": 11.25},
    {"name": "native_fan_in/memory/1000_mean", "run_type": "aggregate", "real_time": 11.3, "time_unit": "ms"},
    {"name": "durable_chain/iterations:5/manual_time", "run_type": "iteration", "real_time": 240.0,
     "time_unit": "ms", "ms_per_step": 2.4}]}

# `await NOP`, old and new, of ten pairs on a busy machine whose speed halved from the sixth on: a build that
# takes 0.95 of the other's time, and the same build twice.
FASTER = [[600, 571], [612, 580], [605, 577], [598, 566], [640, 605],
          [1190, 1128], [1220, 1163], [1205, 1150], [1300, 1228], [1180, 1126]]
SAME = [[600, 604], [612, 603], [605, 611], [598, 590], [640, 652],
        [1190, 1171], [1220, 1238], [1205, 1201], [1300, 1322], [1180, 1175]]


class Figures(unittest.TestCase):
    def test_what_is_measured_beside_another_tells_its_own_time(self):
        self.assertEqual({"await NOP": 612.5, "1 KB files, hot": 5100.0, "1 KB files, hot #2": 5050.0},
                         compare.figures_of(REACTOR))

    def test_other_times_are_in_nanoseconds_and_means_are_left_out(self):
        self.assertEqual({"native_fan_in/memory/1000": 11_250_000.0, "durable_chain": 240_000_000.0},
                         compare.figures_of(WORKFLOW))

    def test_an_expression_chooses(self):
        self.assertEqual({"await NOP": 612.5}, compare.figures_of(REACTOR, "NOP"))


class Arithmetic(unittest.TestCase):
    def test_the_range_of_the_median_is_that_of_the_tables(self):
        # Ranks of the sign test's intervals at 95 %: of 6 all, of 10 the second to the ninth, of 20 the sixth to
        # the fifteenth.
        self.assertEqual((1, 6), compare.range_of_median([3, 1, 2, 6, 5, 4]))
        self.assertEqual((2, 9), compare.range_of_median(range(1, 11)))
        self.assertEqual((6, 15), compare.range_of_median(range(1, 21)))
        self.assertEqual((1, 5), compare.range_of_median(range(1, 6)))
        self.assertEqual((7, 7), compare.range_of_median([7]))

    def test_the_spread_is_half_of_what_lies_between_the_quartiles(self):
        self.assertAlmostEqual(0.25, compare.spread_of([2, 3, 4, 5, 6]))
        self.assertEqual(0.0, compare.spread_of([5]))

    def test_a_difference_is_seen_although_the_machine_became_slower(self):
        row = compare.compared(FASTER)
        self.assertEqual("faster", row["mark"])
        self.assertAlmostEqual(0.95, row["ratio"], delta=0.005)
        self.assertGreater(row["spread"], 0.3, "the times themselves say nothing")
        self.assertEqual("SLOWER", compare.compared([[new, old] for old, new in FASTER])["mark"])

    def test_the_same_build_twice_is_no_difference(self):
        row = compare.compared(SAME)
        self.assertEqual("", row["mark"])
        self.assertLess(row["low"], 1)
        self.assertGreater(row["high"], 1)

    def test_what_is_certain_and_tiny_is_no_difference(self):
        self.assertEqual("", compare.compared([[1000, 1005]] * 10)["mark"])
        self.assertEqual("SLOWER", compare.compared([[1000, 1011]] * 10)["mark"])

    def test_numbers_are_shown_with_three_digits(self):
        self.assertEqual(["0.40 ns", "612 ns", "1.00 us", "11.2 ms", "240 ms", "2.60 s"],
                         [compare.shown(each) for each in (0.4, 612.4, 1000, 11_230_000, 240e6, 2.6e9)])


class Table(unittest.TestCase):
    def test_a_line_for_each_figure_and_a_word_for_what_one_side_lacks(self):
        lines = compare.table({"reactor: await NOP": FASTER, "workflow: join": [[None, 5.0], [None, 6.0]]})
        self.assertEqual([
            "figure                    old        new  spread  ratio  95 %",
            "reactor: await NOP     910 ns     866 ns   32.7%   0.95  0.95 to 0.95  faster",
            "workflow: join      only in the new one"], lines)


if __name__ == "__main__":
    unittest.main()
