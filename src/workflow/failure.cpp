// See failure.hpp.
#include "workflow/failure.hpp"

#include "base/json.hpp"
#include "unum/error.hpp"

namespace unum {

std::string failure_text(std::string_view error, std::string_view cause) {
  std::string out = R"({"Error":)";
  json::append_string(out, error);
  out += R"(,"Cause":)";
  json::append_string(out, cause);
  out += '}';
  return out;
}

std::optional<StoredFailure> parse_failure(std::string_view text) {
  try {
    json::validate(text, "a failure");
  } catch (const Error&) {
    return std::nullopt;
  }
  if (json::type_of(text) != json::Type::object) return std::nullopt;
  const auto text_of = [&](std::string_view key) {
    const auto value = json::member(text, key);
    const bool is_text = value && json::type_of(*value) == json::Type::string;
    return is_text ? json::readable_value(*value) : std::string();
  };
  StoredFailure failure{text_of("Error"), text_of("Cause")};
  if (failure.error.empty()) failure.error = kUnnamedFailure;
  if (failure.cause.empty()) failure.cause = "what is stored of this failure does not say why";
  return failure;
}

}  // namespace unum
