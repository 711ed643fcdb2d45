// Replies of a Redis server, and the parser that makes them of bytes: hiredis' reader, building
// values in place with the room behind them that a JSON parser wants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace unum::redis {

/// One reply of protocol version 2.
struct Reply {
  enum class Type : std::uint8_t { nil, integer, status, error, string, array };

  Type type = Type::nil;
  std::int64_t integer = 0;
  /// Of a status, an error or a string; a string has kValuePadding bytes of capacity behind its
  /// end.
  std::string text;
  std::vector<Reply> elements;

  bool is_nil() const noexcept { return type == Type::nil; }
  bool is_error() const noexcept { return type == Type::error; }
  /// The first word of an error, "READONLY"; empty for other replies.
  std::string_view error_code() const noexcept;
};

/// Makes replies of the bytes that came, in whatever pieces they came.
class ReplyParser {
 public:
  /// Throws `exhausted` when there is no memory for it.
  ReplyParser();
  ~ReplyParser();
  ReplyParser(const ReplyParser&) = delete;
  ReplyParser& operator=(const ReplyParser&) = delete;

  /// Bytes to hand over at once: after each reply the reader moves what is behind it to the front,
  /// which larger pieces of many small replies would make slow.
  static constexpr std::size_t kPieceBytes = 16u * 1024;

  /// Takes the next bytes, at most kPieceBytes; all complete replies are to be taken before the
  /// next piece. Throws `exhausted` without memory.
  void feed(std::span<const char> bytes);
  /// The next complete reply, or nothing. Throws `corrupt` for what is no reply (nothing can be
  /// parsed after that), `exhausted` without memory.
  std::optional<Reply> next();

 private:
  struct Free {
    void operator()(redisReader* reader) const noexcept;
  };
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace unum::redis
