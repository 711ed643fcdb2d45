// What a run looks like while it goes: live lines on a terminal, plain lines otherwise, a timeline
// at the end. All of it on stderr.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "unum/reactor.hpp"
#include "unum/run.hpp"

namespace unum::cli {

class Progress {
 public:
  /// `live`: redraw lines in place. `silent`: show nothing but user code's output, deliveries
  /// again and attempts that are to come.
  Progress(Reactor& reactor, bool live, bool silent);

  void queued(std::string_view function, std::string_view instance);
  void ended(std::string_view function, const StepReport& report);
  void delivered_again(std::string_view instance, int attempt, const Error& why);
  void delayed(std::string_view instance, int attempt, std::chrono::milliseconds delay,
               std::string_view error);

  /// Whether a step has ended.
  bool any_ended() const noexcept { return any_ended_; }

  /// A line of its own above the live lines.
  void line(std::string_view text);
  /// The same for lines that end with a newline themselves.
  void text(std::string_view lines);
  /// Ends the live lines and shows, if wanted, how the time went, function by function.
  void finish(bool show_timeline);

 private:
  struct Row {
    std::string function;
    std::size_t queued = 0;
    std::size_t ended = 0;
    std::size_t failed = 0;
    std::size_t adopted = 0;
    Deadline first_queued{};
    Deadline last_ended{};
  };
  /// What is known of one instance; it may be delivered several times.
  enum class Seen : std::uint8_t { queued, ended };

  Row& row(std::string_view function);
  void refresh(bool force);
  void erase_live();
  void draw_live();
  void plain_line(const Row& row);

  Reactor& reactor_;
  const bool live_;
  const bool silent_;
  const Deadline begun_;
  Deadline last_drawn_{};
  std::size_t lines_drawn_ = 0;
  std::vector<Row> rows_;  ///< In the order of first use.
  std::unordered_map<std::string, std::size_t> row_of_;
  std::unordered_map<std::string, Seen> seen_;  ///< By the instance's name; if lines are shown.
  bool any_ended_ = false;
};

}  // namespace unum::cli
