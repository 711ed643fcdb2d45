// A small application of text with code in this process, whose results tell which version of the
// code made them.
#pragma once

#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "unum/application.hpp"
#include "unum/run.hpp"
#include "unum/sessions.hpp"

namespace unum::test {

/// Name and what its configuration has besides; the first one is the entry.
using SessionFunctions = std::vector<std::pair<std::string, std::string>>;

class SessionApp final : public UserCode {
 public:
  explicit SessionApp(const SessionFunctions& functions, const std::string& globals = "")
      : application(CheckedApplication::from_text(text_of(functions, globals))) {
    for (const auto& [name, fields] : functions) options_.code.emplace(name, this);
  }

  /// F adds ten for each version to its input; all others give theirs back.
  Task<UserResult> call(const UserCall& call, Wait) override {
    ++runs[std::string(call.instance)];
    if (fails.contains(std::string(call.instance))) {
      co_return UserResult::failure("Refused", "not today\nnor tomorrow");
    }
    std::string value(call.input);
    if (call.function == "F") value = std::to_string(std::atoi(value.c_str()) + 10 * version);
    co_return UserResult::success(std::move(value));
  }

  /// Runs the session, or resumes it if `input` is empty.
  RunResult run(Reactor& reactor, Store& store, const std::string& session,
                const std::string& input = "") {
    options_.session = session;
    options_.open_store = &store;
    options_.resume = input.empty();
    options_.input = input.empty() ? "{}" : input;
    runs.clear();
    return reactor.run(run_application(reactor, application, options_));
  }

  std::vector<std::string> forget(Reactor& reactor, Store& store, const std::string& session,
                                  const std::string& instance, ForgetOptions options = {}) {
    return reactor.run(forget_instance(store, session, instance, application, options));
  }

  const CheckedApplication application;
  int version = 1;
  std::set<std::string> fails;
  std::map<std::string, int> runs;  ///< Of the last run, by instance.

 private:
  static ApplicationText text_of(const SessionFunctions& functions, const std::string& globals) {
    ApplicationText text;
    text.template_yaml = "Globals:\n  ApplicationName: small\n" + globals + "Functions:\n";
    for (const auto& [name, fields] : functions) {
      text.template_yaml += "  " + name + ": {Properties: {CodeUri: " + name + ", Runtime: native" +
                            (name == functions.front().first ? ", Start: true" : "") + "}}\n";
      text.configurations[name] = "{\"Name\": \"" + name + "\"" + fields + "}";
    }
    return text;
  }

  RunOptions options_;
};

/// M maps to F, whose fan-in A goes on to Z.
inline SessionFunctions map_and_end(const std::string& of_edge = "") {
  return {{"M", R"(, "Next": {"Name": "F", "InputType": "Map"})"},
          {"F", R"(, "Next": {"Name": "A", "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}},
                    "Payload Modifiers": ["Pop"])" +
                    of_edge + "}"},
          {"A", R"(, "Next": {"Name": "Z", "InputType": "Scalar"})"},
          {"Z", ""}};
}

/// The same where only one branch knows, from its result, that the fan-in is to happen.
inline SessionFunctions requested_by_one() {
  return map_and_end(R"(, "Conditional": "$ret % 10 == 2")");
}

}  // namespace unum::test
