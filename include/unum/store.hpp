// The intermediary data store: reads and writes items by name.
//
// `Store` is the interface that stores implement and decorators wrap. Workflows use it through the
// five calls of the data-store document, which are the free functions `create_session_context`,
// `write_return_value`, `read_input`, `check_value_exist` and `check_values_exist`, and through
// `commit` and `join`.
//
// A value is created once and never changes. That a value is absent or already exists is a return
// value, not an error. To a store, values are opaque bytes. All calls are coroutines on the reactor
// that the store was opened on, and a store must outlive its calls. A call whose `Wait` ends early
// throws `timeout` or `cancelled`; a write may or may not have taken effect then, and can safely be
// repeated.
//
// Arguments passed by reference, view or span must outlive the task; a `Wait` is copied.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unum/api.hpp"
#include "unum/error.hpp"
#include "unum/fan_in.hpp"
#include "unum/reactor.hpp"
#include "unum/store_options.hpp"
#include "unum/task.hpp"

namespace unum {

class Store;

/// The kind of an item. Session, name and kind together are an item's key.
enum class ItemKind : std::uint8_t {
  outcome,      ///< An instance's result or caught failure; `<instance>-output`. Created once.
  report,       ///< A failure that was not caught; `<instance>-error`. May be overwritten.
  input,        ///< The entry function's input; `<entry>-input`. Created once.
  claim,        ///< Which instance invokes an aggregator; `<aggregator>-fanin`. Created once.
  wanted,       ///< A requested fan-in and its list; `<aggregator>-wanted`. Created once.
  garbage,      ///< What a redelivery of an instance needs; `<instance>-gc`. See `with_redelivery`.
  application,  ///< The application the session belongs to; `<entry>-application`.
  delayed,      ///< The next attempt of a failed step, and its time; `<instance>-delayed`.
  invoked,      ///< Who invoked an aggregator, once that is accepted; `<aggregator>-invoked`.
};

/// The item's name in a store, before the store's own encoding: "F-unumIndex-2-output".
UNUM_API std::string item_name(std::string_view name, ItemKind kind);
/// An item of a session.
struct ItemId {
  std::string name;
  ItemKind kind = ItemKind::outcome;
  friend bool operator==(const ItemId&, const ItemId&) = default;
};
/// The reverse of `item_name`; nothing if the text does not end in a known suffix.
UNUM_API std::optional<ItemId> parse_item_name(std::string_view text);

/// A session and, once bound, the instance that writes in it. A plain value, returned by
/// `create_session_context` and by `session_context`, which checks the id.
class UNUM_API SessionContext {
 public:
  const std::string& session() const noexcept { return session_; }
  /// Empty until bound.
  const std::string& instance() const noexcept { return instance_; }
  SessionContext bound_to(std::string_view instance) const {
    return SessionContext(session_, std::string(instance));
  }
  /// The same with what a redelivery of the instance needs, for sessions that are collected: opaque
  /// text that a store keeps beside the outcome which is created under this context, so that
  /// whoever finds the outcome finds the text, too. Empty: nothing is kept.
  SessionContext with_redelivery(std::string text) const {
    SessionContext context = *this;
    context.redelivery_ = std::move(text);
    return context;
  }
  const std::string& redelivery() const noexcept { return redelivery_; }

 private:
  friend SessionContext session_context(std::string_view session);
  friend SessionContext create_session_context(Store& store);
  SessionContext(std::string session, std::string instance)
      : session_(std::move(session)), instance_(std::move(instance)) {}
  std::string session_;
  std::string instance_;
  std::string redelivery_;
};

/// Names the value of an instance in a session. A plain value, returned by `pointer`, which checks
/// the name.
class UNUM_API Pointer {
 public:
  const std::string& name() const noexcept { return name_; }
  friend bool operator==(const Pointer&, const Pointer&) = default;

 private:
  friend Pointer pointer(const SessionContext& context, std::string_view instance);
  explicit Pointer(std::string name) : name_(std::move(name)) {}
  std::string name_;
};

/// The result of a create-if-absent.
struct WriteResult {
  enum class Status : std::uint8_t { written, already_there };
  Status status = Status::written;
  std::string stored;  ///< The existing value if `already_there`, else empty.
};

/// Some of a value's bytes.
struct ByteRange {
  std::uint64_t offset = 0;
  std::size_t bytes = 0;
};

/// An item in a listing.
struct ListedItem {
  ItemId id;
  std::uint64_t bytes = 0;
  std::int64_t modified_unix_ns = 0;  ///< Time of the last write, by the store's clock.
};

/// The result of a commit.
struct CommitResult {
  WriteResult write;
  /// One for each fan-in passed, in their order. Empty if a different value was `already_there`:
  /// that value decides which fan-ins to join.
  std::vector<FanInState> fan_ins;
};

/// What is stored in place of an outcome that was garbage-collected.
inline constexpr std::string_view kTombstone = "~";

/// Totals since a store was opened, for tests and benchmarks.
struct StoreCounters {
  std::uint64_t requests = 0;     ///< Requests, or system calls on files.
  std::uint64_t connections = 0;  ///< Opened connections, or directories.
  std::uint64_t flushes = 0;      ///< Flushes to disk that were awaited.
  double capacity_units = 0;      ///< Read and write units, for services that bill them.
};

/// The interface of a data store. Has no state and checks nothing: `open_store` wraps every store
/// in the checks of `checked`, on which an implementation may rely.
class UNUM_API Store {
 public:
  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// "fs", "memory", "redis", ...
  virtual std::string_view type() const noexcept = 0;
  /// The name that it was opened with, without secrets: a directory, bucket, table or server.
  virtual const std::string& name() const noexcept = 0;
  /// The reactor that all calls run on.
  virtual Reactor& reactor() const noexcept = 0;

  /// The item's value, or nothing. Strongly consistent.
  virtual Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                               Wait wait = {}) = 0;
  /// The bytes of the value in `range`, fewer, or none, where it ends before; nothing if there is
  /// no such item. Strongly consistent.
  virtual Task<std::optional<std::string>> get_range(const SessionContext& context,
                                                     const ItemId& item, ByteRange range,
                                                     Wait wait = {}) = 0;
  /// Creates the item atomically, unless it exists. When it returns, the value is as durable as the
  /// store's settings require, and visible to every read and check that begins later.
  virtual Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                                   std::string_view value, Wait wait = {}) = 0;
  /// Writes the item, whether or not it exists.
  virtual Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                         Wait wait = {}) = 0;
  /// Removes items. It is no error if some do not exist.
  virtual Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                            Wait wait = {}) = 0;
  /// All items of the session, in no particular order.
  virtual Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait = {}) = 0;
  /// Ids of the sessions in the store, in no particular order.
  virtual Task<std::vector<std::string>> list_sessions(Wait wait = {}) = 0;

  /// The outcomes of the pointers, in their order; nothing for each missing one. Reads in parallel,
  /// with a bounded number in flight, and with the consistency of StoreOptions::read_consistency.
  virtual Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                                 std::span<const Pointer> pointers,
                                                                 Wait wait = {}) = 0;
  /// Whether all outcomes exist, in the store's cheapest way. May stop at the first missing one.
  /// Strongly consistent.
  virtual Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                               Wait wait = {}) = 0;

  /// Writes the checkpoint of the instance that the context is bound to, and joins its fan-ins, in
  /// as few round trips as the store can. Fan-ins are never checked before the checkpoint is
  /// durable. A store without a shorter way returns `write_then_join`.
  virtual Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                                    std::span<const FanIn> fan_ins, Wait wait = {}) = 0;
  /// Joins fan-ins for an outcome that is already stored; returns one state each, in their order. A
  /// store without its own method uses a `ScanAndClaim` (unum/scan_and_claim.hpp).
  virtual Task<std::vector<FanInState>> join(const SessionContext& context,
                                             std::span<const FanIn> fan_ins, Wait wait = {}) = 0;

  /// Replaces the outcomes of these instances, which must exist, by tombstones, then removes what
  /// is stored beside them, and `items`. Can be repeated. Not waited for to reach the disk: a
  /// tombstone that a power loss takes away is written again.
  virtual Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                             std::span<const ItemId> items, Wait wait = {});
  /// What is stored beside the instance's outcome (SessionContext::with_redelivery); nothing if it
  /// has no outcome or was collected. Strongly consistent.
  virtual Task<std::optional<std::string>> redelivery_of(const SessionContext& context,
                                                         const std::string& instance,
                                                         Wait wait = {});

  /// Cancels what is in progress and closes connections; no call may follow. Optional for
  /// integrity: writes that have returned are kept even without it.
  virtual Task<void> close() = 0;

  /// Totals since the store was opened.
  virtual StoreCounters counters() const noexcept = 0;
  /// Whether more calls are queued than the store answers in about a second, because it throttles
  /// or is unreachable: do not start new work now. Cheap to call.
  virtual bool is_held_back() const noexcept = 0;

 protected:
  Store() = default;
};

// --- The five calls of the data-store document --------------------------------------------------

/// A new session with a random UUID as its id. Does no I/O: a session exists once its first value
/// is written.
UNUM_API SessionContext create_session_context(Store& store);
/// The context of the session with this id: any text of 1 to kSessionBytesMax (16 KiB) bytes, since
/// stores encode what they cannot hold. Throws `invalid` otherwise.
UNUM_API SessionContext session_context(std::string_view session);
/// A pointer to an instance's outcome in the context's session. Throws `invalid` for a name that is
/// empty or longer than kItemNameBytesMax (16 KiB).
UNUM_API Pointer pointer(const SessionContext& context, std::string_view instance);

/// Creates the outcome of the instance that the context is bound to, unless it has one. When it
/// returns, the value is as durable as the store's settings require.
UNUM_API Task<WriteResult> write_return_value(Store& store, const SessionContext& context,
                                              std::string_view value, Wait wait = {});
/// The values in the pointers' order, read in parallel with a bounded number in flight. If any are
/// missing, throws one `not_found` (code "Unum.MissingInput") that names them all.
UNUM_API Task<std::vector<std::string>> read_input(Store& store, const SessionContext& context,
                                                   std::span<const Pointer> pointers,
                                                   Wait wait = {});
/// The same for large inputs: passes the values in order to `consume(place, value)`, holding at
/// most 64 at a time. Throws what `consume` throws.
UNUM_API Task<void> read_input_stream(Store& store, const SessionContext& context,
                                      std::span<const Pointer> pointers,
                                      std::function<void(std::size_t, std::string)> consume,
                                      Wait wait = {});
/// Whether the value exists. Strongly consistent.
UNUM_API Task<bool> check_value_exist(Store& store, const SessionContext& context,
                                      const Pointer& pointer, Wait wait = {});
/// Whether all values exist. Strongly consistent. May stop at the first missing one.
UNUM_API Task<bool> check_values_exist(Store& store, const SessionContext& context,
                                       std::span<const Pointer> pointers, Wait wait = {});

// --- Opening ------------------------------------------------------------------------------------

/// Opens the store of this type and name: connects, and checks that it exists and is writable.
/// Throws `not_found` if it does not exist (nothing is created), `invalid` for an unknown type,
/// with the reason if it is a queue, or for a name of something that is not a store, such as a file
/// for fs, and `denied` if it is not writable. `reactor` must outlive the store.
UNUM_API Task<std::unique_ptr<Store>> open_store(Reactor& reactor, std::string_view type,
                                                 std::string_view name,
                                                 const StoreOptions& options = {}, Wait wait = {});

/// "TYPE:NAME" for display: a secret in it, such as a Redis password, becomes "***".
UNUM_API std::string shown_store(std::string_view type, std::string_view name);
/// "TYPE:NAME" without the secret, for a command line that gets it from elsewhere. Unchanged if
/// there is none.
UNUM_API std::string store_without_secret(std::string_view type, std::string_view name);

/// Creates a store unless it exists. Returns whether it was created. Throws as `open_store` does.
UNUM_API Task<bool> create_store(Reactor& reactor, std::string_view type, std::string_view name,
                                 Wait wait = {});

// --- For authors of stores ----------------------------------------------------------------------

/// Wraps a store in the checks that `open_store` adds to every store. A call throws `bug`
/// "Unum.StoreClosed" after `close`; `cancelled` or `timeout` if its `Wait` has ended already;
/// `invalid` "Unum.InvalidName" for an item, instance or aggregator whose name is empty or longer
/// than kItemNameBytesMax; `exhausted` "Unum.ValueTooLarge" for a value of more than kValueBytesMax
/// (1 GiB); and `bug` "Unum.UnboundContext" for a commit without an instance. Checks happen at the
/// call, and its task throws; no call needs an additional coroutine frame. A second `close` does
/// nothing.
UNUM_API std::unique_ptr<Store> checked(std::unique_ptr<Store> store);
/// Throws `cancelled` or `timeout` if `wait` has ended: for loops in a store whose steps do not
/// check it themselves. `doing` names the operation in the message.
UNUM_API void check_wait(const Store& store, std::string_view doing, const Wait& wait);
/// Commits in two steps, `create` and then `join`. Skips `join` if a different value exists
/// already.
UNUM_API Task<CommitResult> write_then_join(Store& store, const SessionContext& context,
                                            std::string_view value, std::span<const FanIn> fan_ins,
                                            Wait wait = {});

}  // namespace unum
