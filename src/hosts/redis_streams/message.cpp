// See message.hpp.
#include "hosts/redis_streams/message.hpp"

#include <charconv>

namespace unum::streams {
namespace {

/// 0 for what is no number: the message then begins to be counted anew.
unsigned number_of(std::string_view text) noexcept {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

}  // namespace

Fields fields_of(const Message& message) {
  Fields fields;
  fields.emplace_back("function", message.function);
  fields.emplace_back("payload", message.payload);
  if (message.crashes > 0) fields.emplace_back("crashes", std::to_string(message.crashes));
  if (message.tries > 0) fields.emplace_back("tries", std::to_string(message.tries));
  if (!message.error.empty()) fields.emplace_back("error", message.error);
  if (!message.cause.empty()) fields.emplace_back("cause", message.cause);
  return fields;
}

void take_field(Message& message, std::string_view name, std::string&& value) {
  if (name == "function") {
    message.function = std::move(value);
  } else if (name == "payload") {
    message.payload = std::move(value);
  } else if (name == "crashes") {
    message.crashes = number_of(value);
  } else if (name == "tries") {
    message.tries = number_of(value);
  } else if (name == "error") {
    message.error = std::move(value);
  } else if (name == "cause") {
    message.cause = std::move(value);
  }
}

std::string packed(const Message& message) {
  std::string text;
  const auto append = [&text](std::string_view part) {
    text += std::to_string(part.size());
    text += ':';
    text += part;
  };
  for (const auto& [name, value] : fields_of(message)) {
    append(name);
    append(value);
  }
  return text;
}

}  // namespace unum::streams
