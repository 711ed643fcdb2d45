// The contract of an intermediary data store: items read and written by name.
//
// A value is created once and never changes; what an absent or an already written item means is
// told by return values, not by errors. Values are opaque bytes to a store. All calls are
// coroutines of the one reactor that the store was opened on; a store outlives all calls on it. A
// call whose `Wait` ends early throws `timeout` or `cancelled`; whether a write took place is then
// unknown, and writing again settles it.
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

/// What an item of a session is. Together with its session and its name it is the item's whole key.
enum class ItemKind : std::uint8_t {
  outcome,  ///< An instance's result or caught failure; `<instance>-output`. Created once.
  report,   ///< A failure nobody caught; `<instance>-error`. May be overwritten.
  input,    ///< What the entry function was given; `<entry>-input`. Created once.
  claim,    ///< Who may invoke an aggregator; `<aggregator>-fanin`. Created once.
  wanted,   ///< A fan-in that was requested, with its list; `<aggregator>-wanted`. Created once.
  garbage,  ///< What a parent's children have done; `<parent>-gc`.
  application,  ///< Whose session it is; `<entry>-application`.
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

/// Names a value: an instance of the context's session. Opaque to the runtime; made by
/// `DataStore::pointer`.
class UNUM_API Pointer {
 public:
  const std::string& name() const noexcept { return name_; }
  friend bool operator==(const Pointer&, const Pointer&) = default;

 private:
  friend class DataStore;
  explicit Pointer(std::string name) : name_(std::move(name)) {}
  std::string name_;
};

/// A session, and the instance that writes in it once it is bound to one. Opaque to the runtime;
/// made by the store. Copied by value.
class UNUM_API SessionContext {
 public:
  const std::string& session() const noexcept { return session_; }
  /// Empty until bound.
  const std::string& instance() const noexcept { return instance_; }
  SessionContext bound_to(std::string_view instance) const {
    return SessionContext(session_, std::string(instance));
  }

 private:
  friend class DataStore;
  SessionContext(std::string session, std::string instance)
      : session_(std::move(session)), instance_(std::move(instance)) {}
  std::string session_;
  std::string instance_;
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

struct FanInRecord;

class UNUM_API DataStore {
 public:
  /// "fs", "memory", "redis", ...
  virtual std::string_view type() const noexcept = 0;
  /// The name it was opened by: a directory, bucket, table or server.
  virtual const std::string& name() const noexcept = 0;
  virtual ~DataStore();
  DataStore(const DataStore&) = delete;
  DataStore& operator=(const DataStore&) = delete;

  // --- The five calls of the data-store document
  // ---------------------------------------------------

  /// A new session (a random UUID). No I/O: a session exists when its first value is written.
  SessionContext create_session_context();
  /// The context of a session by its id: any non-empty text of at most kSessionBytesMax bytes; what
  /// is not safe for a store is encoded by it. Throws `invalid`.
  SessionContext session_context(std::string_view session);
  Pointer pointer(const SessionContext& context, std::string_view instance) const;

  /// Creates the outcome of the instance the context is bound to, unless it has one. When it
  /// returns, the value is as durable as the store's settings say.
  Task<WriteResult> write_return_value(const SessionContext& context, std::string_view value,
                                       Wait wait = {});
  /// The values in the pointers' order, read in parallel, a bounded number in flight. Missing ones
  /// are all named in one `not_found` error, code "Unum.MissingInput".
  Task<std::vector<std::string>> read_input(const SessionContext& context,
                                            std::span<const Pointer> pointers, Wait wait = {});
  /// The same, one by one in order through `consume(place, value)`, holding at most a bounded
  /// number of values at a time: for inputs larger than memory should hold.
  Task<void> read_input_stream(const SessionContext& context, std::span<const Pointer> pointers,
                               std::function<void(std::size_t, std::string)> consume,
                               Wait wait = {});
  /// Whether the value exists. Strongly consistent.
  Task<bool> check_value_exist(const SessionContext& context, const Pointer& pointer,
                               Wait wait = {});
  /// Whether all exist. Strongly consistent; stops at the first that does not.
  Task<bool> check_values_exist(const SessionContext& context, std::span<const Pointer> pointers,
                                Wait wait = {});

  // --- Beside them
  // -----------------------------------------------------------------------------------

  /// The checkpoint and the fan-ins it takes part in, in as few round trips as the store can. Looks
  /// come after the checkpoint is durable, never before. The default is write, then scan and claim.
  virtual Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                                    std::span<const FanIn> fan_ins, Wait wait = {});
  /// The fan-ins alone, for an outcome that is already stored.
  virtual Task<std::vector<FanInState>> join(const SessionContext& context,
                                             std::span<const FanIn> fan_ins, Wait wait = {});

  /// The item's value, or nothing. Strongly consistent.
  virtual Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                               Wait wait = {}) = 0;
  /// Creates the item unless it exists.
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
  /// Ends all that was begun; no call may follow. The destructor alone loses nothing that a call
  /// returned.
  virtual Task<void> close() = 0;

  /// What it was asked to do and did.
  virtual StoreCounters counters() const noexcept = 0;
  /// More calls wait for their turn than the store answers in about a second, because it asked for
  /// a slower pace or is away: whoever has work to begin had better begin it later. Cheap.
  virtual bool is_held_back() const noexcept { return false; }

 protected:
  explicit DataStore(Reactor& reactor);
  Reactor& reactor() const noexcept { return reactor_; }

  /// What every call begins with: throws `bug` after `close`, `cancelled` or `timeout` when `wait`
  /// has ended, and `invalid` for an item without a name or with one that is longer than
  /// kItemNameBytesMax.
  void begin_call(std::string_view what, const Wait& wait) const;
  void begin_call(std::string_view what, const ItemId& item, const Wait& wait) const;
  /// Throws `exhausted` for a value above kValueBytesMax.
  void check_value(const ItemId& item, std::string_view value) const;
  /// To be called by `close`.
  void mark_closed() noexcept { closed_ = true; }
  bool closed() const noexcept { return closed_; }
  /// To be called by whatever takes items away: what looks have found is then looked for again.
  void forget_looks() noexcept;

  /// Outcomes of `names`, in order; nothing where one is missing. The five calls are made of these
  /// three.
  virtual Task<std::vector<std::optional<std::string>>> get_outcomes(
      const SessionContext& context, std::span<const Pointer> pointers, Wait wait) = 0;
  /// Whether all outcomes exist, the cheapest way the store has.
  virtual Task<bool> outcomes_exist(const SessionContext& context,
                                    std::span<const Pointer> pointers, Wait wait) = 0;
  /// Called when a fan-in was seen complete, before it is claimed: makes what was seen as durable
  /// as the store's settings say (another process's value may be visible before it is on disk).
  virtual Task<void> settle(const SessionContext& context, Wait wait);
  /// From how many names on contributors of one process that come at the same time look for each
  /// other, one after the other: 1 where a look is a request.
  virtual std::size_t looks_shared_from() const noexcept { return 16; }
  /// `join` for one requester or observer. The list is known from its record alone, so that no
  /// store can count marks: they look whether the names exist, on every store.
  Task<FanInState> join_requested(const SessionContext& context, const FanIn& fan_in, Wait wait);

 private:
  struct Looks;
  struct LooksTable;
  Task<FanInState> request(const SessionContext& context, const FanIn& fan_in, const Wait& wait);
  Task<FanInState> observe(const SessionContext& context, const FanIn& fan_in, const Wait& wait);
  Task<FanInState> scan_and_claim(const SessionContext& context, const FanIn& fan_in,
                                  const Wait& wait);
  Task<bool> complete(const SessionContext& context, const FanIn& fan_in, Looks& looks,
                      const Wait& wait);
  Task<FanInState> claim(const SessionContext& context, const FanIn& fan_in,
                         const FanInRecord& mine, bool seen_before, const Wait& wait);

  Reactor& reactor_;
  std::unique_ptr<LooksTable> looks_;
  bool closed_ = false;
};

/// Opens the store "type" by its name; connects, checks that it exists and can be written. Throws
/// `not_found` with type and name when it does not exist: nothing is created in its place;
/// `invalid` for a type that is none (queues with the reason why) and for a name that is something
/// else (a file, for fs), `denied` when it cannot be written.
UNUM_API Task<std::unique_ptr<DataStore>> open_store(Reactor& reactor, std::string_view type,
                                                     std::string_view name,
                                                     const StoreOptions& options = {},
                                                     Wait wait = {});

/// "TYPE:NAME" as it may be shown: what is secret in it, a Redis password, is "***".
UNUM_API std::string shown_store(std::string_view type, std::string_view name);
/// "TYPE:NAME" as it can be given again where the secret comes from elsewhere: it is left out.
/// Equal to what was given if that holds none.
UNUM_API std::string store_without_secret(std::string_view type, std::string_view name);

/// Makes a store explicitly; an existing one is left as it is. Returns whether it was made.
UNUM_API Task<bool> create_store(Reactor& reactor, std::string_view type, std::string_view name,
                                 Wait wait = {});

}  // namespace unum
