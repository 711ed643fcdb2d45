// What the reactor adds to the system calls it makes: an await against a raw ring, files against
// the best raw ways to read them.
#include <fcntl.h>
#include <liburing.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "allocation_count.hpp"
#include "ratio.hpp"
#include "reactor/files.hpp"
#include "unum/reactor.hpp"
#include "unum/task_group.hpp"

namespace {

using namespace unum;

constexpr unsigned kBatch = 64;
constexpr std::size_t kFileBytes = 1024;

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "reactor_bench: %s\n", what);
  std::exit(1);
}

/// A bare ring with the flags that the port takes where it can.
class RawRing {
 public:
  RawRing() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    if (io_uring_queue_init_params(512, &ring_, &params) != 0) give_up("no io_uring");
  }
  ~RawRing() { io_uring_queue_exit(&ring_); }
  RawRing(const RawRing&) = delete;
  RawRing& operator=(const RawRing&) = delete;
  io_uring& ring() { return ring_; }

  void nops(std::size_t count, unsigned batch) {
    for (std::size_t done = 0; done < count; done += batch) {
      for (unsigned i = 0; i < batch; ++i) {
        io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
        io_uring_prep_nop(sqe);
        io_uring_sqe_set_data64(sqe, i);
      }
      io_uring_submit_and_wait(&ring_, batch);
      unsigned head = 0;
      unsigned seen = 0;
      io_uring_cqe* cqe = nullptr;
      io_uring_for_each_cqe(&ring_, head, cqe) {
        if (cqe->res != 0) give_up("a NOP failed");
        ++seen;
      }
      io_uring_cq_advance(&ring_, seen);
      if (seen != batch) give_up("completions are missing");
    }
  }

 private:
  io_uring ring_{};
};

Task<void> awaited_nops(Reactor& reactor, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const int result = co_await reactor.nop();
    if (result != 0) give_up("a NOP failed");
  }
}

Task<void> one_nop(Reactor& reactor) {
  const int result = co_await reactor.nop();
  if (result != 0) give_up("a NOP failed");
}

Task<void> nops_by_tasks(Reactor& reactor, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await one_nop(reactor);
}

/// `width` coroutines beside each other that share the count.
Task<void> beside(Reactor& reactor, std::size_t count, std::size_t width, bool task_for_each) {
  co_await for_each_bounded(width, width, [&](std::size_t) {
    return task_for_each ? nops_by_tasks(reactor, count / width)
                         : awaited_nops(reactor, count / width);
  });
}

/// Files of one directory, read again and again.
class Files {
 public:
  explicit Files(std::size_t count) : count_(count) {
    std::string path = (std::filesystem::temp_directory_path() / "unum-bench-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) give_up("no directory for files");
    path_ = path;
    const std::string content(kFileBytes, 'v');
    for (std::size_t i = 0; i < count; ++i) {
      names_.push_back("value-" + std::to_string(i) + ".json");
      const Descriptor file(::open((path_ / names_.back()).c_str(), O_WRONLY | O_CREAT, 0600));
      if (::write(file.get(), content.data(), content.size()) != ssize_t{kFileBytes}) {
        give_up("no room for files");
      }
    }
    directory_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~Files() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  std::size_t count() const { return count_; }
  int directory() const { return directory_.get(); }
  const char* name(std::size_t i) const { return names_[i].c_str(); }

  /// Open, read and close, one after the other.
  void read_synchronously() const {
    for (std::size_t i = 0; i < count_; ++i) {
      const Descriptor file(::openat(directory(), name(i), O_RDONLY | O_CLOEXEC));
      std::string content(kFileBytes, '\0');
      if (::read(file.get(), content.data(), kFileBytes) != ssize_t{kFileBytes}) give_up("a read");
    }
  }

  /// The best raw way found: opens on the ring in phases, cached reads and closes by plain calls.
  void read_raw(io_uring& ring) const {
    for (std::size_t first = 0; first < count_; first += kBatch) {
      const auto now = static_cast<unsigned>(std::min<std::size_t>(kBatch, count_ - first));
      for (unsigned i = 0; i < now; ++i) {
        io_uring_prep_openat(io_uring_get_sqe(&ring), directory(), name(first + i),
                             O_RDONLY | O_CLOEXEC, 0);
      }
      io_uring_submit_and_wait(&ring, now);
      unsigned head = 0;
      io_uring_cqe* cqe = nullptr;
      io_uring_for_each_cqe(&ring, head, cqe) {
        const Descriptor file(cqe->res);
        std::string content(kFileBytes, '\0');
        iovec part{content.data(), kFileBytes};
        if (::preadv2(file.get(), &part, 1, 0, RWF_NOWAIT) != ssize_t{kFileBytes})
          give_up("a read");
      }
      io_uring_cq_advance(&ring, now);
    }
  }

 private:
  std::filesystem::path path_;
  std::size_t count_;
  std::vector<std::string> names_;
  Descriptor directory_;
};

Task<void> read_files(Reactor& reactor, const Files& files) {
  co_await for_each_bounded(files.count(), kBatch, [&](std::size_t i) -> Task<void> {
    const std::string content =
        co_await read_file(reactor, files.directory(), files.name(i), SIZE_MAX);
    if (content.size() != kFileBytes) give_up("a read");
  });
}

/// Says what a run allocates for each await, in the steady state.
void count_allocations(benchmark::State& state) {
  Reactor reactor;
  const std::size_t count = bench::size(100'000, 100);
  reactor.run(beside(reactor, count, 4, true));  // fills the pool of frames
  for ([[maybe_unused]] auto once : state) {
    const std::size_t before = bench::allocation_count.load();
    reactor.run(beside(reactor, count, 4, true));
    const std::size_t made = bench::allocation_count.load() - before;
    // The bounded loop's own slots and closure are the only ones, however many awaits there are.
    state.counters["allocations"] = static_cast<double>(made);
    state.counters["awaits"] = static_cast<double>(count);
    if (made > 4) state.SkipWithError("an await allocates");
  }
}

void register_all() {
  benchmark::RegisterBenchmark("allocations", count_allocations)->Iterations(1);
  static Reactor reactor;
  if (reactor.backend() != Reactor::Backend::uring) {
    std::fprintf(stderr, "no comparison with a raw ring: %s\n", reactor.backend_reason().c_str());
    return;
  }
  static RawRing raw;
  const std::size_t nops = bench::size(6400, 64);
  bench::compare(
      "await NOP", "raw ring", 1.3, nops, 301, [=] { reactor.run(awaited_nops(reactor, nops)); },
      [=] { raw.nops(nops, 1); });
  bench::compare(
      "await NOP, 64 at once", "raw ring, 64 at once", 1.3, nops, 301,
      [=] { reactor.run(beside(reactor, nops, kBatch, false)); }, [=] { raw.nops(nops, kBatch); });
  bench::compare(
      "Task with a NOP, 64 at once", "raw ring, 64 at once", 1.6, nops, 301,
      [=] { reactor.run(beside(reactor, nops, kBatch, true)); }, [=] { raw.nops(nops, kBatch); });
  static const Files files(bench::size(1000, 10));
  bench::compare(
      "1 KB files, hot", "raw ring and preadv2", 1.15, files.count(), 101,
      [] { reactor.run(read_files(reactor, files)); }, [] { files.read_raw(raw.ring()); });
  bench::compare(
      "1 KB files, hot", "synchronous loop", 1.0, files.count(), 101,
      [] { reactor.run(read_files(reactor, files)); }, [] { files.read_synchronously(); });
}

}  // namespace

UNUM_BENCH_MAIN(register_all)
