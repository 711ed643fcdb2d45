// Whole files and directories.
#include "reactor/files.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <fstream>

#include "ports.hpp"

using namespace unum;
using namespace unum::test;

namespace {

template <class F>
Error failure_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorKind::bug, "test", "", "nothing was thrown");
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 255);
  return text;
}

}  // namespace

TEST_CASE("a file of any size is written and read whole") {
  const std::size_t size =
      GENERATE(0u, 1u, 1000u, 4095u, 4096u, 4097u, 65535u, 65536u, 65537u, 3'000'000u);
  ON_EACH_PORT(reactor);
  Scratch scratch;
  const Descriptor directory(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string content = pattern(size);
  const bool durable = size % 2 == 0;
  reactor.run(write_new_file(reactor, directory.get(), "f", content, 0600, durable));
  CHECK(reactor.run(read_file(reactor, directory.get(), "f", size)) == content);
  CHECK(reactor.run(read_file_if_any(reactor, directory.get(), "f", SIZE_MAX)) == content);
  if (size > 0) {
    const Error error =
        failure_of([&] { reactor.run(read_file(reactor, directory.get(), "f", size - 1)); });
    CHECK(error.kind() == ErrorKind::exhausted);
    CHECK(error.message().find(scratch / "f") != std::string::npos);
  }
}

TEST_CASE("a file that is not in the page cache is read by the ring") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  const std::string content = pattern(300'000);
  const std::string path = scratch / "f";
  reactor.run(write_new_file(reactor, AT_FDCWD, path.c_str(), content, 0600, true));
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  CHECK(reactor.run(read_file(reactor, AT_FDCWD, path.c_str(), SIZE_MAX)) == content);
}

TEST_CASE("a file whose size the system does not know is read to its end") {
  ON_EACH_PORT(reactor);
  CHECK(reactor.run(read_file(reactor, AT_FDCWD, "/proc/self/status", 1 << 20)).size() > 500);
}

TEST_CASE("an absent file is nothing where it may be absent, and an error with its path else") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  const Descriptor directory(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK_FALSE(reactor.run(read_file_if_any(reactor, directory.get(), "none", 10)));
  const Error error =
      failure_of([&] { reactor.run(read_file(reactor, directory.get(), "none", 10)); });
  CHECK(error.kind() == ErrorKind::not_found);
  CHECK(error.message() == "opening " + (scratch / "none") + ": No such file or directory");
  CHECK(failure_of([&] { reactor.run(read_file(reactor, AT_FDCWD, "/etc", 10)); }).code() ==
        "EISDIR");
}

TEST_CASE("a new file is a conflict where one exists, and is gone where it could not be written") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  const std::string path = scratch / "f";
  reactor.run(write_new_file(reactor, AT_FDCWD, path.c_str(), "first"));
  const Error error =
      failure_of([&] { reactor.run(write_new_file(reactor, AT_FDCWD, path.c_str(), "second")); });
  CHECK(error.kind() == ErrorKind::conflict);
  CHECK(error.message().find(path) != std::string::npos);
  CHECK(reactor.run(read_file(reactor, AT_FDCWD, path.c_str(), 100)) == "first");

  const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Error no_room = failure_of([&] { reactor.run(write_all(reactor, full.get(), "x")); });
  CHECK(no_room.kind() == ErrorKind::exhausted);
  CHECK(no_room.message().find("/dev/full") != std::string::npos);
}

TEST_CASE("a directory is listed as it is") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  std::map<std::string, unsigned char> expected;
  for (int i = 0; i < 900; ++i) {
    const std::string name = "file-" + std::to_string(i);
    std::ofstream(scratch / name);
    expected[name] = DT_REG;
  }
  std::filesystem::create_directory(scratch / ".hidden");
  expected[".hidden"] = DT_DIR;
  const Descriptor directory(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int round = 0; round < 2; ++round) {
    std::map<std::string, unsigned char> listed;
    std::vector<DirectoryEntry> entries;
    REQUIRE(list_entries(directory.get(), entries) == 0);
    for (const DirectoryEntry& entry : entries) {
      listed[entry.name] = entry.type == DT_UNKNOWN ? expected[entry.name] : entry.type;
    }
    CHECK(listed == expected);
  }
  CHECK_FALSE(is_slow_file_system(directory.get()));
}

TEST_CASE("many files are read with a bounded number in flight, and none stays open") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  for (int i = 0; i < 1000; ++i) std::ofstream(scratch / std::to_string(i)) << "value " << i;
  const Descriptor directory(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::size_t before = open_descriptors();
  int right = 0;
  auto body = [&]() -> Task<void> {
    co_await for_each_bounded(1000, 64, [&](std::size_t i) -> Task<void> {
      const std::string name = std::to_string(i);
      const std::string text = co_await read_file(reactor, directory.get(), name.c_str(), 100);
      right += text == "value " + name ? 1 : 0;
    });
  };
  reactor.run(body());
  CHECK(right == 1000);
  if (backend == Backend::uring) CHECK(open_descriptors() == before);
}

TEST_CASE("a wait that ends first is an error of its kind") {
  ON_EACH_PORT(reactor);
  StopSource stop;
  stop.request("enough");
  const Wait stopped{kNoDeadline, stop.token()};
  CHECK(failure_of([&] {
          reactor.run(read_file(reactor, AT_FDCWD, "/etc/passwd", 99, stopped));
        }).kind() == ErrorKind::cancelled);
}
