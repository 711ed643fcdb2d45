// The input payload of one invocation: reading it, and writing those of children.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "unum/json.hpp"
#include "workflow/frames.hpp"
#include "workflow/retry.hpp"
#include "workflow/values.hpp"

namespace unum {

/// `Data` of a payload. `value` is a view into the payload's text.
struct PayloadData {
  enum class Shape : std::uint8_t {
    value,    ///< By value.
    list,     ///< By reference: an array of the values that `names` point to, in order.
    single,   ///< By reference: the value of the one name.
    element,  ///< By reference: element `element` of the array that the one name's value is.
  };
  Shape shape = Shape::value;
  /// "http", or a type of store by its own word, whatever alias stood there.
  std::string_view source;
  json::View value;  ///< For Shape::value.
  NameList names;
  std::size_t element = 0;
  /// Where the element stands in the stored text, if the payload says it: so much need be read.
  struct Place {
    std::uint64_t offset = 0;
    std::size_t bytes = 0;
  };
  std::optional<Place> place{};
};

struct Payload {
  PayloadData data;
  std::string session;  ///< Empty: the payload brings none.
  Frames frames;
  /// `GC`, see workflow/collectable.hpp: an object in the payload's text. Nothing: its session is
  /// not collected.
  std::optional<json::View> gc;
  std::string traceparent;
  RetryState retry{};
  json::View text{};  ///< What it was read from; `null` for a function's bare input.
};

/// Levels of JSON that a payload has around the value that it holds.
inline constexpr std::size_t kPayloadLevels = 2;

/// The payload that came to an entry function. Nothing if it is none, but the function's input by
/// value: a payload is an object whose `Data` is an object with a known `Source`, and no key stands
/// twice in either. Otherwise as parse_payload.
std::optional<Payload> parse_if_payload(json::View text);

/// Reads a payload; the text must outlive the result. Throws `invalid` (origin "payload") naming
/// the field. The value is walked over once.
Payload parse_payload(json::View text);

/// Writes `{"Data":{"Source":"http","Value":<value>},"Session":...,"Fan-out":...,"GC":...}`; empty
/// parts are left out. `gc` is JSON text.
json::Text payload_by_value(json::View value, std::string_view session,
                            std::span<const Frame> frames, std::string_view traceparent,
                            std::string_view gc = {});

/// The payload of another attempt: the same with `retry`, and with the session if it had none. What
/// else stands in it stays as it is.
json::Text payload_of_attempt(const Payload& payload, std::string_view session,
                              const RetryState& retry);

/// The same as payload_by_value with `Data` the result of one instance in the data store of type
/// `source`.
json::Text payload_by_pointer(std::string_view source, std::string_view instance,
                              std::string_view session, std::span<const Frame> frames,
                              std::string_view traceparent, std::string_view gc = {});

/// The same with an element of the array that the result is, which stands at `place` of its text.
json::Text payload_by_element(std::string_view source, std::string_view instance,
                              std::size_t element, PayloadData::Place place,
                              std::string_view session, std::span<const Frame> frames,
                              std::string_view traceparent, std::string_view gc = {});

/// The same with `Data` a list of names in the data store of type `source`.
json::Text payload_by_reference(std::string_view source, const NameList& names,
                                std::string_view session, std::span<const Frame> frames,
                                std::string_view traceparent, std::string_view gc = {});

}  // namespace unum
