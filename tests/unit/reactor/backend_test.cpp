// The choice of the port: by wish, by the environment, and where the kernel refuses io_uring.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/json.hpp"
#include "ports.hpp"
#include "reactor/files.hpp"

using namespace unum;
using namespace unum::test;

namespace {

/// From here on a system call answers this error, as under a container's seccomp profile.
bool refuse(unsigned call, int error) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof filter / sizeof *filter, filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// What a child process writes that runs `body` under such a filter; "" if there can be none here.
template <class Body>
std::string output_under_filter(int error, Body body, unsigned call = SYS_io_uring_setup) {
  Pipe pipe = make_pipe();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (!refuse(call, error)) ::_exit(77);
    ::dup2(pipe.write_end.get(), 1);
    ::dup2(pipe.write_end.get(), 2);
    ::_exit(body());
  }
  pipe.write_end.reset();
  std::string output;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = ::read(pipe.read_end.get(), buffer, sizeof buffer)) > 0) {
    output.append(buffer, static_cast<std::size_t>(count));
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return {};
  CAPTURE(output);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  return output;
}

int say(const std::string& text) {
  return ::write(1, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
}

const char* name_of(int error) {
  return error == EPERM ? "EPERM" : error == ENOMEM ? "ENOMEM" : "ENOSYS";
}

/// An example from its store's making to its result, on the file system, which takes another way on
/// each port.
int run_nested_maps(const char* binary, const char* root) {
  const char* const script =
      "dir=$(mktemp -d) && trap 'rm -r \"$dir\"' EXIT && \"$0\" store create fs:\"$dir\" && "
      "\"$0\" run \"$1/examples/nested-maps\" --input @\"$1/examples/nested-maps/input.json\" "
      "--store fs:\"$dir\"";
  ::execl("/bin/sh", "sh", "-c", script, binary, root, nullptr);
  return 1;
}

std::string nested_maps_result(const char* root) {
  std::ifstream file(std::string(root) + "/examples/nested-maps/expected.json");
  const std::string expected(std::istreambuf_iterator<char>(file), {});
  REQUIRE_FALSE(expected.empty());
  return json::minify(json::validate(expected, "the expected result")).text();
}

class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value, 1);
  }
  ~Variable() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("the port is what was asked for, and says so") {
  ON_EACH_PORT(reactor);
  CHECK(reactor.backend() == backend);
  const std::string name = backend == Backend::uring ? "io_uring" : "epoll";
  CHECK(reactor.backend_reason().rfind(name, 0) == 0);
}

TEST_CASE("UNUM_REACTOR chooses the port, and nonsense in it is refused") {
  {
    const Variable variable("UNUM_REACTOR", "epoll");
    const Reactor reactor;
    CHECK(reactor.backend() == Backend::epoll);
    CHECK(reactor.backend_reason() == "epoll (UNUM_REACTOR)");
  }
  {
    const Variable variable("UNUM_REACTOR", "");
    const Reactor reactor;
    CHECK((reactor.backend() == Backend::uring) == refusal_of(Backend::uring).empty());
  }
  const Variable variable("UNUM_REACTOR", "kqueue");
  try {
    const Reactor reactor;
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid);
    CHECK(error.message() == "UNUM_REACTOR is \"kqueue\"; it may be \"uring\" or \"epoll\"");
  }
}

TEST_CASE(
    "where io_uring is refused, or has no memory to lock, the reactor works on epoll and says why "
    "(found 25)") {
  const int error = GENERATE(EPERM, ENOSYS, ENOMEM);
  const Variable variable("UNUM_REACTOR", "");
  const std::string output = output_under_filter(error, [] {
    Reactor reactor;
    auto body = [&]() -> Task<std::string> {
      co_await reactor.nop();
      co_return co_await read_file(reactor, AT_FDCWD, "/etc/passwd", 1 << 20);
    };
    if (reactor.run(body()).empty()) return 1;
    return say(reactor.backend_reason());
  });
  if (output.empty()) UNUM_SKIP("this machine allows no seccomp filter");
  CHECK(output.rfind("epoll (io_uring_setup was refused with ", 0) == 0);
  CHECK(output.find(name_of(error)) != std::string::npos);
  CHECK((error == ENOMEM) == (output.find("memory") != std::string::npos));
}

TEST_CASE("a demanded io_uring that is refused is an error that says what to do") {
  const std::string output = output_under_filter(EPERM, [] {
    Reactor::Options options;
    options.backend = Backend::uring;
    try {
      const Reactor reactor(options);
      return say("it was made all the same");
    } catch (const Error& error) {
      return say(std::string(to_string(error.kind())) + ": " + error.message());
    }
  });
  if (output.empty()) UNUM_SKIP("this machine allows no seccomp filter");
  CHECK(output.rfind("denied: io_uring was asked for, but io_uring_setup was refused with EPERM",
                     0) == 0);
}

TEST_CASE("a lack of descriptors is an error, never a reason for the other port") {
  if (!refusal_of(Backend::uring).empty()) UNUM_SKIP("this kernel refuses io_uring");
  const Variable variable("UNUM_REACTOR", "");
  std::vector<Descriptor> all;
  while (all.empty() || all.back()) all.emplace_back(::dup(0));
  std::optional<Error> error;
  try {
    const Reactor reactor;
  } catch (const Error& thrown) {
    error = thrown;
  }
  all.clear();
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::exhausted);
  CHECK(error->code() == "EMFILE");
}

TEST_CASE(
    "an application runs to the same result where io_uring is refused, and one line says so") {
  const int error = GENERATE(EPERM, ENOSYS);
  const char* binary = std::getenv("UNUM_BINARY");
  const char* root = std::getenv("UNUM_SOURCE_ROOT");
  if (binary == nullptr || root == nullptr) UNUM_SKIP("UNUM_BINARY names no program");
  const Variable variable("UNUM_REACTOR", "");
  const std::string output =
      output_under_filter(error, [&] { return run_nested_maps(binary, root); });
  if (output.empty()) UNUM_SKIP("this machine allows no seccomp filter");
  CAPTURE(output);
  const std::string line =
      std::string("reactor: epoll (io_uring_setup was refused with ") + name_of(error);
  CHECK(output.find(line) != std::string::npos);
  CHECK(output.find("reactor:") == output.rfind("reactor:"));
  CHECK(output.find(nested_maps_result(root)) != std::string::npos);
}

TEST_CASE("Python functions run where pidfd_open is refused (found 25)") {
  const int error = GENERATE(EPERM, ENOSYS);
  const char* binary = std::getenv("UNUM_BINARY");
  const char* root = std::getenv("UNUM_SOURCE_ROOT");
  if (binary == nullptr || root == nullptr) UNUM_SKIP("UNUM_BINARY names no program");
  const std::string output = output_under_filter(
      error, [&] { return run_nested_maps(binary, root); }, SYS_pidfd_open);
  if (output.empty()) UNUM_SKIP("this machine allows no seccomp filter");
  CAPTURE(output);
  CHECK(output.find(nested_maps_result(root)) != std::string::npos);
}

TEST_CASE("the command `unum doctor` says that io_uring is refused, and why (found 25)") {
  const int error = GENERATE(EPERM, ENOSYS, ENOMEM);
  const char* binary = std::getenv("UNUM_BINARY");
  if (binary == nullptr || ::access(binary, X_OK) != 0) {
    UNUM_SKIP("UNUM_BINARY names no program");
  }
  const Variable variable("UNUM_REACTOR", "");
  const std::string output = output_under_filter(error, [binary] {
    ::execl(binary, binary, "doctor", nullptr);
    return 1;
  });
  if (output.empty()) UNUM_SKIP("this machine allows no seccomp filter");
  CAPTURE(output);
  CHECK(output.find("epoll") != std::string::npos);
  CHECK(output.find(std::string("io_uring_setup was refused with ") + name_of(error)) !=
        std::string::npos);
}
