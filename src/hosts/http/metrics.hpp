// What a long-running host counts, as Prometheus' text.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace unum::http_host {

class Metrics {
 public:
  /// A step of the function has ended in this status ("succeeded", "refused", ...).
  void step_ended(std::string_view function, std::string_view status,
                  std::chrono::nanoseconds took);
  /// A delivery was turned away because `in_flight` had reached its bound.
  void turned_away() noexcept { ++turned_away_; }
  /// An invocation was accepted by the platform, or was not.
  void invoked(bool accepted) noexcept { ++(accepted ? accepted_ : refused_); }
  void invoke_retried() noexcept { ++retried_; }
  /// The exposition format 0.0.4.
  /// `store_requests`: of StoreCounters.
  std::string text(std::size_t in_flight, std::size_t in_flight_max,
                   std::uint64_t store_requests) const;

 private:
  // Seconds; steps take from a millisecond to minutes.
  static constexpr std::array<double, 10> kBounds{0.005, 0.01, 0.025, 0.1, 0.25,
                                                  0.5,   1,    5,     30,  120};
  struct Durations {
    std::array<std::uint64_t, kBounds.size() + 1> counts{};
    double sum_s = 0;
  };
  std::map<std::string, std::map<std::string, std::uint64_t, std::less<>>, std::less<>> steps_;
  std::map<std::string, Durations, std::less<>> durations_;
  std::uint64_t turned_away_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t retried_ = 0;
};

}  // namespace unum::http_host
