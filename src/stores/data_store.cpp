// The part of the contract that every store shares: the five calls, made of a store's own few.
#include "unum/data_store.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "base/limits.hpp"
#include "stores/looks.hpp"
#include "unum/task_group.hpp"

namespace unum {
namespace {

// Values that a streamed read holds at once: enough to keep a network busy.
constexpr std::size_t kStreamedAtOnce = 64;
// Fan-ins that one instance looks into at once; nearly always it is in one or two.
constexpr std::size_t kFanInsAtOnce = 16;

/// A random UUID (RFC 9562, version 4).
std::string random_uuid(Reactor& reactor) {
  std::array<unsigned char, 16> bytes;
  reactor.random_bytes(std::as_writable_bytes(std::span(bytes)));
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3F) | 0x80);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[bytes[i] >> 4];
    text += kHex[bytes[i] & 0xF];
  }
  return text;
}

void check_name(std::string_view name, std::string_view what) {
  if (name.empty()) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidName",
                std::string(what) + " has an empty name");
  }
  if (name.size() > kItemNameBytesMax) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidName",
                std::string(what) + " has a name of " + std::to_string(name.size()) +
                    " bytes; at most " + std::to_string(kItemNameBytesMax) + " are possible");
  }
}

[[noreturn]] void throw_missing(const SessionContext& context,
                                const std::vector<std::string_view>& missing, std::size_t asked) {
  std::string message = std::to_string(missing.size()) + " of " + std::to_string(asked) +
                        " inputs are missing in session " + context.session() + ": ";
  for (std::size_t i = 0; i < missing.size(); ++i) {
    if (i > 0) message += ", ";
    message += missing[i];
  }
  throw Error(ErrorKind::not_found, "stores", "Unum.MissingInput", std::move(message));
}

}  // namespace

DataStore::DataStore(Reactor& reactor)
    : reactor_(reactor), looks_(std::make_unique<LooksTable>()) {}
DataStore::~DataStore() = default;

void DataStore::forget_looks() noexcept { looks_->clear(); }

void DataStore::begin_call(std::string_view what, const Wait& wait) const {
  if (closed_) {
    throw Error(ErrorKind::bug, type(), "Unum.StoreClosed",
                std::string(what) + " on the " + std::string(type()) + " store " + name() +
                    ", which was closed");
  }
  if (wait.stop.stop_requested()) {
    throw Error(ErrorKind::cancelled, type(), "ECANCELED",
                std::string(what) + " was given up: " + std::string(wait.stop.reason()));
  }
  if (wait.deadline != kNoDeadline && wait.deadline <= reactor_.now()) {
    throw Error(ErrorKind::timeout, type(), "ETIME",
                std::string(what) + " on the " + std::string(type()) + " store " + name() +
                    ": the deadline has passed");
  }
}

void DataStore::begin_call(std::string_view what, const ItemId& item, const Wait& wait) const {
  begin_call(what, wait);
  check_name(item.name, what);
}

void DataStore::check_value(const ItemId& item, std::string_view value) const {
  if (value.size() <= kValueBytesMax) return;
  throw Error(ErrorKind::exhausted, "stores", "Unum.ValueTooLarge",
              "the value of " + item_name(item.name, item.kind) + " has " +
                  std::to_string(value.size()) + " bytes; at most " +
                  std::to_string(kValueBytesMax) + " are possible");
}

// --- The five calls
// ------------------------------------------------------------------------------------

SessionContext DataStore::create_session_context() {
  return SessionContext(random_uuid(reactor_), {});
}

SessionContext DataStore::session_context(std::string_view session) {
  if (session.empty()) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidSession",
                "a session's id must not be empty");
  }
  if (session.size() > kSessionBytesMax) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidSession",
                "a session's id has " + std::to_string(session.size()) + " bytes; at most " +
                    std::to_string(kSessionBytesMax) + " are possible");
  }
  return SessionContext(std::string(session), {});
}

Pointer DataStore::pointer(const SessionContext&, std::string_view instance) const {
  check_name(instance, "a pointer");
  return Pointer(std::string(instance));
}

Task<WriteResult> DataStore::write_return_value(const SessionContext& context,
                                                std::string_view value, Wait wait) {
  if (context.instance().empty()) {
    throw Error(
        ErrorKind::bug, type(), "Unum.UnboundContext",
        "a return value is written under the instance that its context is bound to; this one is "
        "bound to none");
  }
  const ItemId item{context.instance(), ItemKind::outcome};
  co_return co_await create(context, item, value, wait);
}

Task<std::vector<std::string>> DataStore::read_input(const SessionContext& context,
                                                     std::span<const Pointer> pointers, Wait wait) {
  begin_call("read_input", wait);
  std::vector<std::optional<std::string>> found = co_await get_outcomes(context, pointers, wait);
  std::vector<std::string> values;
  std::vector<std::string_view> missing;
  values.reserve(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i]) {
      values.push_back(std::move(*found[i]));
    } else {
      missing.push_back(pointers[i].name());
    }
  }
  if (!missing.empty()) throw_missing(context, missing, pointers.size());
  co_return values;
}

Task<void> DataStore::read_input_stream(const SessionContext& context,
                                        std::span<const Pointer> pointers,
                                        std::function<void(std::size_t, std::string)> consume,
                                        Wait wait) {
  begin_call("read_input_stream", wait);
  std::vector<std::string_view> missing;
  for (std::size_t begin = 0; begin < pointers.size(); begin += kStreamedAtOnce) {
    const auto part = pointers.subspan(begin, std::min(kStreamedAtOnce, pointers.size() - begin));
    std::vector<std::optional<std::string>> found = co_await get_outcomes(context, part, wait);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i]) {
        missing.push_back(part[i].name());
      } else if (missing.empty()) {
        consume(begin + i, std::move(*found[i]));
        found[i].reset();
      }
    }
  }
  if (!missing.empty()) throw_missing(context, missing, pointers.size());
}

Task<bool> DataStore::check_value_exist(const SessionContext& context, const Pointer& pointer,
                                        Wait wait) {
  return check_values_exist(context, std::span(&pointer, 1), wait);
}

Task<bool> DataStore::check_values_exist(const SessionContext& context,
                                         std::span<const Pointer> pointers, Wait wait) {
  begin_call("check_values_exist", wait);
  return outcomes_exist(context, pointers, wait);
}

// --- Checkpoint and fan-in
// -----------------------------------------------------------------------------

Task<CommitResult> DataStore::commit(const SessionContext& context, std::string_view value,
                                     std::span<const FanIn> fan_ins, Wait wait) {
  CommitResult result;
  result.write = co_await write_return_value(context, value, wait);
  const bool other =
      result.write.status == WriteResult::Status::already_there && result.write.stored != value;
  if (!other && !fan_ins.empty()) result.fan_ins = co_await join(context, fan_ins, wait);
  co_return result;
}

Task<std::vector<FanInState>> DataStore::join(const SessionContext& context,
                                              std::span<const FanIn> fan_ins, Wait wait) {
  begin_call("join", wait);
  std::vector<FanInState> states(fan_ins.size());
  const auto look = [&](std::size_t i) -> Task<void> {
    if (fan_ins[i].role == FanInRole::contributor) {
      states[i] = co_await scan_and_claim(context, fan_ins[i], wait);
    } else {
      states[i] = co_await join_requested(context, fan_ins[i], wait);
    }
  };
  co_await for_each_bounded(fan_ins.size(), kFanInsAtOnce, look);
  co_return states;
}

Task<void> DataStore::settle(const SessionContext&, Wait) { co_return; }

}  // namespace unum
