// A whole application on one machine: the queue of invocations, steps in flight, deliveries again.
//
// What hosts owe the protocol: every delivery that began is delivered again until its step ended,
// and an invocation counts as accepted once it is queued here. The queue lives in memory; when the
// process dies, running the session again delivers the entry, and checkpoints absorb what was done.
// A delayed invocation counts as accepted once the session holds it, so that an attempt of `Retry`
// survives the process.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/limits.hpp"
#include "hosts/delayed.hpp"
#include "unum/local_host.hpp"
#include "unum/run.hpp"
#include "unum/runtime.hpp"
#include "unum/task_group.hpp"

namespace unum {

/// The options, and what only this library and its tests set.
struct LocalHostTuning : LocalHostOptions {
  /// When nothing is left to run, whether everything is delivered once more for fan-ins that have
  /// all they need and went on nowhere: a process died, or the store lost an update.
  bool delivers_again_when_idle = true;
  /// The session has nothing yet, so that nothing is looked for in it.
  bool session_is_new = false;
};

class LocalHost::Impl final : private Invoker {
 public:
  Impl(Reactor& reactor, Store& store, const LocalHostTuning& options);
  ~Impl() override;

  void add(Function function, UserCode& code);
  Task<RunResult> run(std::string_view session, std::string_view input, Wait wait);

 private:
  struct Entry {
    Function function;
    UserCode* code = nullptr;
  };
  struct Delivery {
    const Entry* entry = nullptr;
    std::string instance;
    json::Text payload;
    int attempt = 1;        ///< Delivery of this attempt.
    int retry_attempt = 1;  ///< Attempt of `Retry`.
  };
  /// A fan-in that is to happen, as those that take part told of it.
  struct KnownFanIn {
    std::shared_ptr<const FanInSet> set;
    std::string digest;
    bool taken = false;  ///< Complete, but the claim is another delivery's.
    /// Contributors that will never have a result, and the failed instance that is why.
    std::map<std::string, std::string> blocked_by{};
    /// Its aggregator has an outcome, in a session that is collected.
    bool went_on_before = false;
  };
  /// A step that invoked nothing and, as far as it knows, contributed to nothing.
  struct FinalCandidate {
    std::string result;
    std::optional<RunFailure> failure;  ///< Caught, but nothing follows from it.
  };
  struct SecondWay {
    std::string instance;
    std::string first;  ///< Origins.
    std::string second;
  };
  class StoppableCode;

  Task<void> invoke(Invocation invocation, Wait wait) override;
  std::size_t payload_bytes_max() const noexcept override;
  bool keeps_every_delivery() const noexcept override { return true; }
  std::chrono::milliseconds delay_max() const noexcept override {
    return std::chrono::milliseconds::max();
  }
  Task<void> find_delayed();
  Task<void> delay(const Entry& entry, Invocation invocation, Wait wait);
  void wait_for(Delivery delivery, WallTime not_before, std::string_view error);
  Task<void> queue_when_due(Delivery delivery, Deadline due);
  Task<bool> wait_as_left(const Delivery& delivery);
  Task<bool> may_begin_with(const Delivery& first, const DelayedDelivery& left);
  Task<void> settle(const Delivery& delivery, StepReport report);
  static std::string describe(const void* host);
  void enqueue(Delivery delivery);
  void start_queued();
  Task<void> deliver(Delivery delivery);
  Task<void> deliver_once(const Delivery& delivery);
  Task<bool> store_answers();
  Task<void> give_up(const Delivery& delivery, const Error& error);
  void record(const Delivery& delivery, StepReport report);
  void record_blocked(const Delivery& failed);
  void record_fan_in(const StepReport& report, const FanInReport& fan_in);
  void abort_run(const std::exception_ptr& error);
  void begin_entry(json::Text payload);
  Task<void> run_steps(const json::Text& payload);
  Task<void> watch_time(Deadline deadline, StopToken run_ended);
  Task<void> watch_store(StopToken told_to_end, StopToken run_ended);
  /// For calls of the store: they go on for a little when the run was told to end.
  Wait store_wait() const { return {kNoDeadline, stores_stop_->token()}; }
  Task<void> deliver_uncollected();
  Task<void> sweep();
  Task<void> deliver_listed();
  Task<void> drop_collected_results();
  Task<bool> went_on_elsewhere(const std::string& aggregator, KnownFanIn& record);
  void note_tombstone(const std::string& instance);
  void record_collected(const StepReport& report);
  void link();
  bool has_failed() const noexcept { return !failures_.empty() || !second_ways_.empty(); }
  bool went_on(const std::string& aggregator, const KnownFanIn& record) const;
  void drop_contributors();
  Task<std::vector<std::string>> stalled_fan_ins();
  Task<void> report_incomplete();
  std::string describe_missing(const KnownFanIn& record, const std::string& name) const;
  void report_second_ways();
  std::string readable_origin(const std::string& instance, const std::string& origin) const;
  RunResult conclude();
  void reset();

  Reactor& reactor_;
  Store& store_;
  LocalHostTuning options_;
  Runtime runtime_;
  std::map<std::string, Entry, std::less<>> functions_;
  const Entry* entry_ = nullptr;

  // Of the run under way.
  std::string session_;
  std::deque<Delivery> queue_;
  std::size_t queued_bytes_ = 0;  ///< Of payloads.
  DelayedItems delayed_items_;
  /// Of the instances that have an item of their own there: the attempt that was accepted last.
  std::unordered_map<std::string, int> attempts_;
  std::size_t delayed_ = 0;  ///< Deliveries that wait for their time.
  std::size_t steps_in_flight_ = 0;
  std::size_t steps_begun_ = 0;
  bool starting_ = false;
  TaskGroup steps_;
  std::unique_ptr<StopSource> stop_;
  std::unique_ptr<StopSource> stores_stop_;
  bool timed_out_ = false;
  bool store_is_silent_ = false;  ///< Some calls of it were given up after the run's end.
  std::exception_ptr abort_error_;
  std::unordered_map<std::string, std::string>
      origins_;  ///< Of every instance delivered in this run; empty: the way in is not known yet.
  std::unordered_map<std::string, KnownFanIn> fan_ins_;
  std::map<std::string, FinalCandidate> finals_;
  std::vector<RunFailure> failures_;
  std::vector<SecondWay> second_ways_;
  std::size_t instances_ = 0;
  std::size_t user_code_runs_ = 0;

  /// Of a session that is collected.
  struct Collection {
    bool on = false;
    bool look_again = false;  ///< Outcomes may stand that no delivery of this run leads to.
    std::unordered_set<std::string> outcomes;   ///< The instances that have one,
    std::unordered_set<std::string> collected;  ///< and those of them that have a tombstone.
    std::set<std::string> fan_ins;              ///< Aggregators whose state is removed already,
    std::set<std::string> claimed_again;  ///< and those that were invoked once more, maybe since.
    std::vector<ItemId> items;            ///< Listed, to be removed.
  };
  Collection collection_;
};

}  // namespace unum
