// Object functions for hiredis' reader: a nested element is built inside its array, so that only
// the outermost reply is allocated for itself.
#include "reactor/redis/reply.hpp"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <memory>
#include <type_traits>

#include "base/limits.hpp"
#include "base/padded.hpp"
#include "unum/assert.hpp"

namespace unum::redis {
namespace {

#if HIREDIS_MAJOR >= 1
using ElementCount = std::size_t;
#else
using ElementCount = int;
#endif

constexpr std::string_view kLineTooLong = "it has a line without an end";

// What an array may announce is not what it must hold: memory grows with the elements that come.
constexpr std::size_t kReserveMax = 1024;

ReplyBudget& budget_of(const redisReadTask* task) noexcept {
  return *static_cast<ReplyBudget*>(task->privdata);
}

bool is_line(int type) noexcept {
  return type == REDIS_REPLY_STATUS || type == REDIS_REPLY_ERROR || type == REDIS_REPLY_INTEGER;
}

/// The type of the element that the reader is at; -1 before it is known.
int current_type(const redisReader& reader) noexcept {
  if (reader.ridx < 0) return -1;
#if HIREDIS_MAJOR >= 1
  return reader.task[reader.ridx]->type;
#else
  return reader.rstack[reader.ridx].type;
#endif
}

/// Arrays around the element.
std::size_t depth_of(const redisReadTask* task) noexcept {
  std::size_t depth = 0;
  for (; task->parent != nullptr; task = task->parent) ++depth;
  return depth;
}

/// The outermost reply. hiredis' asynchronous context looks at its type, and at its text when it is
/// an error that nothing was asked for; so it begins as hiredis' own replies do.
struct Outermost {
  redisReply head{};
  Reply reply;
};
static_assert(std::is_standard_layout_v<redisReply> && offsetof(redisReply, type) == 0);

Reply& parent_of(const redisReadTask* task) noexcept {
  void* const parent = task->parent->obj;
  return task->parent->parent == nullptr ? reply_of(parent) : *static_cast<Reply*>(parent);
}

/// What hiredis says of a reply that nothing was asked for: the text if it is an error, with which
/// a server turns one away.
char* unasked_text(Reply& reply) noexcept {
  static char nothing_asked[] = "a reply came that nothing was asked for";
  return reply.is_error() ? reply.text.data() : static_cast<char*>(nothing_asked);
}

/// Where the element goes: into its array, or on its own. Null without memory, which the reader
/// turns into an error: no exception may cross it.
template <class Fill>
void* make(const redisReadTask* task, Reply::Type type, Fill fill) noexcept {
  try {
    if (task->parent != nullptr) {
      auto& siblings = parent_of(task).elements;
      UNUM_ASSERT(static_cast<std::size_t>(task->idx) == siblings.size());
      Reply& reply = siblings.emplace_back();
      reply.type = type;
      fill(reply);
      return &reply;
    }
    auto outermost = std::make_unique<Outermost>();
    outermost->reply.type = type;
    fill(outermost->reply);
    outermost->head.type = REDIS_REPLY_NIL;
    if (!budget_of(task).is_due()) {
      outermost->head.type = REDIS_REPLY_ERROR;
      outermost->head.str = unasked_text(outermost->reply);
    }
    return outermost.release();
  } catch (const std::exception&) {
    return nullptr;
  }
}

/// The budget, begun anew where a reply begins.
ReplyBudget& begun_budget_of(const redisReadTask* task) noexcept {
  ReplyBudget& budget = budget_of(task);
  if (task->parent == nullptr) budget.begin();
  return budget;
}

// Types of protocol version 3 were never asked for: a server that sends them is none of ours.
void* refuse_type(const redisReadTask* task) noexcept {
  budget_of(task).refuse("it has a type of protocol version 3, which was not asked for");
  return nullptr;
}

void* make_string(const redisReadTask* task, char* text, std::size_t length) {
  if (task->type != REDIS_REPLY_STRING && task->type != REDIS_REPLY_STATUS &&
      task->type != REDIS_REPLY_ERROR) {
    return refuse_type(task);
  }
  ReplyBudget& budget = begun_budget_of(task);
  if (is_line(task->type) && length > kRedisLineBytesMax) {
    budget.refuse(kLineTooLong);
    return nullptr;
  }
  if (!budget.spend_bytes(length)) return nullptr;
  const Reply::Type type = task->type == REDIS_REPLY_ERROR    ? Reply::Type::error
                           : task->type == REDIS_REPLY_STATUS ? Reply::Type::status
                                                              : Reply::Type::string;
  return make(task, type, [&](Reply& reply) {
    if (type == Reply::Type::string) {
      reply.text = padded_copy(std::string_view(text, length));
    } else {
      reply.text.assign(text, length);  // "OK" mostly, which needs no memory of its own
    }
  });
}

void* make_array(const redisReadTask* task, ElementCount count) {
  if (task->type != REDIS_REPLY_ARRAY) return refuse_type(task);
  ReplyBudget& budget = begun_budget_of(task);
  if (depth_of(task) >= kRedisDepthMax) {
    budget.refuse("it has arrays in arrays, too many levels of them");
    return nullptr;
  }
  if (!budget.spend_elements(static_cast<std::size_t>(count))) return nullptr;
  return make(task, Reply::Type::array, [&](Reply& reply) {
    reply.elements.reserve(std::min(static_cast<std::size_t>(count), kReserveMax));
  });
}

void* make_integer(const redisReadTask* task, long long value) {
  begun_budget_of(task);
  return make(task, Reply::Type::integer, [&](Reply& reply) { reply.integer = value; });
}

void* make_nil(const redisReadTask* task) {
  begun_budget_of(task);
  return make(task, Reply::Type::nil, [](Reply&) {});
}

#if HIREDIS_MAJOR >= 1
void* make_double(const redisReadTask* task, double, char*, std::size_t) {
  return refuse_type(task);
}

void* make_boolean(const redisReadTask* task, int) { return refuse_type(task); }
#endif

void free_reply(void* reply) { delete static_cast<Outermost*>(reply); }

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

}  // namespace

const ReplyBounds kGreetingReply{kRedisGreetingBytesMax, kRedisGreetingElementsMax};
const ReplyBounds kAboutReply{kRedisAboutBytesMax, kRedisAboutElementsMax};
const ReplyBounds kValueReply{kRedisReplyBytesMax, kRedisElementsMax};

std::string_view Reply::error_code() const noexcept {
  if (type != Type::error) return {};
  return std::string_view(text).substr(0, text.find(' '));
}

// --- Bounds -------------------------------------------------------------------------------------

void ReplyBudget::attach_to(redisReader& reader) noexcept {
  reader.fn = &functions();
  reader.privdata = this;
  // Its buffer is kept between replies up to this size, instead of being made anew for each.
  reader.maxbuf = 256u * 1024;
}

void ReplyBudget::begin() noexcept {
  const ReplyBounds* const due = due_(context_);
  is_due_ = due != nullptr;
  // What nobody asked for may be a line that says why one is turned away.
  bounds_ = is_due_ ? due : &kGreetingReply;
  bytes_ = 0;
  elements_ = 0;
}

bool ReplyBudget::refuse(std::string_view why) noexcept {
  if (refused_.empty()) refused_ = why;
  return false;
}

bool ReplyBudget::spend_bytes(std::size_t count) noexcept {
  if (count > kRedisValueBytesMax) return refuse("it has a longer string than a value may be");
  if (count > bounds_->bytes - bytes_) return refuse("its strings are longer than it may be");
  bytes_ += count;
  return true;
}

bool ReplyBudget::spend_elements(std::size_t count) noexcept {
  if (count > bounds_->elements - elements_) return refuse("it has more elements than it may");
  elements_ += count;
  return true;
}

bool ReplyBudget::allows_pending(const redisReader& reader) noexcept {
  const int type = current_type(reader);
  const std::string_view pending(reader.buf + reader.pos, reader.len - reader.pos);
  if (type < 0 || pending.empty()) return true;
  if (reader.ridx == 0) begin();
  const std::size_t end = pending.find("\r\n");
  if (end == std::string_view::npos) {
    // A line, or the number that announces a length; the \r may be there.
    return pending.size() <= kRedisLineBytesMax + 1 || refuse(kLineTooLong);
  }
  if (type != REDIS_REPLY_STRING) return true;
  std::size_t announced = 0;
  const auto [last, error] = std::from_chars(pending.data(), pending.data() + end, announced);
  if (error == std::errc::result_out_of_range) return refuse("it announces an impossible length");
  if (error != std::errc() || last != pending.data() + end) return true;  // the reader says why
  if (announced > kRedisValueBytesMax) return refuse("it has a longer string than a value may be");
  return announced <= bounds_->bytes - bytes_ || refuse("its strings are longer than it may be");
}

// --- What a reader gives ------------------------------------------------------------------------

Reply& reply_of(void* read) noexcept { return static_cast<Outermost*>(read)->reply; }

bool is_unasked(void* read) noexcept {
  return static_cast<Outermost*>(read)->head.type == REDIS_REPLY_ERROR;
}

}  // namespace unum::redis
