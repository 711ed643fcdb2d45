// How far a session is as a whole, and waiting for its end: see unum/sessions.hpp.
#include <algorithm>
#include <utility>

#include "application/application.hpp"
#include "hosts/session_walk.hpp"
#include "unum/sessions.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum {
namespace {

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kPauseMax{5000};
// Of the time, at most one part in so many is spent on looking.
constexpr int kPartOfLooking = 10;

void refuse_unstored(const Application& application) {
  for (const FunctionSettings& function : application.functions) {
    if (function.checkpoint) continue;
    throw Error(ErrorKind::invalid, "host", "Unum.NotCheckpointed",
                "the results of function " + function.name() +
                    " are not stored (\"Checkpoint\": false), so nobody can see in the data store "
                    "how far a session is; set \"Checkpoint\": true");
  }
}

/// Of collected outcomes nothing follows that could be seen. Only sessions that are collected have
/// a tombstone or what stands beside outcomes for it.
Task<void> find_collected(Store& store, const SessionContext& context,
                          const std::vector<ListedItem>& listed, SessionItems& items, Wait wait) {
  std::vector<Pointer> pointers;
  for (const ListedItem& item : listed) {
    const bool may_be = item.id.kind == ItemKind::outcome && item.bytes == kTombstone.size();
    if (may_be) pointers.push_back(pointer(context, item.id.name));
  }
  const auto values = co_await store.get_many(context, pointers, wait);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == kTombstone) items.collected.insert(pointers[i].name());
  }
}

Task<std::vector<RunFailure>> failures_of(Store& store, const SessionContext& context,
                                          const SessionItems& items, const SessionWalk& walk,
                                          Wait wait) {
  std::vector<RunFailure> failures;
  for (const std::string& name : items.reports) {
    if (items.outcomes.contains(name) || items.delayed.contains(name)) continue;
    const ItemId item{name, ItemKind::report};
    const std::optional<std::string> stored = co_await store.get(context, item, wait);
    if (!stored) continue;
    StoredFailure failure = read_report(*stored);
    failures.push_back({name, std::move(failure.error), std::move(failure.cause), failure.attempt});
  }
  for (const auto& [aggregator, missing] : walk.blocked) {
    failures.push_back(
        {"", "Unum.NeverStarted", aggregator + " never started; it waits for: " + missing});
  }
  co_return failures;
}

/// As `unum run` gives it.
Task<void> add_result(Store& store, const SessionContext& context, const SessionProgress& progress,
                      RunResult& result, Wait wait) {
  if (progress.ends.empty()) {
    result.status = RunResult::Status::failed;
    result.failures.push_back({"", "Unum.NoResult",
                               "no instance of session " + result.session +
                                   " is an end of the workflow: all values went into fan-ins"});
    co_return;
  }
  std::vector<Pointer> pointers;
  for (const std::string& name : progress.ends) pointers.push_back(pointer(context, name));
  const std::vector<std::string> values = co_await read_input(store, context, pointers, wait);
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const StoredOutcome outcome = StoredOutcome::read(values[i], progress.ends[i]);
    if (values.size() == 1) {
      text = outcome.value.text();
    } else {
      text += (i == 0 ? "{\"" : ",\"") + progress.ends[i] + "\":";
      text += outcome.value.text();
    }
  }
  if (values.size() > 1) text += '}';
  result.result = std::move(text);
}

}  // namespace

Task<SessionProgress> session_progress(Store& store, std::string_view session,
                                       const CheckedApplication& application, Wait wait) {
  const Application& details = details_of(application);
  refuse_unstored(details);
  const SessionContext context = session_context(session);
  const std::vector<ListedItem> listed = co_await store.list(context, wait);
  SessionItems items = items_by_kind(listed);
  co_await find_collected(store, context, listed, items, wait);
  SessionWalk walk = co_await walk_session(store, context, details, items, wait);
  SessionProgress progress;
  progress.to_come.assign(walk.to_come.begin(), walk.to_come.end());
  progress.ends.assign(walk.ends.begin(), walk.ends.end());
  if (!progress.to_come.empty()) co_return progress;
  progress.failures = co_await failures_of(store, context, items, walk, wait);
  progress.state =
      progress.failures.empty() ? SessionProgress::State::done : SessionProgress::State::failed;
  co_return progress;
}

Task<RunResult> await_session(Store& store, std::string_view session,
                              const CheckedApplication& application, Wait wait) {
  const std::string id(session);
  const SessionContext context = session_context(id);
  Reactor& reactor = store.reactor();
  RunResult result;
  result.session = id;
  Clock::duration pause = kFirstPause;
  while (true) {
    const Deadline begun = reactor.exact_now();
    SessionProgress progress;
    try {
      progress = co_await session_progress(store, id, application, wait);
    } catch (const Error& error) {
      const bool ended = reactor.now() >= wait.deadline || wait.stop.stop_requested();
      if (!ended || (error.kind() != ErrorKind::timeout && error.kind() != ErrorKind::cancelled)) {
        throw;
      }
      progress.state = SessionProgress::State::running;
    }
    if (progress.state != SessionProgress::State::running) {
      result.failures = std::move(progress.failures);
      if (progress.state == SessionProgress::State::failed) {
        result.status = RunResult::Status::failed;
      } else {
        co_await add_result(store, context, progress, result, wait);
      }
      co_return result;
    }
    pause = std::max(pause, (reactor.exact_now() - begun) * kPartOfLooking);
    const Deadline next = std::min(wait.deadline, reactor.now() + pause);
    co_await reactor.sleep_until(next, wait.stop);
    if (wait.stop.stop_requested() || reactor.now() >= wait.deadline) {
      result.status = wait.stop.stop_requested() ? RunResult::Status::interrupted
                                                 : RunResult::Status::timed_out;
      co_return result;
    }
    pause = std::min<Clock::duration>(pause * 3 / 2, kPauseMax);
  }
}

}  // namespace unum
