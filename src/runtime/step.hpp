// One step under way: what `Runtime::step` and `Runtime::give_up` are made of. Its functions stand
// in ingress.cpp (session, input), egress.cpp (checkpoint, edges), failure.cpp and garbage.cpp.
#pragma once

#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/activity.hpp"
#include "base/log.hpp"
#include "runtime/streamed_input.hpp"
#include "unum/runtime.hpp"
#include "workflow/collectable.hpp"
#include "workflow/ir.hpp"
#include "workflow/payload.hpp"
#include "workflow/plan.hpp"

namespace unum {

/// What user code is given: a text, or, where that would be too large to hold, a stream.
struct StepInput {
  json::Text text{};
  std::unique_ptr<StreamedInput> stream{};
};

/// The state of one step; lives in the frame of the call that runs it. Of a public class, and no
/// business of the shared library's users.
struct [[gnu::visibility("hidden")]] Runtime::Step {
  Runtime& runtime;
  const Function& function;
  const Payload& payload;
  SessionContext context;
  Wait wait;
  int delivery = 1;  ///< Of this attempt, from 1.
  StepReport report{};
  std::string_view stored_outcome{};  ///< The outcome as it is stored, once it is.
  Activity* activity = nullptr;       ///< Of the call that runs it.
  Collectable collectable{};          ///< What its payload says.
  Collectable for_children{};         ///< The same of its children's payloads,
  std::string gc_of_children{};       ///< and as text; empty: none.
  std::string beside{};               ///< Stands beside the outcome.
  bool left_to_aggregator = false;    ///< Whoever collects this instance collects its parent, too.

  log::About about() const { return {report.session, report.instance}; }
  void waits_for(std::string_view what, std::size_t number = 0) {
    activity->waits_for(what, number);
  }
  Store& store() const { return runtime.store_; }
  const FunctionIr& ir() const { return function.ir(); }
  ItemId own_item(ItemKind kind) const { return {report.instance, kind}; }

  Task<void> run(UserCode& code);
  Task<void> go_on(std::optional<std::string> outcome, UserCode& code);
  Task<void> or_report(Task<void> work);
  Task<void> begin_session();
  Task<void> keep_input();
  Task<std::optional<std::string>> input_or_own_outcome(StepInput& input, bool may_stream);
  Task<bool> read_element(json::Text& input);
  Task<std::string> outcome_in_place_of(std::string input);
  json::Text input_of(std::deque<std::string> values) const;
  Task<std::optional<std::string>> end_stream(StreamedInput& stream, std::exception_ptr error);
  Task<std::optional<std::string>> take_whole(StepInput& input);
  Task<void> run_and_commit(UserCode& code, json::View input, StreamedInput* stream);
  Task<std::optional<std::string>> call_streaming(UserCode& code, const UserCall& call,
                                                  StreamedInput& stream, UserResult& result);
  Task<bool> commit(const Plan& plan, std::string_view outcome);
  Task<void> adopt(std::string stored);
  Task<void> follow(const Plan& plan, std::vector<FanInState> states);
  Task<void> follow_fan_in(const PlannedFanIn& fan_in, FanInState state);
  Task<bool> is_confirmed(const std::string& aggregator);
  Task<void> invoke_children(const Plan& plan);
  std::string edge_origin(const Edge& edge) const;
  json::Text payload_of(const PlannedChild& child) const;
  bool is_too_large(const PlannedChild& child) const;
  Task<void> fail(std::string error, std::string cause, const json::View* input);
  Task<bool> try_again();
  Task<void> catch_failure(const json::Text& failure);
  Task<std::optional<std::string>> add_input(json::Text& failure, const json::View* input);
  Task<void> report_failure();
  bool is_session_entry() const { return ir().start && payload.frames.empty(); }
  bool may_collect() const { return payload.gc.has_value() || is_session_entry(); }
  Task<void> begin_collecting(std::optional<std::string>& outcome);
  const std::string& beside_outcome(const Plan& plan);
  void prepare_collecting(const Plan& plan);
  std::string gc_of_aggregator(const PlannedFanIn& fan_in, const NameList& list) const;
  Task<void> collect();
  Task<void> collect_what_it_may();
  Task<bool> all_have_outcomes(const NameList& readers);
  Task<std::vector<std::string>> collectable_inputs();
  void finish(json::Text result);
  void tell_end() const;
};

}  // namespace unum
