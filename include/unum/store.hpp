// An intermediary data store: items read and written by name.
//
// `Store` is what a store implements and a decorator wraps. Workflows use it through the five
// calls of the data-store document, the free functions `create_session_context`,
// `write_return_value`, `read_input`, `check_value_exist` and `check_values_exist`, and through
// `commit` and `join`.
//
// A value is created once and never changes. Absent and already written are return values, not
// errors. Values are opaque bytes to a store. All calls are coroutines of the one reactor that the
// store was opened on; a store outlives all calls on it. A call whose `Wait` ends early throws
// `timeout` or `cancelled`; whether a write took place is then unknown, and writing again settles
// it.
//
// Arguments passed by reference, view or span must live until the task has ended; a `Wait` is
// copied.
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

/// What an item of a session is. Together with its session and its name it is the item's whole key.
enum class ItemKind : std::uint8_t {
  outcome,  ///< An instance's result or caught failure; `<instance>-output`. Created once.
  report,   ///< A failure nobody caught; `<instance>-error`. May be overwritten.
  input,    ///< What the entry function was given; `<entry>-input`. Created once.
  claim,    ///< Who may invoke an aggregator; `<aggregator>-fanin`. Created once.
  wanted,   ///< A fan-in that was requested, with its list; `<aggregator>-wanted`. Created once.
  garbage,  ///< What a parent's children have done; `<parent>-gc`.
  application,  ///< Whose session it is; `<entry>-application`.
  delayed,      ///< The next attempt of a failed step, and its time; `<instance>-delayed`.
};

/// The item's name as it stands in a store, before the store's own encoding:
/// "F-unumIndex-2-output".
UNUM_API std::string item_name(std::string_view name, ItemKind kind);
/// The reverse; nothing if the text does not end in a known suffix.
struct ItemId {
  std::string name;
  ItemKind kind = ItemKind::outcome;
  friend bool operator==(const ItemId&, const ItemId&) = default;
};
UNUM_API std::optional<ItemId> parse_item_name(std::string_view text);

/// A session, and the instance that writes in it once the context is bound to one. A plain value;
/// made by `create_session_context` and by `session_context`, which checks the id.
class UNUM_API SessionContext {
 public:
  const std::string& session() const noexcept { return session_; }
  /// Empty until bound.
  const std::string& instance() const noexcept { return instance_; }
  SessionContext bound_to(std::string_view instance) const {
    return SessionContext(session_, std::string(instance));
  }

 private:
  friend SessionContext session_context(std::string_view session);
  friend SessionContext create_session_context(Store& store);
  SessionContext(std::string session, std::string instance)
      : session_(std::move(session)), instance_(std::move(instance)) {}
  std::string session_;
  std::string instance_;
};

/// Names a value: an instance of the context's session. A plain value; made by `pointer`, which
/// checks the name.
class UNUM_API Pointer {
 public:
  const std::string& name() const noexcept { return name_; }
  friend bool operator==(const Pointer&, const Pointer&) = default;

 private:
  friend Pointer pointer(const SessionContext& context, std::string_view instance);
  explicit Pointer(std::string name) : name_(std::move(name)) {}
  std::string name_;
};

/// What came of a create-if-absent.
struct WriteResult {
  enum class Status : std::uint8_t { written, already_there };
  Status status = Status::written;
  std::string
      stored;  ///< The value that stands there now, when `already_there`; empty when `written`.
};

/// An item in a listing.
struct ListedItem {
  ItemId id;
  std::uint64_t bytes = 0;
  std::int64_t modified_unix_ns = 0;  ///< Wall-clock time of the last write, by the store's clock.
};

/// What a commit did.
struct CommitResult {
  WriteResult write;
  /// One for each fan-in that was passed, unless `write` says already_there with another value:
  /// then empty, since the fan-ins to run are those of the stored value.
  std::vector<FanInState> fan_ins;
};

/// Counts what a store did, for tests and benchmarks.
struct StoreCounters {
  std::uint64_t requests = 0;     ///< Requests sent, or file-system calls made.
  std::uint64_t connections = 0;  ///< Connections or directories opened.
  std::uint64_t flushes = 0;      ///< Waits for the disk.
  double capacity_units = 0;      ///< Read and write units, where the service counts them.
};

/// A data store. No state and no checks: `open_store` puts the checks of calls around every store
/// (see `checked`), so that an implementation may rely on them.
class UNUM_API Store {
 public:
  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// "fs", "memory", "redis", ...
  virtual std::string_view type() const noexcept = 0;
  /// The name it was opened by, without secrets: a directory, bucket, table or server.
  virtual const std::string& name() const noexcept = 0;
  /// The reactor that all calls run on.
  virtual Reactor& reactor() const noexcept = 0;

  /// The item's value, or nothing. Strongly consistent.
  virtual Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                               Wait wait = {}) = 0;
  /// Creates the item unless it exists, atomically. When it returns, the value is as durable as the
  /// store's settings say, and every look that begins later sees it.
  virtual Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                                   std::string_view value, Wait wait = {}) = 0;
  /// Writes the item, whether or not it exists.
  virtual Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                         Wait wait = {}) = 0;
  /// Removes items; those that do not exist are no error.
  virtual Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                            Wait wait = {}) = 0;
  /// All items of the session, in no particular order.
  virtual Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait = {}) = 0;
  /// Ids of the sessions in the store, in no particular order.
  virtual Task<std::vector<std::string>> list_sessions(Wait wait = {}) = 0;

  /// The outcomes that the pointers name, in their order, nothing where one is missing. Read in
  /// parallel, a bounded number in flight; consistent as StoreOptions::read_consistency says.
  virtual Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                                 std::span<const Pointer> pointers,
                                                                 Wait wait = {}) = 0;
  /// Whether all outcomes exist, the cheapest way the store has; stops at the first that does not.
  /// Strongly consistent.
  virtual Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                               Wait wait = {}) = 0;

  /// The checkpoint of the instance that the context is bound to and the fan-ins it takes part in,
  /// in as few round trips as the store can. Fan-ins are looked into after the checkpoint is
  /// durable, never before. A store that has no shorter way returns `write_then_join`.
  virtual Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                                    std::span<const FanIn> fan_ins, Wait wait = {}) = 0;
  /// The fan-ins alone, for an outcome that is already stored; one state for each. A store that has
  /// no way of its own owns a `ScanAndClaim` (unum/scan_and_claim.hpp).
  virtual Task<std::vector<FanInState>> join(const SessionContext& context,
                                             std::span<const FanIn> fan_ins, Wait wait = {}) = 0;

  /// Ends all that was begun; no call may follow. The destructor alone loses nothing that a call
  /// returned.
  virtual Task<void> close() = 0;

  /// What it was asked to do and did.
  virtual StoreCounters counters() const noexcept = 0;
  /// More calls wait for their turn than the store answers in about a second, because it asked for
  /// a slower pace or is away: whoever has work to begin had better begin it later. Cheap.
  virtual bool is_held_back() const noexcept = 0;

 protected:
  Store() = default;
};

// --- The five calls of the data-store document, and what belongs to them ------------------------

/// A new session (a random UUID). No I/O: a session exists when its first value is written.
UNUM_API SessionContext create_session_context(Store& store);
/// The context of a session by its id: any non-empty text of at most kSessionBytesMax bytes (16
/// KiB); a store encodes what is not safe for it. Throws `invalid`.
UNUM_API SessionContext session_context(std::string_view session);
/// The pointer to an instance's outcome in the context's session. Throws `invalid` for a name that
/// is empty or longer than kItemNameBytesMax (16 KiB).
UNUM_API Pointer pointer(const SessionContext& context, std::string_view instance);

/// Creates the outcome of the instance the context is bound to, unless it has one. When it returns,
/// the value is as durable as the store's settings say.
UNUM_API Task<WriteResult> write_return_value(Store& store, const SessionContext& context,
                                              std::string_view value, Wait wait = {});
/// The values in the pointers' order, read in parallel, a bounded number in flight. Missing ones
/// are all named in one `not_found` error, code "Unum.MissingInput".
UNUM_API Task<std::vector<std::string>> read_input(Store& store, const SessionContext& context,
                                                   std::span<const Pointer> pointers,
                                                   Wait wait = {});
/// The same, one by one in order through `consume(place, value)`, holding at most 64 values at a
/// time: for inputs larger than memory should hold.
UNUM_API Task<void> read_input_stream(Store& store, const SessionContext& context,
                                      std::span<const Pointer> pointers,
                                      std::function<void(std::size_t, std::string)> consume,
                                      Wait wait = {});
/// Whether the value exists. Strongly consistent. `pointer` must live until the task has ended.
UNUM_API Task<bool> check_value_exist(Store& store, const SessionContext& context,
                                      const Pointer& pointer, Wait wait = {});
/// Whether all exist. Strongly consistent; stops at the first that does not.
UNUM_API Task<bool> check_values_exist(Store& store, const SessionContext& context,
                                       std::span<const Pointer> pointers, Wait wait = {});

// --- Opening ------------------------------------------------------------------------------------

/// Opens the store "type" by its name; connects, checks that it exists and can be written. Throws
/// `not_found` with type and name when it does not exist: nothing is created in its place;
/// `invalid` for a type that is none (queues with the reason why) and for a name that is something
/// else (a file, for fs), `denied` when it cannot be written.
UNUM_API Task<std::unique_ptr<Store>> open_store(Reactor& reactor, std::string_view type,
                                                 std::string_view name,
                                                 const StoreOptions& options = {}, Wait wait = {});

/// "TYPE:NAME" as it may be shown: what is secret in it, a Redis password, is "***".
UNUM_API std::string shown_store(std::string_view type, std::string_view name);
/// "TYPE:NAME" as it can be given again where the secret comes from elsewhere: it is left out.
/// Equal to what was given if that holds none.
UNUM_API std::string store_without_secret(std::string_view type, std::string_view name);

/// Makes a store explicitly; an existing one is left as it is. Returns whether it was made.
UNUM_API Task<bool> create_store(Reactor& reactor, std::string_view type, std::string_view name,
                                 Wait wait = {});

// --- For the author of a store ------------------------------------------------------------------

/// The store behind the checks that every call begins with, which `open_store` puts around each
/// store: `bug` "Unum.StoreClosed" after `close`; `cancelled` or `timeout` for a `Wait` that has
/// ended; `invalid` "Unum.InvalidName" for an item, an instance or an aggregator whose name is
/// empty or longer than kItemNameBytesMax; `exhausted` "Unum.ValueTooLarge" for a value of more
/// than kValueBytesMax (512 MiB); `bug` "Unum.UnboundContext" for a commit without an instance.
/// They are made when the call is, and thrown by its task. A second `close` does nothing. No call
/// costs a coroutine frame more than without them.
UNUM_API std::unique_ptr<Store> checked(std::unique_ptr<Store> store);
/// Throws `cancelled` or `timeout` if `wait` has ended: for a store's own loops, between two steps
/// that would not notice themselves. `doing` is what the message names.
UNUM_API void check_wait(const Store& store, std::string_view doing, const Wait& wait);
/// `commit` in two steps, `create` and then `join`. No fan-in is looked into when another value
/// stands.
UNUM_API Task<CommitResult> write_then_join(Store& store, const SessionContext& context,
                                            std::string_view value, std::span<const FanIn> fan_ins,
                                            Wait wait = {});

}  // namespace unum
