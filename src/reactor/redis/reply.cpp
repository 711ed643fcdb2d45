// hiredis' reader with object functions of our own: a nested element is built inside its array, so
// that only the outermost reply is allocated for itself.
#include "reactor/redis/reply.hpp"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <algorithm>
#include <new>

#include "base/padded.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

namespace unum::redis {
namespace {

#if HIREDIS_MAJOR >= 1
using ElementCount = std::size_t;
#else
using ElementCount = int;
#endif

// What an array may announce is not what it must hold: memory grows with the elements that come.
constexpr std::size_t kReserveMax = 1024;

/// Where the element goes: into its array, or on its own. Null without memory, which the reader
/// turns into an error: no exception may cross it.
template <class Fill>
void* make(const redisReadTask* task, Reply::Type type, Fill fill) noexcept {
  try {
    if (task->parent != nullptr) {
      auto& siblings = static_cast<Reply*>(task->parent->obj)->elements;
      UNUM_ASSERT(static_cast<std::size_t>(task->idx) == siblings.size());
      Reply& reply = siblings.emplace_back();
      reply.type = type;
      fill(reply);
      return &reply;
    }
    auto reply = std::make_unique<Reply>();
    reply->type = type;
    fill(*reply);
    return reply.release();
  } catch (const std::exception&) {
    return nullptr;
  }
}

void* make_string(const redisReadTask* task, char* text, std::size_t length) {
  const Reply::Type type = task->type == REDIS_REPLY_ERROR    ? Reply::Type::error
                           : task->type == REDIS_REPLY_STATUS ? Reply::Type::status
                                                              : Reply::Type::string;
  return make(task, type,
              [&](Reply& reply) { reply.text = padded_copy(std::string_view(text, length)); });
}

void* make_array(const redisReadTask* task, ElementCount count) {
  return make(task, Reply::Type::array, [&](Reply& reply) {
    reply.elements.reserve(std::min(static_cast<std::size_t>(count), kReserveMax));
  });
}

void* make_integer(const redisReadTask* task, long long value) {
  return make(task, Reply::Type::integer, [&](Reply& reply) { reply.integer = value; });
}

void* make_nil(const redisReadTask* task) {
  return make(task, Reply::Type::nil, [](Reply&) {});
}

#if HIREDIS_MAJOR >= 1
// Of protocol version 3, which is never asked for: kept as text so that nothing is lost.
void* make_double(const redisReadTask* task, double, char* text, std::size_t length) {
  return make(task, Reply::Type::string,
              [&](Reply& reply) { reply.text = padded_copy(std::string_view(text, length)); });
}

void* make_boolean(const redisReadTask* task, int value) {
  return make(task, Reply::Type::integer, [&](Reply& reply) { reply.integer = value; });
}
#endif

void free_reply(void* reply) { delete static_cast<Reply*>(reply); }

redisReplyObjectFunctions& functions() noexcept {
  static redisReplyObjectFunctions the_functions = [] {
    redisReplyObjectFunctions made{};
    made.createString = &make_string;
    made.createArray = &make_array;
    made.createInteger = &make_integer;
    made.createNil = &make_nil;
#if HIREDIS_MAJOR >= 1
    made.createDouble = &make_double;
    made.createBool = &make_boolean;
#endif
    made.freeObject = &free_reply;
    return made;
  }();
  return the_functions;
}

[[noreturn]] void throw_no_memory() {
  throw Error(ErrorKind::exhausted, "redis", "ENOMEM", "there is no memory for a Redis reply");
}

}  // namespace

std::string_view Reply::error_code() const noexcept {
  if (type != Type::error) return {};
  return std::string_view(text).substr(0, text.find(' '));
}

void ReplyParser::Free::operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }

ReplyParser::ReplyParser() : reader_(redisReaderCreateWithFunctions(&functions())) {
  if (!reader_) throw_no_memory();
  // Its buffer is kept between replies up to this size, instead of being made anew for each.
  reader_->maxbuf = 256u * 1024;
}

ReplyParser::~ReplyParser() = default;

void ReplyParser::feed(std::span<const char> bytes) {
  UNUM_ASSERT(bytes.size() <= kPieceBytes);
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) throw_no_memory();
}

std::optional<Reply> ReplyParser::next() {
  void* made = nullptr;
  if (redisReaderGetReply(reader_.get(), &made) != REDIS_OK) {
    if (reader_->err == REDIS_ERR_OOM) throw_no_memory();
    throw Error(ErrorKind::corrupt, "redis", "Unum.RedisProtocol",
                "what came is not a reply of a Redis server: " + std::string(reader_->errstr));
  }
  if (made == nullptr) return std::nullopt;
  const std::unique_ptr<Reply> reply(static_cast<Reply*>(made));
  return std::move(*reply);
}

}  // namespace unum::redis
