// Whole workflows in a few lines: IR by its parts, a reactor with a store, what must come out.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "catch.hpp"
#include "support/native_app.hpp"

namespace unum::test {

inline std::string scalar(const char* name, const char* next, const char* more = "") {
  return fmt::format(R"({{"Name": "{}", {}"Next": {{"Name": "{}", "InputType": "Scalar"}}}})", name,
                     more, next);
}

inline std::string map_to(const char* name, const char* next, const char* more = "") {
  return fmt::format(R"({{"Name": "{}", {}"Next": {{"Name": "{}", "InputType": "Map"}}}})", name,
                     more, next);
}

inline std::string fan_in(const char* name, const char* next, const char* values,
                          const char* more = "") {
  return fmt::format(
      R"({{"Name": "{}", 
          "Next": {{"Name": "{}", "InputType": {{"Fan-in": {{"Values": [{}]}}}}{}}}}})",
      name, next, values, more);
}

inline std::string terminal(const char* name) { return fmt::format(R"({{"Name": "{}"}})", name); }

inline constexpr const char* kPop = R"(, "Payload Modifiers": ["Pop"])";

inline std::string one_of(const char* name, const char* edges, bool start = false) {
  return fmt::format(R"({{"Name": "{}", "Start": {}, "Next": [{}]}})", name, start, edges);
}

struct World {
  explicit World(std::string_view type) : store(reactor, type) {}
  RunResult run(NativeApp& app, const std::string& input, const std::string& session = "s") {
    return reactor.run(app.run(reactor, *store, session, input));
  }
  Reactor reactor;
  FreshStore store;
};

inline void require_result(const RunResult& result, const std::string& expected) {
  for (const RunFailure& failure : result.failures)
    UNSCOPED_INFO(failure.instance << ": " << failure.cause);
  REQUIRE(result.status == RunResult::Status::succeeded);
  REQUIRE(result.result == expected);
}

inline std::string numbers(std::size_t count) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) text += (i > 0 ? "," : "") + std::to_string(i);
  return text + "]";
}

inline NativeApp map_and_fan_in(const char* values = R"("F-unumIndex-*")") {
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(fan_in("F", "A", values, kPop));
  app.add(terminal("A"));
  return app;
}

/// A second fan-in behind the first.
inline NativeApp two_fan_ins() {
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", kPop));
  app.add(map_to("A", "G"));
  app.add(fan_in("G", "B", R"("G-unumIndex-*")", kPop));
  app.add(terminal("B"));
  return app;
}

}  // namespace unum::test
