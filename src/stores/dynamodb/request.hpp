// Bodies of requests to DynamoDB, written as JSON text.
//
// Names of attributes always go through `ExpressionAttributeNames`: "Name", "User", "Value" and
// "Size" are reserved words there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unum::dynamodb {

/// Names of the attributes of our items.
namespace attribute {
inline constexpr std::string_view kName = "Name";    ///< The key.
inline constexpr std::string_view kUser = "User";    ///< The value: S if it is readable, else B.
inline constexpr std::string_view kValue = "Value";  ///< Read where `User` is not there.
inline constexpr std::string_view kBytes =
    "Bytes";  ///< Of the value, so that a listing reads none.
inline constexpr std::string_view kWritten =
    "Written";  ///< Unix nanoseconds, by the writer's clock.
inline constexpr std::string_view kFullName = "FullName";    ///< See key.hpp.
inline constexpr std::string_view kRedelivery = "GC";        ///< SessionContext::redelivery.
inline constexpr std::string_view kParts = "Parts";          ///< Of a head: how many.
inline constexpr std::string_view kWriter = "Writer";        ///< Of a head: whose parts they are.
inline constexpr std::string_view kOffset = "Offset";        ///< Of a part: where it begins.
inline constexpr std::string_view kExpiresAt = "ExpiresAt";  ///< Unix seconds, if items expire.
inline constexpr std::string_view kMarks = "Marks";          ///< Of a node: slots that are there.
inline constexpr std::string_view kFirst = "First";    ///< Of a node: the slot that came first.
inline constexpr std::string_view kDigest = "Digest";  ///< Of a node: of the list.
inline constexpr std::string_view kRecord = "Record";  ///< Of a node: its first marker's list.
inline constexpr std::string_view kMarked = "Marked";  ///< Of a node: like `Written`.
inline constexpr std::string_view kSize = "Size";      ///< Of a root: names in the list.
}  // namespace attribute

/// Whether a value is kept as a string: well-formed UTF-8 without control characters other than
/// tab and line ends. Anything else is kept as bytes.
bool is_text(std::string_view value);

/// Attributes with their values, as JSON members: "User":{"S":"..."},"Bytes":{"N":"3"}.
class Attributes {
 public:
  /// As they stand in an item, or as the values of an expression's placeholders (":User").
  enum class Form : std::uint8_t { item, placeholders };
  explicit Attributes(Form form, std::size_t reserve = 256) : form_(form) {
    text_.reserve(reserve);
  }
  void add_string(std::string_view name, std::string_view value);
  void add_number(std::string_view name, std::int64_t value);
  /// S or B as `is_text` says.
  void add_value(std::string_view name, std::string_view value);

  Form form() const noexcept { return form_; }
  const std::string& text() const noexcept { return text_; }
  std::span<const std::string_view> names() const noexcept { return {names_.data(), count_}; }

 private:
  void begin(std::string_view name);
  Form form_;
  std::string text_;
  std::array<std::string_view, 10> names_;  ///< Constants of the namespace `attribute`.
  std::size_t count_ = 0;
};

/// What a condition of a write is about.
enum class Condition : std::uint8_t {
  none,
  absent,      ///< The item does not exist.
  impossible,  ///< Never true: finds out whether writing is permitted.
};

/// `answer_old`: the item that stood there comes with the answer.
std::string put_item_body(std::string_view table, const Attributes& item, Condition condition,
                          bool answer_old);
std::string get_item_body(std::string_view table, std::string_view key, bool consistent);

/// What BatchGetItem and Scan are to return of each item.
enum class Projection : std::uint8_t {
  values,   ///< The values, and of those in parts where they are.
  key,      ///< Whether it exists.
  listing,  ///< All but the values.
  beside,   ///< What stands beside an outcome.
};
std::string batch_get_body(std::string_view table, std::span<const std::string_view> keys,
                           Projection projection, bool consistent);
/// One write of a batch: puts the item, its attributes as JSON members; deletes if there are none.
struct BatchWrite {
  std::string_view key;
  std::string_view item{};
};
std::string batch_write_body(std::string_view table, std::span<const BatchWrite> writes);
/// Deletes a node unless it was marked since: its `Marked` must still be that.
std::string delete_node_body(std::string_view table, std::string_view key, std::int64_t marked);

struct Segment {
  std::size_t index = 0;
  std::size_t of = 1;
};
/// `prefix`: of the keys wanted; `after`: the key where the last page ended, or empty.
std::string scan_body(std::string_view table, std::string_view prefix, Segment segment,
                      std::string_view after);

/// A mark in a node of a fan-in's tree.
struct Mark {
  std::string_view key;
  std::span<const unsigned> slots;
  unsigned first = 0;  ///< Becomes `First` if nobody was there.
  std::string_view digest;
  std::string_view record;
  std::int64_t now_unix_ns = 0;
  std::optional<std::size_t> size;  ///< Of the list; for the root.
  std::string_view full_name;       ///< Of the root, if its key needs it.
  std::optional<std::int64_t> expires_at;
};
/// Adds the slots and answers with the whole node; fails if another digest stands there.
std::string mark_body(std::string_view table, const Mark& mark);

/// Sets the value of an item that may be a node at the same time, and leaves its marks.
/// `attributes` are placeholders. `only_if_none`: fails if it has a value, and answers with it.
std::string set_value_body(std::string_view table, std::string_view key,
                           const Attributes& attributes, bool only_if_none);

std::string describe_table_body(std::string_view table);
std::string create_table_body(std::string_view table);
std::string time_to_live_body(std::string_view table);

}  // namespace unum::dynamodb
