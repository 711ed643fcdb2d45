// Replies out of bytes in whatever pieces they come: hiredis' reader with our object functions, as
// a connection has it, without a connection.
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "reactor/redis/reply.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

namespace unum::test {

class ReplyParser {
 public:
  ReplyParser() { budget_.attach_to(*reader_); }

  /// What a connection reads at once.
  static constexpr std::size_t kPieceBytes = 16u * 1024;

  /// Takes the next bytes; all complete replies are to be taken before the next piece.
  void feed(std::span<const char> bytes) {
    UNUM_ASSERT(redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) == REDIS_OK);
  }
  /// The next complete reply, or nothing. Throws `corrupt` for what is no reply, and for one beyond
  /// its bounds as soon as it announces so.
  std::optional<redis::Reply> next(const redis::ReplyBounds& bounds = redis::kValueReply) {
    bounds_ = &bounds;
    void* made = nullptr;
    const bool parsed = redisReaderGetReply(reader_.get(), &made) == REDIS_OK;
    if (parsed && made == nullptr) budget_.allows_pending(*reader_);
    std::optional<redis::Reply> reply;
    if (made != nullptr) {
      reply = std::move(redis::reply_of(made));
      reader_->fn->freeObject(made);
    }
    if (!budget_.refused().empty()) {
      throw Error(ErrorKind::corrupt, "redis", "Unum.RedisReplyTooLarge",
                  std::string(budget_.refused()));
    }
    if (!parsed) throw Error(ErrorKind::corrupt, "redis", "Unum.RedisProtocol", reader_->errstr);
    return reply;
  }

 private:
  struct Free {
    void operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }
  };
  static const redis::ReplyBounds* due(void* self) noexcept {
    return static_cast<ReplyParser*>(self)->bounds_;
  }

  const redis::ReplyBounds* bounds_ = &redis::kValueReply;
  redis::ReplyBudget budget_{&due, this};
  std::unique_ptr<redisReader, Free> reader_{redisReaderCreate()};
};

}  // namespace unum::test
