// The C interface: ops, when they end and who is told.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>

#include "capi.hpp"

using namespace unum;
using namespace unum::test;

namespace {

/// What a callback saw.
struct Seen {
  int calls = 0;
  unum_status status = UNUM_PENDING;
  bool free_it = false;
  unum_loop* loop = nullptr;
  unum_status inside = UNUM_OK;
};

void note(unum_op* op, void* user) {
  Seen& seen = *static_cast<Seen*>(user);
  ++seen.calls;
  seen.status = unum_op_status(op);
  if (seen.loop != nullptr) seen.inside = unum_loop_dispatch(seen.loop);
  if (seen.free_it) CHECK(unum_op_free(op) == UNUM_OK);
}

unum_start start_with(Seen& seen) { return {sizeof(unum_start), 0, &note, &seen}; }

/// A fan-in read that never ends by itself: a server that takes connections and says nothing.
class SilentServer {
 public:
  SilentServer() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd_, 8) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    name_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~SilentServer() { ::close(fd_); }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  const std::string& name() const { return name_; }

 private:
  int fd_ = -1;
  std::string name_;
};

}  // namespace

TEST_CASE("an op ends once, in a turn of its loop and not before", "[capi]") {
  ON_EACH_C_LOOP(loop);
  Seen seen;
  const unum_start start = start_with(seen);
  // The memory store needs no I/O: this could end at once.
  const std::string name = fresh_name();
  const COp op(unum_store_create(loop.get(), c_text("memory"), c_text(name), &start));
  CHECK(unum_op_status(op.get()) == UNUM_PENDING);
  CHECK(unum_op_error(op.get()) == nullptr);
  CHECK(seen.calls == 0);
  CHECK(unum_loop_timeout_ms(loop.get()) == 0);
  REQUIRE(unum_loop_dispatch(loop.get()) == UNUM_OK);
  CHECK(seen.calls == 1);
  CHECK(seen.status == UNUM_OK);
  CHECK(unum_op_number(op.get()) == 1);
  for (int i = 0; i < 3; ++i) REQUIRE(unum_loop_dispatch(loop.get()) == UNUM_OK);
  CHECK(seen.calls == 1);
  CHECK(unum_op_cancel(op.get()) == UNUM_OK);
  CHECK(unum_op_status(op.get()) == UNUM_OK);
}

TEST_CASE("an op with bad arguments ends in a turn, too", "[capi]") {
  ON_EACH_C_LOOP(loop);
  Seen seen;
  const unum_start start = start_with(seen);
  const COp op(unum_store_open(loop.get(), c_text("floppy"), c_text("A:"), nullptr, &start));
  CHECK(seen.calls == 0);
  CHECK(op.wait() == UNUM_INVALID);
  CHECK(seen.calls == 1);
  CHECK_THAT(op.message(), ContainsSubstring("floppy"));
  CHECK(unum_op_error(op.get())->delivery != 0);
  CHECK(unum_op_store(op.get()) == nullptr);
  CHECK(unum_op_count(op.get()) == 0);
  CHECK(unum_op_value(op.get(), 0).data == nullptr);
  CHECK(unum_op_report(op.get()) == nullptr);
}

TEST_CASE("an op may be freed in its own callback", "[capi]") {
  ON_EACH_C_LOOP(loop);
  Seen seen;
  seen.free_it = true;
  const unum_start start = start_with(seen);
  unum_op* op = unum_store_create(loop.get(), c_text("memory"), c_text("own"), &start);
  while (seen.calls == 0) REQUIRE(unum_loop_dispatch(loop.get()) == UNUM_OK);
  CHECK(seen.status == UNUM_OK);
  CHECK(unum_op_status(op) == UNUM_BUG);
}

TEST_CASE("an op that is freed before its end is cancelled, and nobody is called", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const SilentServer server;
  Seen seen;
  const unum_start start = start_with(seen);
  unum_op* op =
      unum_store_open(loop.get(), c_text("redis"), c_text(server.name()), nullptr, &start);
  REQUIRE(unum_loop_dispatch(loop.get()) == UNUM_OK);
  REQUIRE(unum_op_free(op) == UNUM_OK);
  loop.free();  // waits for its end
  CHECK(seen.calls == 0);
}

TEST_CASE("an op that is cancelled ends as cancelled, and its callback is called", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const SilentServer server;
  Seen seen;
  const unum_start start = start_with(seen);
  const COp op(
      unum_store_open(loop.get(), c_text("redis"), c_text(server.name()), nullptr, &start));
  REQUIRE(unum_op_wait(op.get(), 20) == UNUM_PENDING);
  REQUIRE(unum_op_cancel(op.get()) == UNUM_OK);
  CHECK(op.wait() == UNUM_CANCELLED);
  CHECK(seen.calls == 1);
}

TEST_CASE("an op ends when its time is up", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const SilentServer server;
  const unum_start start{sizeof start, 30, nullptr, nullptr};
  const COp op(
      unum_store_open(loop.get(), c_text("redis"), c_text(server.name()), nullptr, &start));
  CHECK(op.wait() == UNUM_TIMEOUT);
}

TEST_CASE("a callback may not turn the loop, but begin what it likes", "[capi]") {
  ON_EACH_C_LOOP(loop);
  struct Inside {
    unum_loop* loop;
    unum_op* next = nullptr;
    unum_status dispatch = UNUM_OK, run = UNUM_OK, wait = UNUM_OK, free = UNUM_OK;
  } inside{loop.get()};
  const unum_done done = [](unum_op* op, void* user) {
    Inside& own = *static_cast<Inside*>(user);
    own.dispatch = unum_loop_dispatch(own.loop);
    own.run = unum_loop_run(own.loop, 0);
    own.free = unum_loop_free(own.loop);
    own.next = unum_store_create(own.loop, c_text("memory"), c_text("inside"), nullptr);
    own.wait = unum_op_wait(own.next, 0);
    CHECK(last_code() == "Unum.Reentered");
    CHECK(unum_op_status(op) == UNUM_OK);
  };
  const unum_start start{sizeof start, 0, done, &inside};
  const COp op(unum_store_create(loop.get(), c_text("memory"), c_text("inside"), &start));
  REQUIRE(op.wait() == UNUM_OK);
  CHECK(inside.dispatch == UNUM_BUG);
  CHECK(inside.run == UNUM_BUG);
  CHECK(inside.free == UNUM_BUG);
  CHECK(inside.wait == UNUM_BUG);
  const COp next(inside.next);
  CHECK(next.wait() == UNUM_OK);
}

TEST_CASE("a loop is freed with all that runs on it", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const SilentServer server;
  const Scratch scratch;
  unum_store* store = open_c_store(loop, "fs", scratch / "store");
  Seen seen;
  const unum_start start = start_with(seen);
  std::vector<unum_op*> ops;
  for (int i = 0; i < 20; ++i) {
    const std::string instance = "F-unumIndex-" + std::to_string(i);
    ops.push_back(
        unum_write_return_value(store, {c_text("s"), c_text(instance)}, c_text("1"), &start));
  }
  ops.push_back(
      unum_store_open(loop.get(), c_text("redis"), c_text(server.name()), nullptr, &start));
  const std::size_t before = open_descriptors();
  loop.free();
  CHECK(open_descriptors() < before);
  CHECK(seen.calls == 0);
  for (unum_op* op : ops) CHECK(unum_op_status(op) == UNUM_BUG);
  CHECK(unum_store_type(store).data == nullptr);
}

TEST_CASE("a wait ends early when a signal was handled", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const SilentServer server;
  struct sigaction action {};
  struct sigaction before {};
  static volatile std::sig_atomic_t signals;
  signals = 0;
  action.sa_handler = [](int) { signals = 1; };
  REQUIRE(::sigaction(SIGALRM, &action, &before) == 0);
  const COp op(
      unum_store_open(loop.get(), c_text("redis"), c_text(server.name()), nullptr, nullptr));
  REQUIRE(unum_op_wait(op.get(), 20) == UNUM_PENDING);
  const itimerval soon{{0, 0}, {0, 20'000}};
  REQUIRE(::setitimer(ITIMER_REAL, &soon, nullptr) == 0);
  // It may return for less; that it returns at all after the signal is what counts.
  while (signals == 0) REQUIRE(unum_op_wait(op.get(), -1) == UNUM_PENDING);
  ::sigaction(SIGALRM, &before, nullptr);
  unum_op_cancel(op.get());
  CHECK(op.wait() == UNUM_CANCELLED);
}
