// See replicated_store.hpp.
#include "hosts/redis_streams/replicated_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hosts/redis_streams/queue.hpp"
#include "reactor/redis/address.hpp"

namespace unum::streams {
namespace {

constexpr std::chrono::seconds kMargin{5};

std::vector<redis::Address> addresses_of(std::string_view name) {
  std::vector<redis::Address> addresses = redis::parse_addresses(name);
  for (redis::Address& address : addresses) redis::add_environment(address);
  return addresses;
}

Error no_replicas(std::string why) {
  return Error(ErrorKind::timeout, "redis", "Unum.Replicas", std::move(why));
}

}  // namespace

ReplicatedStore::ReplicatedStore(Store& inner, std::string_view name, unsigned replicas,
                                 std::chrono::milliseconds time)
    : ForwardingStore(inner),
      client_(inner.reactor(), addresses_of(name)),
      replicas_(replicas),
      time_(time) {}

ReplicatedStore::~ReplicatedStore() = default;

Task<void> ReplicatedStore::open(Wait wait) { return client_.open(wait); }

/// One question by one connection: a write of its own, then how many replicas have it.
Task<void> ReplicatedStore::ask(std::string key, Wait wait) {
  const std::string count = std::to_string(replicas_);
  const std::string time = std::to_string(time_.count());
  const std::array<std::string_view, 5> write{"SET", key, "1", "PX", "1000"};
  const std::array<std::string_view, 3> question{"WAIT", count, time};
  // The client finds out who is the primary; what follows goes by one connection or fails.
  co_await client_.call(key, write, wait);
  const std::shared_ptr<redis::Connection> connection = co_await client_.connection(key, wait);
  wait.deadline = std::min(wait.deadline, reactor().now() + time_ + kMargin);
  redis::Call writing = connection->call(write, wait);
  const redis::Outcome written = co_await writing;
  redis::Call waiting = connection->call(question, wait);
  const redis::Outcome waited = co_await waiting;
  using Status = redis::Outcome::Status;
  if (written.status != Status::replied || waited.status != Status::replied ||
      written.reply.is_error() || waited.reply.is_error()) {
    throw no_replicas("the server of redis:" + name() +
                      " did not say whether its replicas have an outcome");
  }
  if (waited.reply.integer < static_cast<std::int64_t>(replicas_)) {
    throw no_replicas(fmt::format("{} of {} replicas of redis:{} have an outcome after {} ms",
                                  waited.reply.integer, replicas_, name(), time_.count()));
  }
}

/// On a single server one question is for all whose writes were before it.
Task<void> ReplicatedStore::pass(const SessionContext& context, Wait wait) {
  const QueueKeys keys(context.session());
  std::string key = keys.stream + ":replicas";
  if (client_.cluster()) {
    co_await ask(std::move(key), wait);
    co_return;
  }
  const std::uint64_t mine = begun_ + 1;  // one that begins from now on
  while (answered_ < mine) {
    if (asking_) {
      const int woken = co_await turns_.wait(reactor(), wait);
      if (woken < 0) throw no_replicas("the wait for the replicas of redis:" + name() + " ended");
      continue;
    }
    asking_ = true;
    const std::uint64_t number = ++begun_;
    struct End {
      ReplicatedStore& store;
      ~End() {
        store.asking_ = false;
        store.turns_.wake_all();
      }
    };
    const End end{*this};
    co_await ask(key, wait);
    answered_ = number;
  }
}

Task<CommitResult> ReplicatedStore::commit(const SessionContext& context, std::string_view value,
                                           std::span<const FanIn> fan_ins, Wait wait) {
  CommitResult result = co_await inner().commit(context, value, fan_ins, wait);
  co_await pass(context, wait);
  co_return result;
}

Task<WriteResult> ReplicatedStore::create(const SessionContext& context, const ItemId& item,
                                          std::string_view value, Wait wait) {
  WriteResult result = co_await inner().create(context, item, value, wait);
  co_await pass(context, wait);
  co_return result;
}

Task<std::optional<std::string>> ReplicatedStore::get(const SessionContext& context,
                                                      const ItemId& item, Wait wait) {
  std::optional<std::string> value = co_await inner().get(context, item, wait);
  if (value && item.kind == ItemKind::outcome) co_await pass(context, wait);
  co_return value;
}

Task<std::optional<std::string>> ReplicatedStore::get_range(const SessionContext& context,
                                                            const ItemId& item, ByteRange range,
                                                            Wait wait) {
  std::optional<std::string> value = co_await inner().get_range(context, item, range, wait);
  if (value) co_return value;
  co_await pass(context, wait);
  co_return co_await inner().get_range(context, item, range, wait);
}

Task<std::vector<std::optional<std::string>>> ReplicatedStore::get_many(
    const SessionContext& context, std::span<const Pointer> pointers, Wait wait) {
  std::vector<std::optional<std::string>> values =
      co_await inner().get_many(context, pointers, wait);
  const bool is_whole = std::all_of(values.begin(), values.end(),
                                    [](const auto& value) { return value.has_value(); });
  if (is_whole) co_return values;
  co_await pass(context, wait);
  co_return co_await inner().get_many(context, pointers, wait);
}

}  // namespace unum::streams
