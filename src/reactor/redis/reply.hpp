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

/// What one reply may hold at most: all its strings together, all its arrays together.
struct ReplyBounds {
  std::size_t bytes;
  std::size_t elements;
};
/// The reply is an answer to a greeting; about the server; values. Limits: base/limits.hpp.
extern const ReplyBounds kGreetingReply;
extern const ReplyBounds kAboutReply;
extern const ReplyBounds kValueReply;

/// What the reply that a reader is at has and announces so far. It hangs on the reader's
/// `privdata`, where the reader's object functions find it.
class ReplyBudget {
 public:
  /// A reply begins.
  void begin(const ReplyBounds& bounds) noexcept;
  bool spend_bytes(std::size_t count) noexcept;
  bool spend_elements(std::size_t count) noexcept;
  /// Refuses the reply; false, for callers to return.
  bool refuse(std::string_view why) noexcept;
  /// Looks at what the reader holds and cannot complete yet: a string's announced length, a line
  /// without an end. Call it whenever the reader wants more bytes, before it gets them.
  bool allows_pending(const redisReader& reader) noexcept;

  /// Why the reply was refused; empty if it was not.
  std::string_view refused() const noexcept { return refused_; }

 private:
  const ReplyBounds* bounds_ = &kValueReply;
  std::size_t bytes_ = 0;
  std::size_t elements_ = 0;
  std::string_view refused_;  ///< A literal.
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
  /// The next complete reply, or nothing. `bounds` are those of the reply that comes next; they
  /// count from its first byte on. Throws `corrupt` for what is no reply (nothing can be parsed
  /// after that), with code "Unum.RedisReplyTooLarge" for one beyond its bounds, as soon as it
  /// announces so; `exhausted` without memory.
  std::optional<Reply> next(const ReplyBounds& bounds = kValueReply);

 private:
  struct Free {
    void operator()(redisReader* reader) const noexcept;
  };
  ReplyBudget budget_;
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace unum::redis
