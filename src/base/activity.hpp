// What is under way on this thread and what each of it waits for: for people who see a program
// hang.
//
// An Activity stands in a coroutine that may wait: a run, a step, a call of a worker, a request.
// Making one links it into a list of its thread; nothing is allocated.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace unum {

/// Monotonic time to some milliseconds: a few nanoseconds to ask for, where the exact clock takes
/// many.
std::chrono::nanoseconds coarse_time() noexcept;

/// "0.42 s", for people.
std::string seconds_text(std::chrono::nanoseconds time);

class Activity {
 public:
  /// The texts must live as long as this object.
  explicit Activity(std::string_view kind, std::string_view subject = {},
                    std::string_view session = {}) noexcept;
  ~Activity();
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  /// What it waits for from now on; a text that lives as long as this object. `number`: of a
  /// process, or how many; not shown if it is 0.
  void waits_for(std::string_view what, std::size_t number = 0) noexcept;

  /// Asked for a text each time it is shown, in place of what it waits for.
  using Describe = std::string (*)(const void* context);
  void describe_by(Describe describe, const void* context) noexcept {
    describe_ = describe;
    context_ = context;
  }

  /// A line for each of this thread, the oldest first; beyond `lines_max` they are only counted.
  static std::string list(std::size_t lines_max);
  /// "step F-unumIndex-2", of what changed last on this thread: what probably runs just now.
  static std::string last_changed() noexcept;

 private:
  std::string name() const;

  std::string_view kind_;
  std::string_view subject_;
  std::string_view session_;
  std::string_view what_;
  std::size_t number_ = 0;
  Describe describe_ = nullptr;
  const void* context_ = nullptr;
  std::chrono::nanoseconds begun_;
  std::chrono::nanoseconds since_;
  Activity* older_;
  Activity* newer_ = nullptr;
};

}  // namespace unum
