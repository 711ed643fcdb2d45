// A message of a queue: one invocation on its way, as the fields of a stream's entry and as the
// text that a delayed one is kept as.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unum::streams {

struct Message {
  std::string function;
  std::string payload;
  /// Deliveries in which the function's own process crashed or exceeded its time. That a machine
  /// was killed meanwhile counts for nothing.
  unsigned crashes = 0;
  /// Deliveries that ended in an error that passes.
  unsigned tries = 0;
  std::string error{};  ///< Of the last crash: the name,
  std::string cause{};  ///< and a text for people.
};

/// An entry of the stream that was delivered to this process.
struct Entry {
  std::string id;
  Message message;
  unsigned deliveries = 1;  ///< Of this entry, those to processes that are gone included.
};

/// Names and values in turn, as XADD takes them.
using Fields = std::vector<std::pair<std::string_view, std::string>>;
/// Members of `message` are viewed by nothing in the result.
Fields fields_of(const Message& message);
/// Fields that are not known are ignored. Without "function" or "payload" that member is empty.
void take_field(Message& message, std::string_view name, std::string&& value);

/// The fields as one text, "<bytes>:<name><bytes>:<value>..."; the script "due" reads it.
std::string packed(const Message& message);

}  // namespace unum::streams
