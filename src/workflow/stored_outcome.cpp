// See stored_outcome.hpp.
#include "workflow/stored_outcome.hpp"

#include <charconv>
#include <utility>

#include "base/json.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

constexpr char kCaught = '!';
constexpr std::string_view kCollected = "~";
constexpr std::string_view kNotJson = "what is stored is not JSON";

[[noreturn]] void fail(std::string message) {
  throw Error(ErrorKind::corrupt, "runtime", "Unum.NoValue", std::move(message));
}

std::optional<json::View> object_in(std::string_view text) {
  try {
    const json::View value = json::validate(text, "a failure");
    if (json::type_of(value) == json::Type::object) return value;
  } catch (const Error&) {
    // Damaged, or written by somebody else.
  }
  return std::nullopt;
}

}  // namespace

StoredOutcome StoredOutcome::read(std::string_view stored, std::string_view what) {
  if (stored == kCollected) return {Kind::collected};
  if (stored.starts_with(kCaught)) {
    const std::optional<json::View> failure = object_in(stored.substr(1));
    if (!failure) {
      fail(std::string(what) + " is a caught failure, but not {\"Error\": ..., \"Cause\": ...}");
    }
    return {Kind::caught_failure, *failure};
  }
  return {Kind::result, stored_json(stored, what)};
}

json::View stored_json(std::string_view stored, std::string_view what) {
  try {
    return json::validate(stored, what);
  } catch (const Error& error) {
    fail(error.message());
  }
}

std::string stored_failure(json::View failure) {
  std::string out;
  out.reserve(failure.size() + 1);
  return out.append(1, kCaught).append(failure.text());
}

json::Text failure_json(std::string_view error, std::string_view cause) {
  std::string out = R"({"Error":)";
  json::append_string(out, error);
  out += R"(,"Cause":)";
  json::append_string(out, cause);
  out += '}';
  return json::Text::trusted(std::move(out));
}

json::Text failure_with_input(json::View failure, json::View input) {
  std::string out;
  out.reserve(failure.size() + input.size() + 12);
  out += failure.text().substr(0, failure.size() - 1);
  out += ",\"Input\":";
  out += input.text();
  out += '}';
  return json::Text::trusted(std::move(out));
}

json::Text failure_alone(json::View failure) {
  std::string out;
  json::MemberReader members(failure);
  json::View key;
  for (json::View value; members.next(key, value);) {
    if (json::string_equals(key, kFailureInput)) continue;
    out += out.empty() ? '{' : ',';
    out.append(key.text()).append(1, ':').append(value.text());
  }
  if (out.empty()) out = "{";
  out += '}';
  return json::Text::trusted(std::move(out));
}

StoredFailure read_failure(json::View object) {
  const auto text_of = [&](std::string_view key) {
    const auto value = json::member(object, key);
    const bool is_text = value && json::type_of(*value) == json::Type::string;
    return is_text ? json::readable_value(*value) : std::string();
  };
  StoredFailure failure{text_of("Error"), text_of("Cause")};
  if (failure.error.empty()) failure.error = kUnnamedFailure;
  if (failure.cause.empty()) failure.cause = "what is stored of this failure does not say why";
  return failure;
}

StoredFailure read_report(std::string_view stored) {
  const std::optional<json::View> object = object_in(stored);
  if (!object) return {std::string(kUnnamedFailure), std::string(kNotJson)};
  StoredFailure failure = read_failure(*object);
  const std::string_view text = json::member(*object, "Attempt").value_or(json::View()).text();
  std::from_chars(text.data(), text.data() + text.size(), failure.attempt);
  return failure;
}

std::optional<StoredFailure> caught_failure(std::string_view stored) {
  if (!stored.starts_with(kCaught)) return std::nullopt;
  return read_report(stored.substr(1));
}

}  // namespace unum
