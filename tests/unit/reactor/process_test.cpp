// Child processes: what they get, how they end, and that none is left over.
#include "reactor/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "ports.hpp"
#include "reactor/files.hpp"
#include "reactor/signals.hpp"
#include "support/scratch.hpp"

using namespace unum;
using namespace unum::test;

namespace {

SpawnOptions shell(const std::string& script) {
  SpawnOptions options;
  options.argv = {"sh", "-c", script};
  return options;
}

/// Runs a shell script to its end; what it wrote to its standard output.
Task<std::string> output_of(Reactor& reactor, SpawnOptions options) {
  Pipe pipe = make_pipe();
  options.descriptors.push_back({1, pipe.write_end.get()});
  Process child = Process::spawn(options);
  pipe.write_end.reset();
  std::string output =
      co_await read_to_end(reactor, pipe.read_end.get(), 1 << 20, "the child's output");
  co_await child.wait_exit(reactor);
  co_return output;
}

std::string output_now(Reactor& reactor, const SpawnOptions& options) {
  return reactor.run(output_of(reactor, options));
}

std::string children_of_this_process() {
  std::ifstream file("/proc/self/task/" + std::to_string(::gettid()) + "/children");
  std::string ids((std::istreambuf_iterator<char>(file)), {});
  return ids;
}

bool exists(pid_t pid) { return ::kill(pid, 0) == 0; }

}  // namespace

TEST_CASE("a child's exit code and the signal that ended it are told") {
  ON_EACH_PORT(reactor);
  Process done = Process::spawn(shell("exit 7"));
  CHECK(done.running());
  const auto status = reactor.run(done.wait_exit(reactor));
  REQUIRE(status);
  CHECK(*status == ExitStatus{7, 0});
  CHECK(to_string(*status) == "exit code 7");
  CHECK_FALSE(done.running());
  CHECK(reactor.run(done.wait_exit(reactor)) == status);

  Process killed = Process::spawn(shell("kill -SEGV $$; sleep 100"));
  const auto signalled = reactor.run(killed.wait_exit(reactor));
  REQUIRE(signalled);
  CHECK(*signalled == ExitStatus{0, SIGSEGV});
  CHECK(to_string(*signalled) == "signal 11 (SIGSEGV)");
}

TEST_CASE("a child gets its arguments, environment, directory and descriptors") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  SpawnOptions options = shell("echo \"$1 $NAME ${HOME-none} $(pwd)\"");
  options.argv.insert(options.argv.end(), {"zero", "with space"});
  options.environment = {{"NAME=value", "PATH=/usr/bin:/bin"}};
  options.directory = scratch.path();
  CHECK(output_now(reactor, options) == "with space value none " + scratch.path() + "\n");
}

TEST_CASE("descriptors may be mapped crosswise") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  std::ofstream(scratch / "a") << "A";
  std::ofstream(scratch / "b") << "B";
  const Descriptor a(::open((scratch / "a").c_str(), O_RDONLY | O_CLOEXEC));
  const Descriptor b(::open((scratch / "b").c_str(), O_RDONLY | O_CLOEXEC));
  SpawnOptions options = shell("cat <&" + std::to_string(a.get()) + "; cat <&" +
                               std::to_string(b.get()) + "; cat <&9");
  options.descriptors = {{a.get(), b.get()}, {b.get(), a.get()}, {9, b.get()}};
  // Each number's file is read to its end once: 9 shares the position of the first.
  CHECK(output_now(reactor, options) == "BA");
}

TEST_CASE("a child inherits no descriptor that was not mapped, close-on-exec or not") {
  ON_EACH_PORT(reactor);
  const Descriptor leaky(::open("/dev/null", O_RDONLY));  // as some other library might open it
  const std::string listed = output_now(reactor, shell("ls /proc/self/fd | tr '\\n' ' '"));
  CHECK(listed == "0 1 2 3 ");  // 3 is ls' own, of the directory
}

TEST_CASE("a child has a clean signal mask and default handling") {
  ON_EACH_PORT(reactor);
  const Signals blocked{SIGINT, SIGTERM, SIGUSR1};
  const std::string status =
      output_now(reactor, shell("grep -E '^Sig(Blk|Ign)' /proc/self/status"));
  std::istringstream lines(status);
  std::string name;
  std::uint64_t mask = 0;
  while (lines >> name >> std::hex >> mask) {
    INFO(name);
    const std::uint64_t ours = (1u << (SIGINT - 1)) | (1u << (SIGTERM - 1)) |
                               (1u << (SIGUSR1 - 1)) | (1u << (SIGPIPE - 1));
    CHECK((mask & ours) == 0);
  }
}

TEST_CASE(
    "a host that ignores SIGCHLD is told how its children ended, or that none can (found 23)") {
  struct sigaction before {};
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  REQUIRE(::sigaction(SIGCHLD, &ignored, &before) == 0);
  {
    ON_EACH_PORT(reactor);
    // By the child's own child: what was ignored here is not ignored there.
    Process child = Process::spawn(shell("sh -c 'exit 5'; exit $?"));
    const auto status = reactor.run(child.wait_exit(reactor));
    Process killed = Process::spawn(shell("kill -SEGV $$; sleep 100"));
    const auto signalled = reactor.run(killed.wait_exit(reactor));
    CHECK((status && signalled));
    if (status && status->known) {  // Linux 6.15
      CHECK(*status == ExitStatus{5, 0});
      CHECK(*signalled == ExitStatus{0, SIGSEGV});
    } else if (status) {
      CHECK_FALSE(status->succeeded());
      CHECK(to_string(*status) == "an unknown status (this process ignores SIGCHLD)");
    }
  }
  ::sigaction(SIGCHLD, &before, nullptr);
}

TEST_CASE("what is no program for this machine is an error that says so (found 27)") {
  const Scratch scratch;
  SpawnOptions options;
  options.argv = {scratch / "text"};
  std::ofstream(options.argv[0]) << "echo 1\n";
  REQUIRE(::chmod(options.argv[0].c_str(), 0700) == 0);
  try {
    Process::spawn(options);
    FAIL("nothing was thrown");
  } catch (const ProgramError& error) {
    CHECK(error.code() == "ENOEXEC");
    CHECK(error.message().find("whose first line is #!INTERPRETER") != std::string::npos);
  }
}

TEST_CASE("what cannot be run is an error that names it") {
  const auto failure = [](const SpawnOptions& options) {
    try {
      Process::spawn(options);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorKind::bug, "test", "", "nothing was thrown");
  };
  SpawnOptions options;
  CHECK(failure(options).kind() == ErrorKind::invalid);
  options.argv = {"no-such-program-here"};
  CHECK(failure(options).kind() == ErrorKind::not_found);
  CHECK(failure(options).message() ==
        "the program \"no-such-program-here\" cannot be run (looked for it in PATH): "
        "No such file or directory");
  const Scratch scratch;
  const std::string script = scratch / "script";
  std::ofstream(script) << "#!/no/such/interpreter\n";
  REQUIRE(::chmod(script.c_str(), 0700) == 0);
  options.argv = {script};
  CHECK(failure(options).message() ==
        "the program \"" + script +
            "\" cannot be run (what it says is its interpreter does not exist): "
            "No such file or directory");
  options.argv = {"/etc/passwd"};
  CHECK(failure(options).kind() == ErrorKind::denied);
  CHECK(failure(options).code() == "EACCES");
  options.argv = {"sh"};
  options.directory = "/no/such/directory";
  CHECK(failure(options).kind() == ErrorKind::not_found);
  CHECK(failure(options).message().find("\"/no/such/directory\"") != std::string::npos);
  options.directory.clear();
  options.descriptors = {{1, 999}};
  CHECK(failure(options).code() == "EBADF");
  CHECK(children_of_this_process().empty());
}

TEST_CASE("a child that outlives its deadline is killed, with its whole group") {
  ON_EACH_PORT(reactor);
  Pipe pipe = make_pipe();
  SpawnOptions options = shell("sleep 1000 & echo started; wait");
  options.descriptors = {{1, pipe.write_end.get()}};
  Process child = Process::spawn(options);
  pipe.write_end.reset();
  auto body = [&]() -> Task<std::optional<ExitStatus>> {
    char first = 0;
    const int ready = co_await reactor.poll(pipe.read_end.get(), 1 /* POLLIN */);
    CHECK(ready > 0);
    CHECK(::read(pipe.read_end.get(), &first, 1) == 1);
    const auto none = co_await child.wait_exit(reactor, Wait{soon(5), {}});
    CHECK_FALSE(none);
    CHECK(child.running());
    child.kill(SIGKILL);
    const auto ended = co_await child.wait_exit(reactor);
    // The grandchild held the pipe's other end: its end shows as the end of the stream.
    co_await read_to_end(reactor, pipe.read_end.get(), 100, "the rest");
    co_return ended;
  };
  const auto ended = reactor.run(body());
  REQUIRE(ended);
  CHECK(ended->signal == SIGKILL);
}

TEST_CASE("what a child leaves running is ended when it is reaped") {
  ON_EACH_PORT(reactor);
  Pipe pipe = make_pipe();
  SpawnOptions options = shell("sleep 1000 & echo done");
  options.descriptors = {{1, pipe.write_end.get()}};
  Process child = Process::spawn(options);
  pipe.write_end.reset();
  CHECK(reactor.run(child.wait_exit(reactor)) == ExitStatus{0, 0});
  // The stream ends when the last who holds its other end does.
  CHECK(reactor.run(read_to_end(reactor, pipe.read_end.get(), 100, "output")) == "done\n");
}

TEST_CASE("a child is asked to end, then made to") {
  ON_EACH_PORT(reactor);
  Process polite = Process::spawn(shell("sleep 1000"));
  CHECK(reactor.run(polite.end(reactor, far_away())).signal == SIGTERM);

  Pipe pipe = make_pipe();
  SpawnOptions options = shell("trap '' TERM; echo ready; while :; do sleep 1000; done");
  options.descriptors = {{1, pipe.write_end.get()}};
  Process stubborn = Process::spawn(options);
  auto body = [&]() -> Task<ExitStatus> {
    const int ready = co_await reactor.poll(pipe.read_end.get(), 1 /* POLLIN */);
    CHECK(ready > 0);
    co_return co_await stubborn.end(reactor, soon(10));
  };
  CHECK(reactor.run(body()).signal == SIGKILL);
}

TEST_CASE("a stop request ends the waiting, not the child") {
  ON_EACH_PORT(reactor);
  StopSource stop;
  Process child = Process::spawn(shell("sleep 1000"));
  TaskGroup group;
  auto waiting = [&]() -> Task<void> {
    const auto status = co_await child.wait_exit(reactor, Wait{kNoDeadline, stop.token()});
    CHECK_FALSE(status);
  };
  group.spawn(waiting());
  stop.request("enough");
  reactor.run(group.drain());
  CHECK(child.running());
}

TEST_CASE("neither zombies nor running children are left behind") {
  ON_EACH_PORT(reactor);
  pid_t running = 0;
  {
    Process dropped = Process::spawn(shell("sleep 1000"));
    running = dropped.pid();
    Process exited = Process::spawn(shell("exit 0"));
    Process moved = std::move(exited);
    moved = Process::spawn(shell("sleep 1000"));
    CHECK(exists(running));
  }
  CHECK_FALSE(exists(running));
  CHECK(children_of_this_process().empty());
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("children die with a parent that is killed") {
  // The orphans come to this process, so that it sees them end.
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  Pipe pipe = make_pipe();
  const pid_t parent = ::fork();
  REQUIRE(parent >= 0);
  if (parent == 0) {
    Process first = Process::spawn(shell("exec sleep 1000"));
    Process second = Process::spawn(shell("exec sleep 1000"));
    const pid_t ids[] = {first.pid(), second.pid()};
    if (::write(pipe.write_end.get(), ids, sizeof ids) != sizeof ids) ::_exit(1);
    while (true) ::pause();
  }
  pid_t ids[2] = {};
  REQUIRE(::read(pipe.read_end.get(), ids, sizeof ids) == sizeof ids);
  REQUIRE(::kill(parent, SIGKILL) == 0);
  REQUIRE(::waitpid(parent, nullptr, 0) == parent);
  for (const pid_t id : ids) {
    int status = 0;
    CHECK(::waitpid(id, &status, 0) == id);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGKILL);
  }
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
}
