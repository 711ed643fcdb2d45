// Each system call of each operation of the file-system store fails in the ways in which kernels
// fail it: nothing is half written, the error names what it is about, and the next attempt
// succeeds. The clock is the test's own, so that a lack of descriptors is waited out at once.
#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "conformance/stores_under_test.hpp"
#include "stores/fs/fs_store_impl.hpp"
#include "support/fixtures.hpp"
#include "support/scripted_port.hpp"
#include "unit/reactor/ports.hpp"

using namespace unum;
namespace fs_std = std::filesystem;

namespace {

/// Which call fails, and how.
struct Plan {
  int error = 0;  ///< 0: none does.
  bool for_good = false;
  std::size_t fail_from = 0;  ///< Of the calls that this can happen to.
  std::size_t seen = 0;
  bool short_writes = false;
  int result = 0;
  bool unlink_failed = false;

  bool has_failed() const noexcept { return seen > fail_from; }
};

/// What a kernel may answer to a call.
bool can_fail(const Request& request, int error) {
  const auto flags = static_cast<int>(request.flags);
  const bool makes_file =
      request.opcode == Opcode::open_at && (flags & (O_CREAT | __O_TMPFILE)) != 0;
  switch (request.opcode) {
    case Opcode::open_at:
      if (error == ENOSPC || error == EDQUOT) return makes_file;
      return true;
    case Opcode::write:
    case Opcode::link_at:
    case Opcode::rename_at:
    case Opcode::make_dir_at: return error != EMFILE;
    case Opcode::read:
    case Opcode::unlink_at:
    case Opcode::statx: return error == EIO || error == ESTALE || error == EINTR;
    case Opcode::sync_data:
    case Opcode::sync_all: return error != EMFILE && error != EINTR;
    default: return false;
  }
}

class FaultyCalls final : public fs::SystemCalls {
 public:
  FaultyCalls(Reactor& reactor, Plan& plan) noexcept : SystemCalls(reactor), plan_(plan) {}

  int execute(const Request& request) noexcept override {
    if (can_fail(request, plan_.error) && fails(request)) return -plan_.error;
    Request part = request;
    if (plan_.short_writes && request.opcode == Opcode::write) {
      part.length = (request.length + 1) / 2;
    }
    return SystemCalls::execute(part);
  }
  detail::OperationAwaiter submit(const Request& request, const Wait& wait) override {
    // The reactor repeats what a signal breaks off.
    if (plan_.error != EINTR && can_fail(request, plan_.error) && fails(request)) {
      plan_.result = -plan_.error;
      return reactor().call([](void* result) noexcept { return *static_cast<const int*>(result); },
                            &plan_.result, wait);
    }
    // The disk itself is not what this is about.
    const bool sync = request.opcode == Opcode::sync_data || request.opcode == Opcode::sync_all;
    if (sync) return reactor().nop(wait);
    return SystemCalls::submit(request, wait);
  }
  int open_cached(int directory, const char* file, bool waits_never) noexcept override {
    const bool possible = plan_.error != ENOSPC && plan_.error != EDQUOT;
    if (possible && fails({})) return -plan_.error;
    return SystemCalls::open_cached(directory, file, waits_never);
  }
  int stat(int fd, struct ::stat& out) noexcept override {
    if (is_broken() && fails({})) return -plan_.error;
    return SystemCalls::stat(fd, out);
  }
  int check_exists(int directory, const char* file) noexcept override {
    if (is_broken() && fails({})) return -plan_.error;
    return SystemCalls::check_exists(directory, file);
  }
  int list(int directory, std::vector<DirectoryEntry>& out) noexcept override {
    if ((is_broken() || plan_.error == EMFILE) && fails({})) return -plan_.error;
    return SystemCalls::list(directory, out);
  }

 private:
  bool is_broken() const noexcept { return plan_.error == EIO || plan_.error == ESTALE; }
  bool fails(const Request& request) noexcept {
    if (plan_.error == 0) return false;
    const std::size_t at = plan_.seen++;
    const bool now = plan_.for_good ? at >= plan_.fail_from : at == plan_.fail_from;
    if (now && request.opcode == Opcode::unlink_at) plan_.unlink_failed = true;
    return now;
  }

  Plan& plan_;
};

const std::string kNew(3000, 'n');
const std::string kOld(3000, 'o');
const ItemId kNewOutcome{"New", ItemKind::outcome};
const ItemId kNewReport{"New", ItemKind::report};
const ItemId kOldOutcome{"Old", ItemKind::outcome};
const ItemId kOlderOutcome{"Older", ItemKind::outcome};

Task<void> create_new(Store& store, SessionContext session) {
  const WriteResult result = co_await store.create(session, kNewOutcome, kNew);
  // A write that was told to have failed may stand.
  const bool stands = result.status == WriteResult::Status::written || result.stored == kNew;
  CHECK(stands);
}
Task<void> create_old(Store& store, SessionContext session) {
  const WriteResult result = co_await store.create(session, kOldOutcome, kNew);
  CHECK(result.status == WriteResult::Status::already_there);
  CHECK(result.stored == kOld);
}
Task<void> put_new(Store& store, SessionContext session) {
  co_await store.put(session, kNewReport, kNew);
}
Task<void> get_old(Store& store, SessionContext session) {
  const std::optional<std::string> value = co_await store.get(session, kOldOutcome);
  CHECK(value == kOld);
}
Task<void> read_both(Store& store, SessionContext session) {
  const std::vector<Pointer> pointers{pointer(session, "Old"), pointer(session, "Older")};
  const std::vector<std::string> values = co_await read_input(store, session, pointers);
  CHECK(values == std::vector<std::string>{kOld, kOld});
}
Task<void> check_both(Store& store, SessionContext session) {
  const std::vector<Pointer> pointers{pointer(session, "Old"), pointer(session, "Older")};
  const bool there = co_await check_values_exist(store, session, pointers);
  CHECK(there);
}
Task<void> list_items(Store& store, SessionContext session) {
  const std::vector<ListedItem> items = co_await store.list(session);
  CHECK(items.size() == 2);
}
Task<void> list_sessions(Store& store, SessionContext) {
  const std::vector<std::string> sessions = co_await store.list_sessions();
  CHECK(sessions == std::vector<std::string>{"the-session"});
}
Task<void> remove_old(Store& store, SessionContext session) {
  co_await store.remove(session, std::span(&kOlderOutcome, 1));
}
Task<void> create_in_new_session(Store& store, SessionContext) {
  const SessionContext session = session_context("another-session");
  const WriteResult result = co_await store.create(session, kNewOutcome, kNew);
  const bool stands = result.status == WriteResult::Status::written || result.stored == kNew;
  CHECK(stands);
}

struct StoreCall {
  const char* name;
  Task<void> (*run)(Store& store, SessionContext session);
};
constexpr StoreCall kStoreCalls[] = {
    {"create", &create_new},    {"create what is there", &create_old},
    {"put", &put_new},          {"get", &get_old},
    {"read_input", &read_both}, {"check_values_exist", &check_both},
    {"list", &list_items},      {"list_sessions", &list_sessions},
    {"remove", &remove_old},    {"create in a new session", &create_in_new_session},
};

std::unique_ptr<Store> open_with(Reactor& reactor, const std::string& root, Plan& plan) {
  return reactor.run(
      fs::open_with(std::make_unique<FaultyCalls>(reactor, plan), root, StoreOptions{}));
}

/// Every file is a whole value under an item's name.
void expect_whole(const std::string& root, bool may_have_temporaries) {
  for (const auto& entry : fs_std::recursive_directory_iterator(root)) {
    if (entry.is_directory()) continue;
    const std::string name = entry.path().filename().string();
    INFO(name);
    if (name.starts_with('.')) {
      CHECK(may_have_temporaries);
      continue;
    }
    CHECK(entry.file_size() == kNew.size());
  }
}

/// One operation in a store of its own, one call of which fails; false if no such call was made.
bool run_with_fault(Reactor& reactor, const StoreCall& operation, Plan fault) {
  const test::Scratch scratch;
  const std::string root = scratch / "store";
  fs_std::create_directory(root);
  Plan plan;
  const std::unique_ptr<Store> store = open_with(reactor, root, plan);
  const SessionContext session = session_context("the-session");
  for (const ItemId& item : {kOldOutcome, kOlderOutcome}) {
    reactor.run(store->create(session, item, kOld));
  }
  // A store that knows nothing yet makes the most calls.
  const std::unique_ptr<Store> fresh = open_with(reactor, root, plan);
  plan = fault;
  std::optional<Error> failure;
  try {
    reactor.run(operation.run(*fresh, session));
  } catch (const Error& error) {
    failure = error;
  }
  const bool has_failed = plan.has_failed();
  if (failure) {
    INFO(failure->message());
    CHECK(failure->message().find(root) != std::string::npos);
    if (std::string_view(operation.name) != "list_sessions") {
      CHECK(failure->message().find("-session") != std::string::npos);
    }
    // What passes is waited out.
    CHECK(fault.error != EINTR);
    CHECK((fault.error != EMFILE || fault.for_good));
  }
  expect_whole(root, plan.unlink_failed);
  plan.error = 0;
  reactor.run(operation.run(*fresh, session));
  reactor.run(get_old(*store, session));
  reactor.run(fresh->close());
  reactor.run(store->close());
  return has_failed;
}

}  // namespace

TEST_CASE("whichever system call fails, nothing is half written and the error names the place") {
  const auto error = GENERATE(ENOSPC, EIO, EDQUOT, ESTALE, EINTR, EMFILE);
  const auto for_good = GENERATE(false, true);
  if (for_good && error == EINTR) return;  // no kernel does that
  const auto kind = GENERATE(as<std::string>(), "local", "local on a ring", "slow", "nfs");
  test::EnvironmentGuard environment;
  environment.set("UNUM_FS", kind.substr(0, kind.find(' ')));
  test::Script script;
  if (kind.ends_with("ring")) script.backend = Reactor::Backend::uring;
  Reactor reactor = test::scripted_reactor(script);
  for (const StoreCall& operation : kStoreCalls) {
    Plan fault;
    fault.error = error;
    fault.for_good = for_good;
    while (true) {
      INFO(operation.name << " on " << kind << ", call " << fault.fail_from << ": "
                          << ::strerrorname_np(error));
      if (!run_with_fault(reactor, operation, fault)) break;
      ++fault.fail_from;
      REQUIRE(fault.fail_from < 100);
    }
  }
}

TEST_CASE("a value is whole although each write takes only a part of it") {
  test::Script script;
  Reactor reactor = test::scripted_reactor(script);
  const test::Scratch scratch;
  fs_std::create_directory(scratch / "store");
  Plan plan;
  plan.short_writes = true;
  const std::unique_ptr<Store> store = open_with(reactor, scratch / "store", plan);
  const SessionContext session = session_context("S");
  reactor.run(create_new(*store, session));
  CHECK(reactor.run(store->get(session, kNewOutcome)) == kNew);
}

TEST_CASE("a disk error at the last moment leaves a value that is whole, and is told") {
  test::Script script;
  Reactor reactor = test::scripted_reactor(script);
  const test::Scratch scratch;
  fs_std::create_directory(scratch / "store");
  Plan plan;
  const std::unique_ptr<Store> store = open_with(reactor, scratch / "store", plan);
  const SessionContext session = session_context("S");
  reactor.run(store->create(session, ItemId{"F", ItemKind::claim}, "made the directory"));
  plan.error = ENOSPC;
  plan.fail_from = 4;  // opened, written, flushed, linked: the directory's own flush is left
  const Error error = test::error_of(reactor, create_new(*store, session));
  CHECK(error.code() == "ENOSPC");
  CHECK(error.message().find("writing to the disk the name of New") != std::string::npos);
  plan.error = 0;
  CHECK(reactor.run(store->get(session, kNewOutcome)) == kNew);
}

TEST_CASE("a session's id and its times are made of the port's bytes and the port's time") {
  test::Script script;
  Reactor reactor = test::scripted_reactor(script);
  reactor.run(create_store(reactor, "memory", "ports"));
  const std::unique_ptr<Store> store = reactor.run(open_store(reactor, "memory", "ports"));
  script.next_byte = 0;
  CHECK(create_session_context(*store).session() == "00010203-0405-4607-8809-0a0b0c0d0e0f");
  CHECK(create_session_context(*store).session() == "10111213-1415-4617-9819-1a1b1c1d1e1f");
  script.wall_time = WallTime(std::chrono::seconds(1'900'000'000));
  const SessionContext session = session_context("S");
  reactor.run(write_return_value(*store, session.bound_to("F"), "1"));
  const std::vector<ListedItem> items = reactor.run(store->list(session));
  REQUIRE(items.size() == 1);
  CHECK(items[0].modified_unix_ns == 1'900'000'000'000'000'000);
}
