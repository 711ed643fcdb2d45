// Parsing of `Retry` and `Catch` by the rules of the States Language.
#include "workflow/ir_errors.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include "base/limits.hpp"
#include "base/suggest.hpp"

namespace unum {
namespace {

constexpr std::array<std::string_view, 6> kRetrierFields{"ErrorEquals",     "IntervalSeconds",
                                                         "BackoffRate",     "MaxAttempts",
                                                         "MaxDelaySeconds", "JitterStrategy"};
constexpr std::array<std::string_view, 4> kCatcherFields{"ErrorEquals", "Next", "ResultPath",
                                                         "Payload Modifiers"};
constexpr std::array<std::string_view, 3> kStatesErrors{kAllErrors, kTaskFailed, kTimeoutError};
constexpr std::array<std::string_view, 1> kIgnored{"Comment"};

constexpr std::string_view kRetryForms =
    "a number of attempts, or a list of retriers such as "
    R"([{"ErrorEquals": ["ValueError"], "MaxAttempts": 2}])";
constexpr std::string_view kCatchForms =
    R"(a list of catchers such as [{"ErrorEquals": ["States.ALL"], "Next": "G"}])";
constexpr std::string_view kErrorForms =
    R"(a list of names of errors, one or more, such as ["ValueError"] or ["States.ALL"])";
constexpr std::string_view kPathForms =
    R"(a reference path such as "$.error", or null for the input as it was)";

bool is_for_all(const std::vector<std::string>& error_equals) {
  return error_equals.size() == 1 && error_equals.front() == kAllErrors;
}

/// A name that no failure of a step has says nothing, and is probably mistyped.
void warn_of_unknown(const IrField& field, const std::string& name) {
  if (name.starts_with("States.") &&
      std::find(kStatesErrors.begin(), kStatesErrors.end(), name) == kStatesErrors.end()) {
    field.warn("is \"" + name + "\", which no step ends in" + did_you_mean(name, kStatesErrors));
  } else if (name.starts_with("Unum.") && name != "Unum.WorkerCrashed" &&
             name != "Unum.ResultTooLarge") {
    field.warn("is \"" + name +
               "\": errors of the runtime's own are neither tried again nor caught");
  }
}

std::vector<std::string> parse_error_equals(IrObject& object) {
  const auto field = object.take("ErrorEquals");
  if (!field) object.missing("ErrorEquals", kErrorForms);
  std::vector<std::string> names;
  for (const IrField& entry : field->list(kErrorForms)) {
    std::string name = entry.string(kErrorForms);
    if (name.empty()) entry.fail("is empty; it must be the name of an error");
    warn_of_unknown(entry, name);
    names.push_back(std::move(name));
  }
  if (names.empty()) field->fail("is empty; it must be " + std::string(kErrorForms));
  if (names.size() > 1 && std::find(names.begin(), names.end(), kAllErrors) != names.end()) {
    field->fail("names States.ALL beside others; it must stand alone, since it names every error");
  }
  return names;
}

/// Those behind one for all errors would never be asked.
void refuse_behind_all(const IrField& entry, bool all_before) {
  if (!all_before) return;
  entry.fail(
      "stands behind an entry for States.ALL, which takes every error; that one must be the "
      "last");
}

double parse_rate(const IrField& field) {
  constexpr std::string_view kForms = "a number, at least 1, such as 2.0";
  double rate = 0;
  const std::string_view text = field.raw.text();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate);
  const bool number = field.type() == json::Type::number && error == std::errc() &&
                      end == text.data() + text.size();
  if (!number || !std::isfinite(rate) || rate < 1) field.wrong(kForms);
  return rate;
}

Retrier parse_retrier(const IrField& field) {
  IrObject object(field, R"(an object such as {"ErrorEquals": ["ValueError"], "MaxAttempts": 2})");
  Retrier retrier;
  retrier.error_equals = parse_error_equals(object);
  if (const auto interval = object.take("IntervalSeconds")) {
    retrier.interval_seconds = interval->integer(1, kRetryIntervalSecondsMax, "seconds");
  }
  if (const auto rate = object.take("BackoffRate")) retrier.backoff_rate = parse_rate(*rate);
  if (const auto attempts = object.take("MaxAttempts")) {
    retrier.attempts_max = attempts->integer(0, kRetryAttemptsMax, "attempts");
  }
  if (const auto delay = object.take("MaxDelaySeconds")) {
    retrier.delay_seconds_max = delay->integer(1, kRetryDelaySecondsMax, "seconds");
  }
  if (const auto jitter = object.take("JitterStrategy")) {
    const std::string strategy = jitter->string(R"("FULL" or "NONE")");
    if (strategy != "FULL" && strategy != "NONE") jitter->wrong(R"("FULL" or "NONE")");
    retrier.jitter = strategy == "FULL" ? Jitter::full : Jitter::none;
  }
  object.finish(kRetrierFields, kIgnored);
  return retrier;
}

}  // namespace

std::vector<Retrier> parse_retry(const IrField& field) {
  std::vector<Retrier> retriers;
  if (field.type() == json::Type::number) {
    Retrier& all = retriers.emplace_back();
    all.error_equals = {std::string(kAllErrors)};
    all.attempts_max = field.integer(0, kRetryAttemptsMax, "attempts");
    return retriers;
  }
  bool all_before = false;
  for (const IrField& entry : field.list(kRetryForms)) {
    refuse_behind_all(entry, all_before);
    retriers.push_back(parse_retrier(entry));
    all_before = is_for_all(retriers.back().error_equals);
  }
  return retriers;
}

void parse_catch(const IrField& field, FunctionIr& function) {
  const bool has_error_edge = function.catches();
  bool all_before = false;
  for (const IrField& entry : field.list(kCatchForms)) {
    refuse_behind_all(entry, all_before);
    IrObject object(entry, R"(an object such as {"ErrorEquals": ["States.ALL"], "Next": "G"})");
    Edge edge;
    edge.input_type = InputType::error;
    edge.line = entry.line();
    edge.error_equals = parse_error_equals(object);
    all_before = is_for_all(edge.error_equals);
    const auto next = object.take("Next");
    if (!next) object.missing("Next", "the name of the function to invoke");
    edge.target = next->function_name("the name of the function to invoke");
    if (const auto path = object.take("ResultPath")) parse_result_path(*path, edge);
    if (const auto modifiers = object.take("Payload Modifiers")) {
      edge.modifiers = modifiers->modifiers();
      edge.own_modifiers = true;
    }
    object.finish(kCatcherFields, kIgnored);
    function.edges.push_back(std::move(edge));
  }
  if (all_before && has_error_edge) {
    field.fail(
        "takes every error (States.ALL), so that an edge of Next with InputType \"Error\" is "
        "never taken; keep one of the two");
  }
}

void parse_result_path(const IrField& field, Edge& edge) {
  edge.input_alone = field.type() == json::Type::null;
  if (edge.input_alone) return;
  edge.result_path = ReferencePath::parse(field.string(kPathForms), field.where());
}

}  // namespace unum
