// Replies of a Redis server, and the object functions by which hiredis' reader makes them: values
// are built in place, with the room behind them that a JSON parser wants, and within bounds.
#pragma once

#include <cstddef>
#include <cstdint>
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

/// Bounds of what a reader reads: what the reply that it is at has and announces so far. It hangs
/// on the reader's `privdata`, where the object functions find it.
class ReplyBudget {
 public:
  /// The bounds of the reply that is due next; null when none is.
  using Due = const ReplyBounds* (*)(void* context) noexcept;

  ReplyBudget(Due due, void* context) noexcept : due_(due), context_(context) {}
  ReplyBudget(const ReplyBudget&) = delete;
  ReplyBudget& operator=(const ReplyBudget&) = delete;

  /// Makes the reader build replies by our object functions, within this budget, which must live as
  /// long as the reader.
  void attach_to(redisReader& reader) noexcept;

  /// A reply begins.
  void begin() noexcept;
  /// Whether the reply that began last was due.
  bool is_due() const noexcept { return is_due_; }
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
  const Due due_;
  void* const context_;
  const ReplyBounds* bounds_ = &kGreetingReply;
  bool is_due_ = false;
  std::size_t bytes_ = 0;
  std::size_t elements_ = 0;
  std::string_view refused_;  ///< A literal.
};

/// What a reader with a budget gives: the reply, which is moved out.
Reply& reply_of(void* read) noexcept;
/// Whether it began when none was due. hiredis' asynchronous context takes it for an error, which
/// ends the connection.
bool is_unasked(void* read) noexcept;

}  // namespace unum::redis
