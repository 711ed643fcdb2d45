// Who goes on next: everything that a run waits for is held here until its turn is chosen.
//
// User code is always held; calls of the store only in interleavings. A choice is made when
// nothing moves by itself any more, so the chosen order is the order in which things happen.
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::test {

/// The choices of one run: a prefix that is given, then the first of those that wait, or one by
/// chance.
class Choices {
 public:
  Choices(std::vector<std::size_t> prefix, bool by_chance, std::uint64_t seed)
      : prefix_(std::move(prefix)), by_chance_(by_chance), random_(seed) {}

  std::size_t next(std::size_t count) {
    const std::size_t step = made_.size();
    std::size_t choice = 0;
    if (step < prefix_.size()) {
      choice = std::min(prefix_[step], count - 1);
    } else if (by_chance_) {
      choice = random_() % count;
    }
    made_.emplace_back(choice, count);
    return choice;
  }
  bool by_chance() const noexcept { return by_chance_; }
  std::uint64_t random() { return random_(); }

  /// The prefix of the next run of a depth-first walk; empty after the last one.
  std::vector<std::size_t> next_prefix() const {
    for (std::size_t end = made_.size(); end > 0; --end) {
      const auto [choice, count] = made_[end - 1];
      if (choice + 1 == count) continue;
      std::vector<std::size_t> prefix;
      for (std::size_t step = 0; step < end; ++step) prefix.push_back(made_[step].first);
      ++prefix.back();
      return prefix;
    }
    return {};
  }

 private:
  std::vector<std::size_t> prefix_;
  bool by_chance_;
  std::mt19937_64 random_;
  std::vector<std::pair<std::size_t, std::size_t>> made_;  ///< Choice and how many there were.
};

class Scheduler {
 public:
  Scheduler(Reactor& reactor, Choices choices)
      : reactor_(reactor), choices_(std::move(choices)), has_ranks_(choices_.by_chance()) {
    // Half of the runs by chance have slow and fast instances, the others none.
    has_ranks_ = has_ranks_ && choices_.random() % 2 == 0;
  }

  /// Awaited as a named object: GCC 12 destroys temporaries of an awaited expression twice.
  struct Hold {
    Hold(Scheduler& holder, std::string_view instance, std::string call)
        : scheduler(holder), who(instance), what(std::move(call)) {}
    Scheduler& scheduler;
    std::string who;
    std::string what;  ///< Empty for user code.
    std::coroutine_handle<> waiter{};
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      waiter = handle;
      scheduler.held_.push_back(this);
      ++scheduler.activity_;
    }
    void await_resume() const noexcept {}
  };
  /// Brackets something that goes on by itself: no choice is made before it ends.
  class Moving {
   public:
    explicit Moving(Scheduler& scheduler) : scheduler_(scheduler) { ++scheduler_.moving_; }
    ~Moving() {
      --scheduler_.moving_;
      ++scheduler_.activity_;
    }
    Moving(const Moving&) = delete;
    Moving& operator=(const Moving&) = delete;

   private:
    Scheduler& scheduler_;
  };

  /// Lets everything that is held go on, one after the other, until `ended`.
  Task<void> drive(const bool& ended) {
    while (true) {
      co_await settle(ended);
      if (ended && held_.empty()) co_return;
      if (held_.empty()) continue;
      release();
    }
  }

  const std::vector<std::string>& order() const noexcept { return order_; }
  const Choices& choices() const noexcept { return choices_; }

 private:
  Task<void> settle(const bool& ended) {
    constexpr int kQuietTurns = 2;
    std::uint64_t seen = activity_;
    for (int quiet = 0; quiet < kQuietTurns || moving_ > 0; ++quiet) {
      co_await reactor_.yield();
      if (ended) co_return;
      if (activity_ != seen) quiet = 0;
      seen = activity_;
    }
  }

  void release() {
    std::stable_sort(held_.begin(), held_.end(), [&](const Hold* a, const Hold* b) {
      const std::uint64_t rank_a = rank(a->who);
      const std::uint64_t rank_b = rank(b->who);
      return rank_a != rank_b ? rank_a < rank_b : a->who < b->who;
    });
    constexpr std::uint64_t kFromTheRanks = 8;  // of ten choices, where there are ranks
    std::size_t place = choices_.next(held_.size());
    if (has_ranks_ && choices_.random() % 10 < kFromTheRanks) place = 0;
    Hold* const chosen = held_[place];
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(place));
    order_.push_back(chosen->what.empty() ? chosen->who : chosen->who + ": " + chosen->what);
    ++activity_;
    chosen->waiter.resume();
  }

  std::uint64_t rank(const std::string& who) {
    if (!has_ranks_) return 0;
    const auto [place, is_new] = ranks_.try_emplace(who, 0);
    if (is_new) place->second = choices_.random();
    return place->second;
  }

  Reactor& reactor_;
  Choices choices_;
  bool has_ranks_;
  std::map<std::string, std::uint64_t> ranks_;
  std::vector<Hold*> held_;
  std::vector<std::string> order_;
  std::size_t moving_ = 0;
  std::uint64_t activity_ = 0;
};

}  // namespace unum::test
