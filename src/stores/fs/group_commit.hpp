// Durability shared: all writes in flight wait for the disk together.
//
// A write passes two stages: its data, then (after the caller has linked its name) its directory.
// At each stage one flush runs at a time, and whatever arrives meanwhile waits for the next one,
// together. So one write costs two flushes, a thousand cost two as well, and the two stages of
// successive batches overlap. Within a flush each write goes on as soon as its own file is on disk.
// How and why, with figures: docs/decisions/0002-fs-durability.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "stores/fs/directory.hpp"
#include "stores/fs/system_calls.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/reactor.hpp"
#include "unum/store.hpp"
#include "unum/task_group.hpp"

namespace unum::fs {

class GroupCommit {
 public:
  /// `root` is any directory on the store's file system and must outlive this.
  GroupCommit(SystemCalls& calls, StoreCounters& counters, DirectoryPtr root);
  /// Waits for a flush that nobody waits for any more.
  ~GroupCommit();
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  /// Waits until the file's data is on disk; 0 or a negative errno. The error of one file is its
  /// own writer's alone. The file stays open as long as the flush needs it, also if the wait ends
  /// first.
  Task<int> data(std::shared_ptr<const Descriptor> file, std::size_t bytes, Wait wait);
  /// Waits until what stands in the directory now is on disk, and the directory's own name; 0 or a
  /// negative errno.
  Task<int> names(DirectoryPtr directory, Wait wait);
  /// Waits until no flush runs.
  Task<void> drain();

 private:
  struct DataWrite {
    std::shared_ptr<const Descriptor> file;
    int error = 0;
    detail::WaitList waiting;

    explicit DataWrite(std::shared_ptr<const Descriptor> written) : file(std::move(written)) {}
    /// Each goes on by itself: what has its name outlives this process.
    void end(int result) noexcept {
      error = result;
      file.reset();
      waiting.wake_all();
    }
  };
  struct DataBatch {
    std::deque<DataWrite> writes;
    std::size_t bytes = 0;
  };
  struct NamesBatch {
    std::vector<DirectoryPtr> directories;
    std::vector<int> errors;
    detail::WaitList waiting;

    /// directories.size() if it is not in the batch.
    std::size_t place_of(const Directory* directory) const noexcept;
  };

  Task<void> run_data();
  Task<void> flush(DataBatch& batch);
  Task<void> flush_each(DataBatch& batch);
  Task<void> run_names();
  Task<void> flush(NamesBatch& batch);

  SystemCalls& calls_;
  Reactor& reactor_;
  StoreCounters& counters_;
  const DirectoryPtr root_;
  std::shared_ptr<DataBatch> next_data_;
  std::shared_ptr<NamesBatch> next_names_;
  bool data_runs_ = false;
  bool partly_flushed_ = false;    ///< Some writes of the flush of data under way have gone on,
  detail::WaitList data_flushed_;  ///< its names wait here for the others.
  bool names_run_ = false;
  TaskGroup tasks_;
};

}  // namespace unum::fs
