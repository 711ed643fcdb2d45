// Two alternatives measured in turns in one process, told as a ratio.
//
// Times of one run on a shared machine mean little; the ratio of two alternatives that took turns
// means something. Register comparisons with `compare`, end the file with UNUM_BENCH_MAIN.
// Environment UNUM_BENCH_TINY=1, or the option --quick, runs everything once with tiny inputs: a
// test that it works.
#pragma once

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace unum::bench {

inline bool& tiny() {
  static bool value = std::getenv("UNUM_BENCH_TINY") != nullptr;
  return value;
}

/// `full`, or `small` in the tiny run.
inline std::size_t size(std::size_t full, std::size_t small) { return tiny() ? small : full; }

/// For a comparison that is only told.
inline constexpr double kNoGoal = 0;

struct Result {
  std::string name;
  std::string other_name;
  double ours_ns = 0;   ///< The fastest turn, for one operation.
  double other_ns = 0;  ///< The same of the other.
  double ratio = 0;     ///< The median of the ratios of neighbouring turns.
  double goal = 0;      ///< The most it should be, or kNoGoal.

  /// That of the fastest turns: what is left when nothing else ran.
  double fastest_ratio() const { return ours_ns / other_ns; }
};

inline std::vector<Result>& results() {
  static std::vector<Result> all;
  return all;
}

inline double seconds_of(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Processor time of this process, user and system: where a server works beside the one measured.
inline double cpu_seconds_of(const std::function<void()>& run) {
  const auto spent = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  };
  const double start = spent();
  run();
  return spent() - start;
}

using Timing = double (*)(const std::function<void()>& run);

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Runs both in turns; who begins alternates. `before` (may be empty) prepares each turn, untimed.
inline Result measure(std::string name, std::string other_name, double goal, std::size_t operations,
                      std::size_t turns, const std::function<void()>& ours,
                      const std::function<void()>& other, const std::function<void()>& before = {},
                      Timing timing = seconds_of) {
  Result result{std::move(name), std::move(other_name), 1e300, 1e300, 0, goal};
  std::vector<double> ratios;
  for (std::size_t turn = 0; turn < (tiny() ? 1 : turns); ++turn) {
    double times[2];
    for (const std::size_t which : {turn % 2, 1 - turn % 2}) {
      if (before) before();
      times[which] = timing(which == 0 ? ours : other) * 1e9 / static_cast<double>(operations);
    }
    result.ours_ns = std::min(result.ours_ns, times[0]);
    result.other_ns = std::min(result.other_ns, times[1]);
    ratios.push_back(times[0] / times[1]);
  }
  result.ratio = median(ratios);
  return result;
}

/// Registers the comparison of `ours` with `other`, each of which does `operations` operations when
/// called. The benchmark's counters are "ours_ns", "other_ns" (for one operation), "ratio",
/// "fastest" (the ratio of the fastest turns) and "goal".
inline void compare(const std::string& name, const std::string& other_name, double goal,
                    std::size_t operations, std::size_t turns, std::function<void()> ours,
                    std::function<void()> other, std::function<void()> before = {},
                    Timing timing = seconds_of) {
  const auto run = [=](benchmark::State& state) {
    for ([[maybe_unused]] auto once : state) {
      const Result result =
          measure(name, other_name, goal, operations, turns, ours, other, before, timing);
      state.counters["ours_ns"] = result.ours_ns;
      state.counters["other_ns"] = result.other_ns;
      state.counters["ratio"] = result.ratio;
      state.counters["fastest"] = result.fastest_ratio();
      state.counters["goal"] = goal;
      results().push_back(result);
    }
  };
  benchmark::RegisterBenchmark(name.c_str(), run)->Iterations(1)->Unit(benchmark::kMillisecond);
}

inline void print_results() {
  std::printf("\n%-44s %12s %12s %7s %8s  %s\n", "ours / other", "ours ns", "other ns", "ratio",
              "fastest", "goal");
  for (const Result& r : results()) {
    const std::string names = r.name + " / " + r.other_name;
    std::printf("%-44s %12.1f %12.1f %7.2f %8.2f  ", names.c_str(), r.ours_ns, r.other_ns, r.ratio,
                r.fastest_ratio());
    if (r.goal == kNoGoal) {
      std::puts("none");
      continue;
    }
    std::printf("<= %.2f%s\n", r.goal,
                tiny()              ? " (tiny run: no figure)"
                : r.ratio <= r.goal ? ""
                                    : "  MISSED");
  }
}

/// `register_all` registers the comparisons, once it is known whether the run is a tiny one.
inline int run_all(int argc, char** argv, void (*register_all)()) {
  const auto quick = [](const char* argument) { return std::strcmp(argument, "--quick") == 0; };
  char** const end = std::remove_if(argv + 1, argv + argc, quick);
  if (end != argv + argc) tiny() = true;
  argc = static_cast<int>(end - argv);
  register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  print_results();
  return 0;
}

}  // namespace unum::bench

#define UNUM_BENCH_MAIN(register_all) \
  int main(int argc, char** argv) { return unum::bench::run_all(argc, argv, register_all); }
