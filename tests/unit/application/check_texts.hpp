// Edges as texts, and `unum check` over the application that they make.
#pragma once

#include <string>
#include <vector>

#include "application/application.hpp"
#include "application/check.hpp"
#include "application_dir.hpp"
#include "catch.hpp"

inline std::string g_lines;  // Of the last check, for the tests of messages.

/// The rules of errors, then of warnings: `errors | warnings`.
inline std::string check(const ApplicationDir& dir) {
  const std::vector<unum::Finding> findings =
      unum::check_application(unum::load_application(dir.path()));
  g_lines = lines_of(findings);
  const std::string errors = rules_of(findings, unum::Severity::error);
  const std::string warnings = rules_of(findings, unum::Severity::warning);
  return errors + (warnings.empty() ? "" : " | " + warnings);
}

inline bool says(const std::string& part) {
  INFO(g_lines);
  return g_lines.find(part) != std::string::npos;
}

inline std::string scalar(const std::string& target, const std::string& more = "") {
  return R"({"Name": ")" + target + R"(", "InputType": "Scalar")" + more + "}";
}
inline std::string map(const std::string& target, const std::string& more = "") {
  return R"({"Name": ")" + target + R"(", "InputType": "Map")" + more + "}";
}
inline std::string fan_in(const std::string& target, const std::string& values,
                          const std::string& more = R"(, "Payload Modifiers": ["Pop"])") {
  return R"({"Name": ")" + target + R"(", "InputType": {"Fan-in": {"Values": [)" + values + "]}}" +
         more + "}";
}
inline std::string next(const std::string& edge) { return ", \"Next\": " + edge; }
inline std::string next(const std::string& a, const std::string& b, const std::string& c = "") {
  return ", \"Next\": [" + a + ", " + b + (c.empty() ? "" : ", " + c) + "]";
}

inline const char* const kAll = R"("G-unumIndex-*")";
inline const char* const kNoList = "";
