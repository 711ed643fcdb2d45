// The data store in memory: sessions of maps, one lock a store.
#include "stores/memory/memory_store.hpp"

#include <array>
#include <ctime>
#include <map>
#include <mutex>
#include <unordered_map>

#include "base/limits.hpp"
#include "base/padded.hpp"
#include "base/wall_time.hpp"
#include "stores/name_encoding.hpp"
#include "unum/scan_and_claim.hpp"

namespace unum::memory {
namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
template <class Value>
using ByName = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

constexpr std::size_t kKinds = kItemKinds.size();

struct Item {
  std::string value;
  std::int64_t modified_unix_ns = 0;
};

struct Session {
  std::array<ByName<Item>, kKinds> items;
  std::size_t count = 0;

  ByName<Item>& of(ItemKind kind) noexcept { return items[static_cast<std::size_t>(kind)]; }
};

/// What one name stands for. Reactors of several threads may share it.
struct Contents {
  std::mutex mutex;
  ByName<Session> sessions;
};

struct Registry {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Contents>, std::less<>> stores;
};

Registry& registry() {
  static Registry the_registry;
  return the_registry;
}

class MemoryStore final : public Store {
 public:
  MemoryStore(Reactor& reactor, std::string_view name, std::shared_ptr<Contents> contents)
      : reactor_(reactor), name_(name), contents_(std::move(contents)) {}

  std::string_view type() const noexcept override { return "memory"; }
  const std::string& name() const noexcept override { return name_; }
  Reactor& reactor() const noexcept override { return reactor_; }
  StoreCounters counters() const noexcept override { return counters_; }
  bool is_held_back() const noexcept override { return false; }

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait) override {
    const std::lock_guard lock(contents_->mutex);
    co_return copy_of(session_of(context), item.name, item.kind);
  }

  Task<std::optional<std::string>> get_range(const SessionContext& context, const ItemId& item,
                                             ByteRange range, Wait) override {
    const std::lock_guard lock(contents_->mutex);
    co_return copy_of(session_of(context), item.name, item.kind, range);
  }

  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait) override {
    ++counters_.requests;
    const std::lock_guard lock(contents_->mutex);
    Session& session = contents_->sessions.try_emplace(context.session()).first->second;
    auto [at, made] = session.of(item.kind).try_emplace(item.name);
    if (!made)
      co_return WriteResult{WriteResult::Status::already_there, padded_copy(at->second.value)};
    at->second = {std::string(value), unix_ns(reactor().wall_time())};
    ++session.count;
    if (item.kind == ItemKind::outcome && !context.redelivery().empty()) {
      auto [kept, is_new] = session.of(ItemKind::garbage).try_emplace(item.name);
      kept->second = {context.redelivery(), at->second.modified_unix_ns};
      if (is_new) ++session.count;
    }
    co_return WriteResult{};
  }

  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait) override {
    ++counters_.requests;
    const std::lock_guard lock(contents_->mutex);
    Session& session = contents_->sessions.try_emplace(context.session()).first->second;
    auto [at, made] = session.of(item.kind).try_emplace(item.name);
    at->second = {std::string(value), unix_ns(reactor().wall_time())};
    if (made) ++session.count;
    co_return;
  }

  Task<void> remove(const SessionContext& context, std::span<const ItemId> items, Wait) override {
    fan_in_.forget(items);
    const std::lock_guard lock(contents_->mutex);
    const auto session = contents_->sessions.find(context.session());
    if (session == contents_->sessions.end()) co_return;
    for (const ItemId& item : items) {
      ++counters_.requests;
      session->second.count -= session->second.of(item.kind).erase(item.name);
    }
    if (session->second.count == 0) contents_->sessions.erase(session);
  }

  Task<std::vector<ListedItem>> list(const SessionContext& context, Wait) override {
    ++counters_.requests;
    const std::lock_guard lock(contents_->mutex);
    std::vector<ListedItem> listed;
    Session* session = session_of(context);
    if (session == nullptr) co_return listed;
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      for (const auto& [name, item] : session->items[kind]) {
        listed.push_back(
            {{name, static_cast<ItemKind>(kind)}, item.value.size(), item.modified_unix_ns});
      }
    }
    co_return listed;
  }

  Task<std::vector<std::string>> list_sessions(Wait) override {
    ++counters_.requests;
    const std::lock_guard lock(contents_->mutex);
    std::vector<std::string> ids;
    for (const auto& [id, session] : contents_->sessions) ids.push_back(id);
    co_return ids;
  }

  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait) override {
    const std::lock_guard lock(contents_->mutex);
    Session* session = session_of(context);
    std::vector<std::optional<std::string>> values;
    values.reserve(pointers.size());
    for (const Pointer& pointer : pointers) {
      values.push_back(copy_of(session, pointer.name(), ItemKind::outcome));
    }
    co_return values;
  }

  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait) override {
    const std::lock_guard lock(contents_->mutex);
    Session* session = session_of(context);
    for (const Pointer& pointer : pointers) {
      ++counters_.requests;
      if (session == nullptr || !session->of(ItemKind::outcome).contains(pointer.name()))
        co_return false;
    }
    co_return true;
  }

  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    return write_then_join(*this, context, value, fan_ins, wait);
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    return fan_in_.join(context, fan_ins, wait);
  }
  Task<void> close() override { co_return; }

 private:
  // Both are called with the lock held; no call is suspended while it holds it.
  Session* session_of(const SessionContext& context) noexcept {
    const auto found = contents_->sessions.find(context.session());
    return found == contents_->sessions.end() ? nullptr : &found->second;
  }
  std::optional<std::string> copy_of(Session* session, std::string_view name, ItemKind kind,
                                     ByteRange range = {0, kValueBytesMax}) {
    ++counters_.requests;
    if (session == nullptr) return std::nullopt;
    const auto found = session->of(kind).find(name);
    if (found == session->of(kind).end()) return std::nullopt;
    return padded_copy(part_of(found->second.value, range.offset, range.bytes));
  }

  Reactor& reactor_;
  const std::string name_;
  const std::shared_ptr<Contents> contents_;
  StoreCounters counters_;
  ScanAndClaim fan_in_{*this};
};

}  // namespace

std::unique_ptr<Store> open_memory_store(Reactor& reactor, std::string_view name) {
  std::shared_ptr<Contents> contents;
  {
    const std::lock_guard lock(registry().mutex);
    const auto found = registry().stores.find(name);
    if (found != registry().stores.end()) contents = found->second;
  }
  if (!contents) {
    throw Error(ErrorKind::not_found, "memory", "Unum.NoSuchStore",
                "the data store memory:" + std::string(name) +
                    " does not exist in this process; create_store(reactor, \"memory\", \"" +
                    std::string(name) + "\") makes it");
  }
  auto store = std::make_unique<MemoryStore>(reactor, name, std::move(contents));
  return store;
}

bool create_memory_store(std::string_view name) {
  const std::lock_guard lock(registry().mutex);
  return registry().stores.try_emplace(std::string(name), std::make_shared<Contents>()).second;
}

}  // namespace unum::memory
