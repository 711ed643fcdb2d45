// What the file-system store adds to the best raw ways to read, look and write durably.
//
// Files are made below the current directory (UNUM_BENCH_DIR names another), which should be on a
// plain disk. They are removed at the end only: ext4 is slow to make files where many were removed
// lately.
#include <algorithm>
#include <filesystem>
#include <memory>

#include "ratio.hpp"
#include "stores_raw.hpp"
#include "unum/store.hpp"
#include "unum/task_group.hpp"

namespace {

using namespace unum;
using namespace unum::bench;

constexpr std::size_t kValueBytes = 1024;

/// One directory with a store in it, beside it the raw ways' directories.
struct Setup {
  Reactor reactor;
  io_uring ring{};
  std::string root;
  std::unique_ptr<Store> store;
  std::unique_ptr<Store> memory;
  std::string value = std::string(kValueBytes, 'v');
  std::size_t count = size(1'000, 20);
  std::vector<std::string> names;
  std::vector<std::string> files;
  std::vector<Pointer> pointers;
  SessionContext context;
  int directory = -1;
  int fresh = 0;

  static Setup& get() {
    static Setup setup;
    return setup;
  }
  ~Setup() {
    std::error_code ignored;
    std::filesystem::remove_all(root, ignored);
  }

  Task<void> write_all(SessionContext at) {
    const auto one = [&](std::size_t i) -> Task<void> {
      co_await write_return_value(*store, at.bound_to(names[i]), value);
    };
    co_await for_each_bounded(names.size(), names.size(), one);
  }
  Task<void> write_in_turn(SessionContext at) {
    for (const std::string& name : names)
      co_await write_return_value(*store, at.bound_to(name), value);
  }
  int raw_directory() { return raw_make_directory(root + "/raw-" + std::to_string(fresh++)); }
  void forget_cached() {
    for (const std::string& file : files) {
      const int fd = ::openat(directory, file.c_str(), O_RDONLY);
      must(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
      ::close(fd);
    }
  }

 private:
  static std::string make_root() {
    const char* where = std::getenv("UNUM_BENCH_DIR");
    std::string path = std::string(where != nullptr ? where : ".") + "/bench-stores-XXXXXX";
    must(::mkdtemp(path.data()) != nullptr, "mkdtemp");
    return path;
  }
  Setup() : root(make_root()), store(open("store")), context(session_context("hot")) {
    must(io_uring_queue_init(1024, &ring,
                             IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) == 0,
         "io_uring");
    for (std::size_t i = 0; i < count; ++i) {
      names.push_back("Count-unumIndex-" + std::to_string(i));
      files.push_back(names.back() + "-output.json");
      pointers.push_back(pointer(context, names.back()));
    }
    reactor.run(write_all(context));
    directory = ::open((root + "/store/hot").c_str(), O_RDONLY | O_DIRECTORY);
    must(directory >= 0, "open session");
  }
  std::unique_ptr<Store> open(const std::string& name) {
    reactor.run(create_store(reactor, "fs", root + "/" + name));
    return reactor.run(open_store(reactor, "fs", root + "/" + name));
  }
};

void register_looks() {
  Setup& s = Setup::get();
  const auto exist = [&s] {
    const bool all = s.reactor.run(check_values_exist(*s.store, s.context, s.pointers));
    must(all, "check_values_exist");
  };
  compare("check 1,000 values", "faccessat", 1.15, s.count, 101, exist,
          [&s] { must(raw_exist(s.directory, s.files) == s.count, "faccessat"); });
  // Both, so that the cheaper one is among them, whichever that is here.
  const std::string session = s.root + "/store/hot";
  compare("check 1,000 values", "getdents", 1.15, s.count, 101, exist, [&s, session] {
    must(raw_exist_by_listing(session.c_str(), s.files) == s.count, "getdents64");
  });
}

void register_reads() {
  Setup& s = Setup::get();
  const auto read = [&s] {
    const std::vector<std::string> values =
        s.reactor.run(read_input(*s.store, s.context, s.pointers));
    must(values.back().size() == kValueBytes, "read_input");
  };
  compare("read 1,000 hot", "open, read, close", 1.0, s.count, 101, read,
          [&s] { must(raw_reads_one_by_one(s.directory, s.files).size() == s.count, "reads"); });
  compare("read 1,000 hot", "open on ring", 1.15, s.count, 101, read, [&s] {
    must(raw_reads_opened_on_ring(s.ring, s.directory, s.files).size() == s.count, "reads");
  });
  compare(
      "read 1,000 cold", "open, read, close", 0.2, s.count, 9, read,
      [&s] { must(raw_reads_one_by_one(s.directory, s.files).size() == s.count, "reads"); },
      [&s] { s.forget_cached(); });
  const std::size_t gets = size(20'000, 20);
  compare(
      "get one hot value", "open, read, close", 1.5, gets, 21,
      [&s, gets] {
        const auto body = [&]() -> Task<void> {
          const ItemId item{s.names[0], ItemKind::outcome};
          for (std::size_t i = 0; i < gets; ++i) co_await s.store->get(s.context, item);
        };
        s.reactor.run(body());
      },
      [&s, gets] {
        const std::vector<std::string> one{s.files[0]};
        for (std::size_t i = 0; i < gets; ++i) raw_reads_one_by_one(s.directory, one);
      });
}

void register_writes() {
  Setup& s = Setup::get();
  const auto ours = [&s] { s.reactor.run(s.write_all(create_session_context(*s.store))); };
  const auto by_syncfs = [&s] {
    const int directory = s.raw_directory();
    raw_writes_by_syncfs(directory, s.files, s.value);
    ::close(directory);
  };
  const auto by_fdatasync = [&s] {
    const int directory = s.raw_directory();
    raw_writes_by_fdatasync(s.ring, directory, s.files, s.value);
    ::close(directory);
  };
  const auto one_by_one = [&s] {
    const int directory = s.raw_directory();
    raw_writes_one_by_one(directory, s.files, s.value);
    ::close(directory);
  };
  compare("write 1,000 durably", "raw by syncfs", 1.2, s.count, 15, ours, by_syncfs);
  compare("write 1,000 durably", "raw by fdatasync", 1.2, s.count, 7, ours, by_fdatasync);
  compare("write 1,000 durably", "one by one", 0.05, s.count, 1, ours, one_by_one);
  compare(
      "write in turn durably", "one by one", 1.2, s.count, 1,
      [&s] { s.reactor.run(s.write_in_turn(create_session_context(*s.store))); }, one_by_one);
}

void register_all() {
  register_looks();
  register_reads();
  register_writes();
}

}  // namespace

UNUM_BENCH_MAIN(register_all)
