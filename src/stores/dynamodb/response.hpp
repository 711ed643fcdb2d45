// Responses of DynamoDB, read with simdjson's on-demand parser.
//
// A response is read where it lies: nothing is copied but values and what outlives the response.
// Whatever does not look as the service documents it is an `Error` of kind `corrupt`.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace unum::dynamodb {

/// An item of ours, as much of it as the response holds. The views live as long as the response's
/// body and until the parser reads again.
struct Item {
  std::string_view name;
  /// The value, with room for a parser behind its end (kValuePadding). An item without one is a
  /// node of a fan-in's tree only, or a head whose value stands in parts.
  std::optional<std::string> value;
  std::string_view full_name;
  std::string_view redelivery;             ///< See SessionContext.
  std::string_view writer;                 ///< Of a head.
  std::uint64_t parts = 0;                 ///< Of a head.
  std::uint64_t offset = 0;                ///< Of a part.
  std::optional<std::uint64_t> bytes;      ///< Of the value.
  std::optional<std::int64_t> written_ns;  ///< Unix time.
  // Of a node:
  std::uint64_t marks = 0;  ///< One bit a slot.
  std::optional<unsigned> first;
  std::string_view digest;
  std::string_view record;
  std::optional<std::int64_t> marked_ns;  ///< Unix time.
  std::uint64_t size = 0;

  bool has_value() const noexcept { return value.has_value() || parts > 0; }
};

struct TableDescription {
  std::string status;  ///< "ACTIVE", "CREATING", ...
  bool fits = false;   ///< The key is the string `Name`, and nothing else.
  std::string key;     ///< Readable: "Id (hash, N), At (range, S)".
  std::uint64_t bytes = 0;
};

/// Reads one response after the other; no two at once.
class ResponseParser {
 public:
  /// Whose responses it reads, for messages: "dynamodb in us-east-1 at https://...".
  void set_service(std::string service) { service_ = std::move(service); }
  /// What the next response answers: "GetItem orders, key".
  void set_call(std::string call) noexcept { call_ = std::move(call); }

  /// Called for each item; it may take the value.
  using OnItem = std::function<void(Item&)>;

  /// The item in a response of GetItem ("Item"), of a write ("Attributes") or in the error of a
  /// failed condition ("Item"); nothing if there is none.
  std::optional<Item> item(std::string& body);
  /// A response of BatchGetItem. The keys that were not looked up are appended to `unprocessed`.
  void batch_get(std::string& body, const OnItem& on_item, std::vector<std::string>& unprocessed);
  /// A response of BatchWriteItem: the keys of what was not written.
  void batch_write(std::string& body, std::vector<std::string>& unprocessed);
  /// A page of a Scan; returns the key to go on after, or an empty text at the end.
  std::string scan(std::string& body, const OnItem& on_item);
  /// A response of DescribeTable or CreateTable.
  TableDescription table(std::string& body);

  /// Capacity units that the responses said were consumed, so far.
  double capacity_units() const noexcept { return capacity_units_; }

 private:
  void read_capacity(simdjson::ondemand::value value);
  template <class Read>
  void read(std::string& body, const Read& on_field);

  [[noreturn]] void throw_bad_response(std::string_view why) const;

  std::string service_;
  std::string call_;
  simdjson::ondemand::parser parser_;
  double capacity_units_ = 0;
};

}  // namespace unum::dynamodb
