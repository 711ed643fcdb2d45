// The input payload of one invocation: reading it, and writing those of children.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "workflow/frames.hpp"

namespace unum {

/// `Data` of a payload. Views point into the payload's text.
struct PayloadData {
  enum class Shape : std::uint8_t {
    value,    ///< By value.
    list,     ///< By reference: an array of the values of `pointers`, in order.
    single,   ///< By reference: the value of the one pointer.
    element,  ///< By reference: element `element` of the array that the one pointer's value is.
  };
  Shape shape = Shape::value;
  /// "http", or a type of store by its own word, whatever alias stood there.
  std::string_view source;
  std::string_view value;  ///< Raw JSON text, for Shape::value.
  std::vector<std::string> pointers;
  std::size_t element = 0;
};

struct Payload {
  PayloadData data;
  std::string session;  ///< Empty: the payload brings none.
  Frames frames;
  std::string traceparent;
};

/// Levels of JSON that a payload has around the value that it holds.
inline constexpr std::size_t kPayloadLevels = 2;

/// Whether `json_text` (valid JSON) is a payload: an object whose `Data` is an object with a known
/// `Source`. Anything else that comes to an entry function is its input by value.
bool is_payload(std::string_view json_text);

/// Reads a payload of valid JSON; the text must outlive the result. Throws `invalid` (origin
/// "payload") naming the field.
Payload parse_payload(std::string_view json_text);

/// Writes `{"Data":{"Source":"http","Value":<value>},"Session":...,"Fan-out":...}`; empty parts are
/// left out.
std::string payload_by_value(std::string_view value, std::string_view session,
                             std::span<const Frame> frames, std::string_view traceparent);

/// The same with `Data` a list of pointers into the data store of type `source`.
std::string payload_by_reference(std::string_view source, std::span<const std::string> pointers,
                                 std::string_view session, std::span<const Frame> frames,
                                 std::string_view traceparent);

}  // namespace unum
