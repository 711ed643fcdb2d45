// The file-system store's state and its calls; their bodies stand in fs_read.cpp, fs_write.cpp and
// fs_store.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stores/fs/cache_guess.hpp"
#include "stores/fs/group_commit.hpp"
#include "stores/fs/name_set.hpp"
#include "stores/fs/path.hpp"
#include "stores/fs/session_directories.hpp"
#include "stores/fs/system_calls.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/scan_and_claim.hpp"
#include "unum/store.hpp"

namespace unum::fs {

/// How this file system is to be used, found out when the store is opened.
struct FileSystem {
  bool unnamed = true;        ///< Files without a name (O_TMPFILE) can be written and linked,
  bool by_descriptor = true;  ///< and linked by their descriptor, not only by way of /proc.
};

class FsStore final : public Store {
 public:
  FsStore(std::unique_ptr<SystemCalls> calls, std::string name, const DirectoryPtr& root,
          FileSystem file_system, const StoreOptions& options);
  ~FsStore() override;

  std::string_view type() const noexcept override { return "fs"; }
  const std::string& name() const noexcept override { return name_; }
  Reactor& reactor() const noexcept override { return calls_->reactor(); }
  StoreCounters counters() const noexcept override { return counters_; }
  bool is_held_back() const noexcept override { return false; }

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override;
  Task<std::optional<std::string>> get_range(const SessionContext& context, const ItemId& item,
                                             ByteRange range, Wait wait) override;
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override;
  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait wait) override;
  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override;
  Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait) override;
  Task<std::vector<std::string>> list_sessions(Wait wait) override;
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override;
  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait wait) override;
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    return write_then_join(*this, context, value, fan_ins, wait);
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    return fan_in_.join(context, fan_ins, wait);
  }
  Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                     std::span<const ItemId> items, Wait wait) override;
  Task<void> close() override;

 private:
  /// A file that is written but has no name yet, or one that nobody looks up; gone when this goes.
  struct Temporary {
    SystemCalls* calls = nullptr;
    std::shared_ptr<const Descriptor> file;
    DirectoryPtr directory;
    std::string name;  ///< Empty for a file without a name.

    Temporary() = default;
    Temporary(Temporary&&) = default;
    /// What stood here goes with `other`.
    Temporary& operator=(Temporary&& other) noexcept {
      std::swap(calls, other.calls);
      std::swap(file, other.file);
      std::swap(directory, other.directory);
      std::swap(name, other.name);
      return *this;
    }
    ~Temporary();
  };
  /// A file found by name: what was read of it and when it got its name.
  struct Found {
    std::string value;
    timespec changed{};
    std::optional<ByteRange> part{};  ///< Of the file, that is to be read; nothing: the whole.
  };
  /// What the kernel's cache holds of a file; `cold`: reading it may wait for the disk.
  enum class CacheRead : std::uint8_t { found, absent, cold };
  /// One of the places for writes in flight, which bound the descriptors they hold.
  class Slot;

  // Reading.
  CacheRead read_cached(const Directory& directory, const char* file, bool with_stamp,
                        CacheGuess& guess, Found& out);
  /// The same of a file that is open.
  CacheRead read_cached(int fd, const Directory& directory, const char* file, bool with_stamp,
                        CacheGuess& guess, Found& out);
  CacheRead read_part_cached(int fd, const Directory& directory, const char* file, Found& out);
  Task<bool> read_waiting(const Directory& directory, const char* file, Found& out, Wait wait);
  Task<bool> read_item(const SessionContext& context, const ItemPath& path, bool with_stamp,
                       Found& out, DirectoryPtr& directory, Wait wait);
  Task<bool> read_settled(const SessionContext& context, const ItemId& item, Found& out, Wait wait);
  Task<void> read_on_ring(const Directory& directory, std::span<const Pointer> pointers,
                          std::vector<std::optional<std::string>>& values,
                          std::vector<std::size_t>& cold, Wait wait);
  Task<void> read_at_once(const Directory& directory, std::span<const Pointer> pointers,
                          std::vector<std::optional<std::string>>& values,
                          std::vector<std::size_t>& cold, Wait wait);
  Task<void> read_cold(const SessionContext& context, std::span<const Pointer> pointers,
                       const std::vector<std::size_t>& places,
                       std::vector<std::optional<std::string>>& values, Wait wait);
  Task<DirectoryPtr> directory_of(const SessionContext& context, const ItemPath& path, Wait wait);
  Task<void> revalidate(const Directory& directory, Wait wait);
  Task<bool> exist_slow(const SessionContext& context, std::span<const Pointer> pointers,
                        Wait wait);
  Task<void> list_if_cheaper(const Directory& directory, std::size_t checks, NameSet& out);
  Task<bool> exist_one(const SessionContext& context, const Pointer& pointer, Wait wait);
  /// Forgets the session if its directory was removed behind us: it may have been made anew.
  bool forget_if_gone(const SessionContext& context, const Directory& directory) noexcept;

  // Writing.
  Task<Temporary> write_temporary(const SessionContext& context, const ItemId& item,
                                  DirectoryPtr directory, std::string_view value, bool named,
                                  Wait wait);
  Task<void> write_data(const Temporary& temporary, const SessionContext& context,
                        const ItemId& item, std::string_view value, bool flush, Wait wait);
  Task<void> keep_beside(const SessionContext& context, const ItemId& item, bool flush, Wait wait);
  Task<void> bury(const SessionContext& context, const std::string& instance, Wait wait);
  Task<void> make_tombstone(Wait wait);
  Task<int> link_tombstone(const Directory& directory, const char* name, Wait wait);
  Task<int> link_into(const Temporary& temporary, const Directory& directory, const char* file,
                      Wait wait);
  Task<void> wait_for_names(const DirectoryPtr& directory, const SessionContext& context,
                            const ItemId& item, Wait wait);
  bool is_durable(ItemKind kind) const noexcept;
  std::string temporary_name();
  std::string described(const SessionContext& context, const ItemId& item) const;
  [[noreturn]] void throw_failed(int error, std::string_view doing, const SessionContext& context,
                                 const ItemId& item) const;

  // Listing.
  Task<void> list_items(DirectoryPtr directory, std::string prefix, std::vector<ListedItem>& out,
                        Wait wait);
  Task<void> list_sessions_in(DirectoryPtr directory, std::string prefix,
                              std::vector<std::string>& out, Wait wait);
  Task<void> settle(const SessionContext& context, Wait wait);
  Task<void> settle_nested(DirectoryPtr directory, Wait wait);
  Task<void> remove_if_empty(DirectoryPtr directory, const Directory* until);

  const std::unique_ptr<SystemCalls> calls_;
  const std::string name_;
  const FileSystem file_system_;
  const bool durable_;
  const std::size_t in_flight_max_;
  StoreCounters counters_;
  SessionDirectories sessions_;
  GroupCommit commit_;
  std::size_t free_slots_;
  detail::WaitList slot_waiters_;
  std::string temporary_prefix_;
  std::uint64_t temporaries_ = 0;
  /// One file that all tombstones are names of; who makes a name holds it.
  std::shared_ptr<const Temporary> tombstone_;
  ScanAndClaim fan_in_;
};

/// `open_fs_store` with system calls of the caller's own.
Task<std::unique_ptr<Store>> open_with(std::unique_ptr<SystemCalls> calls, std::string_view name,
                                       const StoreOptions& options);

}  // namespace unum::fs
