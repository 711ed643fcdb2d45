// See metrics.hpp. Function names need no escapes in a label: they are letters, digits, - and _.
#include "hosts/http/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace unum::http_host {

void Metrics::step_ended(std::string_view function, std::string_view status,
                         std::chrono::nanoseconds took) {
  ++steps_[std::string(function)][std::string(status)];
  Durations& durations = durations_[std::string(function)];
  const double seconds = std::chrono::duration<double>(took).count();
  const auto* const bound = std::ranges::lower_bound(kBounds, seconds);
  ++durations.counts[static_cast<std::size_t>(bound - kBounds.begin())];
  durations.sum_s += seconds;
}

std::string Metrics::text(std::size_t in_flight, std::size_t in_flight_max,
                          std::uint64_t store_requests) const {
  std::string out;
  const auto head = [&out](std::string_view name, std::string_view type, std::string_view help) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  };
  head("unum_steps_total", "counter", "Deliveries that ended, by what became of them.");
  for (const auto& [function, statuses] : steps_) {
    for (const auto& [status, count] : statuses) {
      out += fmt::format("unum_steps_total{{function=\"{}\",status=\"{}\"}} {}\n", function, status,
                         count);
    }
  }
  head("unum_step_duration_seconds", "histogram", "From a delivery's arrival to its end.");
  for (const auto& [function, durations] : durations_) {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      total += durations.counts[i];
      out += fmt::format("unum_step_duration_seconds_bucket{{function=\"{}\",le=\"{}\"}} {}\n",
                         function, kBounds[i], total);
    }
    total += durations.counts.back();
    out += fmt::format(
        "unum_step_duration_seconds_bucket{{function=\"{0}\",le=\"+Inf\"}} {1}\n"
        "unum_step_duration_seconds_sum{{function=\"{0}\"}} {2}\n"
        "unum_step_duration_seconds_count{{function=\"{0}\"}} {1}\n",
        function, total, durations.sum_s);
  }
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help,
                       std::uint64_t value) {
    head(name, type, help);
    out += fmt::format("{} {}\n", name, value);
  };
  one("unum_steps_in_flight", "gauge", "Deliveries that run now.", in_flight);
  one("unum_steps_in_flight_max", "gauge", "As many may run at once.", in_flight_max);
  one("unum_deliveries_turned_away_total", "counter",
      "Deliveries answered with 429, because as many ran as may.", turned_away_);
  head("unum_invocations_total", "counter", "Invocations of next functions.");
  out += fmt::format("unum_invocations_total{{outcome=\"accepted\"}} {}\n", accepted_);
  out += fmt::format("unum_invocations_total{{outcome=\"not_accepted\"}} {}\n", refused_);
  one("unum_invocation_retries_total", "counter", "Invocations that were sent again.", retried_);
  one("unum_store_requests_total", "counter", "Requests to the data store, or calls on its files.",
      store_requests);
  return out;
}

}  // namespace unum::http_host
