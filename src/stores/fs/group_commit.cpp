// The two stages of a group commit, and which system call a batch is flushed with.
#include "stores/fs/group_commit.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

namespace unum::fs {
namespace {

// From here on one syncfs beats an fdatasync for each file (measured: even at about 200 files, 2.4
// times faster at 1,000).
constexpr std::size_t kFilesOfSyncfsMin = 256;
// syncfs also writes what others have in the page cache. With more than this of it each file is
// flushed by itself, so that nobody waits for a neighbour's build or download: 64 MB are 30 ms for
// a plain SSD.
constexpr std::size_t kForeignDirtyBytesMax = 64u * 1024 * 1024;
// Flushes of single files at once; the ring's workers share journal commits among them.
constexpr std::size_t kFlushesInFlightMax = 64;
// Files whose write-back is started before others get a turn.
constexpr std::size_t kStartsAtOnce = 32;

/// Bytes of the machine that wait to be written, as /proc/meminfo has them; SIZE_MAX if it does not
/// say.
std::size_t dirty_bytes() {
  const Descriptor file(::open("/proc/meminfo", O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t size = file ? ::read(file.get(), text, sizeof text) : -1;
  if (size <= 0) return SIZE_MAX;
  const std::string_view all(text, static_cast<std::size_t>(size));
  std::size_t sum = 0;
  for (const std::string_view field : {"\nDirty:", "\nWriteback:"}) {
    std::size_t at = all.find(field);
    if (at == std::string_view::npos) return SIZE_MAX;
    at = all.find_first_not_of(' ', at + field.size());
    std::size_t kilobytes = 0;
    if (at == std::string_view::npos) return SIZE_MAX;
    std::from_chars(all.data() + at, all.data() + all.size(), kilobytes);
    sum += kilobytes * 1024;
  }
  return sum;
}

}  // namespace

GroupCommit::GroupCommit(SystemCalls& calls, StoreCounters& counters, DirectoryPtr root)
    : calls_(calls), reactor_(calls.reactor()), counters_(counters), root_(std::move(root)) {}

GroupCommit::~GroupCommit() {
  while (tasks_.running() > 0) reactor_.run_once(kNoDeadline);
}

Task<void> GroupCommit::drain() { co_await tasks_.drain(); }

// --- Data ---------------------------------------------------------------------------------------

Task<int> GroupCommit::data(std::shared_ptr<const Descriptor> file, std::size_t bytes, Wait wait) {
  if (!next_data_) next_data_ = std::make_shared<DataBatch>();
  const std::shared_ptr<DataBatch> batch = next_data_;
  DataWrite& write = batch->writes.emplace_back(std::move(file));
  batch->bytes += bytes;
  if (!data_runs_) {
    data_runs_ = true;
    tasks_.spawn(run_data());
  }
  const int woken = co_await write.waiting.wait(reactor_, wait);
  co_return woken < 0 ? woken : write.error;
}

Task<void> GroupCommit::run_data() {
  while (next_data_) {
    // Whoever can write in this turn of the loop belongs to this flush, not to the next.
    co_await reactor_.yield();
    const std::shared_ptr<DataBatch> batch = std::exchange(next_data_, nullptr);
    co_await flush(*batch);
    partly_flushed_ = false;
    data_flushed_.wake_all();
  }
  data_runs_ = false;
}

Task<void> GroupCommit::flush(DataBatch& batch) {
  ++counters_.flushes;
  if (batch.writes.size() >= kFilesOfSyncfsMin &&
      dirty_bytes() <= kForeignDirtyBytesMax + batch.bytes) {
    int fd = root_->fd.get();
    // An error is of the whole file system: ask each file whether it is its own.
    const int synced = co_await calls_.sync_file_system(fd);
    if (synced == 0) {
      for (DataWrite& write : batch.writes) write.end(0);
      co_return;
    }
  }
  co_await flush_each(batch);
}

Task<void> GroupCommit::flush_each(DataBatch& batch) {
  const std::size_t count = batch.writes.size();
  // All write-back is on its way before the first wait, so that one journal commit has them all.
  for (std::size_t i = 0; count > 1 && i < count; ++i) {
    calls_.start_writing(batch.writes[i].file->get());
    if (i % kStartsAtOnce == kStartsAtOnce - 1) co_await reactor_.yield();
  }
  const auto flush_one = [&](std::size_t i) -> Task<void> {
    DataWrite& write = batch.writes[i];
    const int result = co_await calls_.sync_data(write.file->get());
    partly_flushed_ = true;
    write.end(result);
  };
  co_await for_each_bounded(count, kFlushesInFlightMax, flush_one);
}

// --- Names --------------------------------------------------------------------------------------

std::size_t GroupCommit::NamesBatch::place_of(const Directory* directory) const noexcept {
  const auto found =
      std::find_if(directories.begin(), directories.end(),
                   [&](const DirectoryPtr& other) { return other.get() == directory; });
  return static_cast<std::size_t>(found - directories.begin());
}

Task<int> GroupCommit::names(DirectoryPtr directory, Wait wait) {
  if (!next_names_) next_names_ = std::make_shared<NamesBatch>();
  const std::shared_ptr<NamesBatch> batch = next_names_;
  // A directory whose own name is not on disk yet brings those above it along.
  for (DirectoryPtr at = directory; at; at = at->name_durable ? nullptr : at->parent) {
    if (batch->place_of(at.get()) < batch->directories.size()) continue;
    batch->directories.push_back(at);
    batch->errors.push_back(0);
  }
  if (!names_run_) {
    names_run_ = true;
    tasks_.spawn(run_names());
  }
  const int woken = co_await batch->waiting.wait(reactor_, wait);
  if (woken < 0) co_return woken;
  for (const Directory* at = directory.get(); at != nullptr; at = at->parent.get()) {
    const std::size_t place = batch->place_of(at);
    if (place == batch->directories.size()) break;
    if (batch->errors[place] < 0) co_return batch->errors[place];
  }
  co_return 0;
}

Task<void> GroupCommit::run_names() {
  while (next_names_) {
    co_await reactor_.yield();
    // The names of one flush of data go together, not the first by itself and the others after it.
    if (partly_flushed_) co_await data_flushed_.wait(reactor_, {});
    const std::shared_ptr<NamesBatch> batch = std::exchange(next_names_, nullptr);
    co_await flush(*batch);
    batch->waiting.wake_all();
  }
  names_run_ = false;
}

Task<void> GroupCommit::flush(NamesBatch& batch) {
  ++counters_.flushes;
  // What is stamped earlier was linked before this flush.
  const timespec begun = calls_.stamp_time();
  const auto flush_one = [&](std::size_t i) -> Task<void> {
    const int result = co_await calls_.sync_all(batch.directories[i]->fd.get());
    // Some file systems have no fsync of a directory; theirs are written through.
    batch.errors[i] = result == -EINVAL ? 0 : result;
  };
  co_await for_each_bounded(batch.directories.size(), kFlushesInFlightMax, flush_one);
  for (std::size_t i = 0; i < batch.directories.size(); ++i) {
    Directory& directory = *batch.directories[i];
    if (batch.errors[i] < 0) continue;
    directory.synced_before = begun;
    const std::size_t parent = batch.place_of(directory.parent.get());
    if (parent < batch.directories.size() && batch.errors[parent] == 0)
      directory.name_durable = true;
  }
}

}  // namespace unum::fs
