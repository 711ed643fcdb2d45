// The C interface: handles, threads, arguments; what callers do wrong.
#include <poll.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <set>
#include <thread>

#include "capi.hpp"
#include "capi/handles.hpp"

using namespace unum;
using namespace unum::test;
using capi::HandleTable;
using capi::Kind;

TEST_CASE("a handle table tells every handle that was removed from those that came after it",
          "[capi]") {
  HandleTable table(7, 0xfffffe);  // just before the generations begin anew
  std::set<capi::HandleNumber> seen;
  for (int round = 0; round < 100; ++round) {
    const capi::HandleNumber number = table.add(Kind::op, std::make_shared<int>(round));
    CHECK(number != 0);
    CHECK(seen.insert(number).second);
    const capi::HandleParts parts = capi::parts_of(number);
    CHECK(parts.kind == Kind::op);
    CHECK(parts.place == 7);
    REQUIRE(table.find(parts) != nullptr);
    CHECK(*std::static_pointer_cast<int>(*table.find(parts)) == round);
    CHECK(table.find({Kind::store, parts.place, parts.generation, parts.slot}) == nullptr);
    CHECK(table.remove(parts) != nullptr);
    CHECK(table.remove(parts) == nullptr);
    for (const capi::HandleNumber old : seen) CHECK(table.find(capi::parts_of(old)) == nullptr);
  }
}

TEST_CASE("slots are used again in the order in which they were freed", "[capi]") {
  HandleTable table(0, 0);
  std::vector<capi::HandleNumber> numbers;
  for (int i = 0; i < 3; ++i) numbers.push_back(table.add(Kind::op, std::make_shared<int>(i)));
  for (const int i : {1, 0, 2}) table.remove(capi::parts_of(numbers[static_cast<std::size_t>(i)]));
  std::vector<std::size_t> slots;
  for (int i = 0; i < 4; ++i) {
    slots.push_back(capi::parts_of(table.add(Kind::op, std::make_shared<int>(i))).slot);
  }
  CHECK(slots == std::vector<std::size_t>{1, 0, 2, 3});
}

TEST_CASE("a loop has no more than a million handles", "[capi]") {
  HandleTable table(0, 0);
  const auto object = std::make_shared<int>(0);
  for (std::size_t i = 0; i < capi::kSlotsMax; ++i) table.add(Kind::op, object);
  CHECK_THROWS_AS(table.add(Kind::op, object), Error);
}

TEST_CASE("a handle that is none is refused and named, whatever it is", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const COp op(unum_store_create(loop.get(), c_text("memory"), c_text("handles"), nullptr));
  auto* const as_store = reinterpret_cast<unum_store*>(op.get());
  char anything[64] = {};
  auto* const not_ours = reinterpret_cast<unum_op*>(anything);
  const auto refused = [](unum_status status, const char* code, const char* text) {
    CHECK(status == UNUM_BUG);
    CHECK(last_code() == code);
    CHECK_THAT(std_text(unum_last_error()->message), ContainsSubstring(text));
  };
  refused(unum_op_status(nullptr), "Unum.NoHandle", "the unum_op is NULL");
  refused(unum_op_status(not_ours), "Unum.StaleHandle", "was freed, or never was one");
  CHECK(unum_store_type(as_store).data == nullptr);
  refused(unum_last_error()->status, "Unum.OtherKind",
          "a unum_op was passed where a unum_store belongs");
  CHECK(unum_store_open(nullptr, c_text("fs"), c_text("/"), nullptr, nullptr) == nullptr);
  refused(unum_last_error()->status, "Unum.NoHandle", "the unum_loop is NULL");
  CHECK(unum_read_input(as_store, c_text("s"), nullptr, 0, nullptr) == nullptr);
  refused(unum_last_error()->status, "Unum.OtherKind", "unum_store");
  refused(unum_loop_wake(reinterpret_cast<unum_loop*>(op.get())), "Unum.StaleHandle", "unum_loop");
}

TEST_CASE("what was freed is noticed, also when its slot and its place are another's", "[capi]") {
  unum_loop* first = nullptr;
  REQUIRE(unum_loop_new(nullptr, &first) == UNUM_OK);
  unum_op* op = unum_store_create(first, c_text("memory"), c_text("freed"), nullptr);
  REQUIRE(unum_op_free(op) == UNUM_OK);
  CHECK(unum_op_free(op) == UNUM_BUG);
  unum_op* other = unum_store_create(first, c_text("memory"), c_text("freed"), nullptr);
  CHECK(unum_op_status(op) == UNUM_BUG);
  CHECK(unum_op_status(other) == UNUM_PENDING);
  REQUIRE(unum_loop_free(first) == UNUM_OK);
  CHECK(unum_loop_free(first) == UNUM_BUG);
  CHECK(unum_op_status(other) == UNUM_BUG);
  // Loops enough to come to the same place again.
  for (std::size_t i = 0; i < capi::kLoopsMax; ++i) {
    unum_loop* next = nullptr;
    REQUIRE(unum_loop_new(nullptr, &next) == UNUM_OK);
    unum_op* fresh = unum_store_create(next, c_text("memory"), c_text("freed"), nullptr);
    if (unum_op_status(other) != UNUM_BUG || unum_loop_dispatch(first) != UNUM_BUG) {
      FAIL("a handle of an old loop was taken for one of loop " << i);
    }
    unum_op_free(fresh);
    REQUIRE(unum_loop_free(next) == UNUM_OK);
  }
  CHECK(unum_op_free(nullptr) == UNUM_OK);
  CHECK(unum_loop_free(nullptr) == UNUM_OK);
}

TEST_CASE("only wake may be called from another thread", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const COp op(unum_store_create(loop.get(), c_text("memory"), c_text("threads"), nullptr));
  std::thread other([&] {
    CHECK(unum_loop_dispatch(loop.get()) == UNUM_BUG);
    CHECK(last_code() == "Unum.OtherThread");
    CHECK(unum_op_status(op.get()) == UNUM_BUG);
    CHECK(unum_op_free(op.get()) == UNUM_BUG);
    CHECK(unum_store_create(loop.get(), c_text("memory"), c_text("x"), nullptr) == nullptr);
    CHECK(unum_loop_wake(loop.get()) == UNUM_OK);
  });
  // It waits for that: nothing else happens here.
  while (unum_loop_run(loop.get(), -1) == UNUM_OK) {
  }
  other.join();
  CHECK(op.wait() == UNUM_OK);
}

TEST_CASE("a wake comes through before, during and after a wait, and makes the descriptor readable",
          "[capi]") {
  ON_EACH_C_LOOP(loop);
  REQUIRE(unum_loop_wake(loop.get()) == UNUM_OK);
  REQUIRE(unum_loop_wake(loop.get()) == UNUM_OK);
  CHECK(unum_loop_run(loop.get(), -1) == UNUM_PENDING);
  CHECK(unum_loop_run(loop.get(), 0) == UNUM_PENDING);
  REQUIRE(unum_loop_dispatch(loop.get()) == UNUM_OK);
  pollfd readable{unum_loop_fd(loop.get()), POLLIN, 0};
  REQUIRE(readable.fd >= 0);
  std::thread other([&] { unum_loop_wake(loop.get()); });
  REQUIRE(unum_loop_timeout_ms(loop.get()) == -1);
  CHECK(::poll(&readable, 1, -1) == 1);
  other.join();
  REQUIRE(unum_loop_dispatch(loop.get()) == UNUM_OK);
  CHECK(unum_loop_run(loop.get(), -1) == UNUM_PENDING);
}

TEST_CASE("handles of two loops are not mixed", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const CLoop other(UNUM_BACKEND_EPOLL);
  unum_store* store = open_c_store(loop, "memory", "mixed");
  unum_runtime* runtime = nullptr;
  const unum_runtime_options options{
      sizeof options, [](unum_invocation*, void*) {}, nullptr, 0, 0, 0, 0, nullptr};
  REQUIRE(unum_runtime_new(store, &options, &runtime) == UNUM_OK);
  unum_function* function = nullptr;
  REQUIRE(unum_function_parse(other.get(), c_text(R"({"Name": "F", "Start": true})"), c_text("F"),
                              &function) == UNUM_OK);
  const unum_code code{sizeof code, [](unum_call*, void*) {}, nullptr, nullptr};
  const COp op(unum_runtime_step(runtime, function, c_text("{}"), 1, &code, nullptr));
  CHECK(op.wait() == UNUM_BUG);
  CHECK(op.code() == "Unum.OtherLoop");
}

TEST_CASE("texts, counts and structs that cannot be are refused by name", "[capi]") {
  ON_EACH_C_LOOP(loop);
  unum_store* store = open_c_store(loop, "memory", "arguments");
  const auto ends_in = [](unum_op* begun, unum_status status, const char* text) {
    const COp op(begun);
    CHECK(op.wait() == status);
    CHECK_THAT(op.message(), ContainsSubstring(text));
  };
  const unum_context context{c_text("s"), c_text("F")};
  constexpr std::size_t kHuge = std::size_t{1} << 63;
  ends_in(unum_write_return_value(store, context, {nullptr, 5}, nullptr), UNUM_INVALID,
          "value: NULL with a size of 5 bytes");
  ends_in(unum_write_return_value(store, context, {"x", kHuge}, nullptr), UNUM_INVALID,
          "more than any text has");
  ends_in(unum_write_return_value(store, context, {"x", kHuge - 1}, nullptr), UNUM_EXHAUSTED,
          "more than a value may have");
  ends_in(unum_write_return_value(store, {c_text(""), c_text("F")}, c_text("1"), nullptr),
          UNUM_INVALID, "session");
  ends_in(unum_write_return_value(store, {c_text("s"), c_text("")}, c_text("1"), nullptr), UNUM_BUG,
          "instance");
  ends_in(unum_read_input(store, c_text("s"), nullptr, 3, nullptr), UNUM_INVALID,
          "instances: NULL with a count of 3");
  const unum_text name = c_text("F");
  ends_in(unum_read_input(store, c_text("s"), &name, kHuge, nullptr), UNUM_EXHAUSTED, "1000000");
  ends_in(unum_store_get(store, c_text("s"), name, UNUM_ITEM_INVOKED + 1, nullptr), UNUM_INVALID,
          "9 is no kind of item");
  ends_in(unum_read_input_stream(store, c_text("s"), &name, 1, nullptr, nullptr, nullptr),
          UNUM_INVALID, "consume");
  unum_fan_in fan_in{sizeof fan_in, c_text("A"), &name, 1};
  ends_in(unum_store_join(store, context, nullptr, 2, nullptr), UNUM_INVALID,
          "unum_fan_in: NULL with a count of 2");
  ends_in(unum_store_join(store, context, &fan_in, kHuge, nullptr), UNUM_INVALID,
          "unum_fan_in: 9223372036854775808 are more than 100000");
  fan_in.struct_bytes = sizeof fan_in + 1;
  ends_in(unum_store_join(store, context, &fan_in, 1, nullptr), UNUM_INVALID,
          "struct_bytes is 41; it must be sizeof(unum_fan_in)");
  unum_start start{};
  ends_in(unum_store_list(store, c_text("s"), &start), UNUM_INVALID,
          "unum_start.struct_bytes: 0; it must be sizeof(unum_start)");
  start = {sizeof start, -1, nullptr, nullptr};
  ends_in(unum_store_list(store, c_text("s"), &start), UNUM_INVALID,
          "unum_start.timeout_ms: -1 is negative");
  CHECK(unum_create_session_context(store, nullptr) == UNUM_INVALID);
  CHECK(unum_loop_new(nullptr, nullptr) == UNUM_INVALID);
  unum_loop* none = nullptr;
  const unum_loop_options unknown{sizeof unknown, 3, 0};
  CHECK(unum_loop_new(&unknown, &none) == UNUM_INVALID);
  CHECK(none == nullptr);
}

TEST_CASE("a struct of a later version is taken while what it adds is zero", "[capi]") {
  ON_EACH_C_LOOP(loop);
  struct Later {
    unum_start start;
    std::uint64_t added;
  };
  Later later{};
  later.start.struct_bytes = sizeof later;
  const COp taken(unum_store_create(loop.get(), c_text("memory"), c_text("later"), &later.start));
  CHECK(taken.wait() == UNUM_OK);
  later.added = 1;
  const COp refused(unum_store_create(loop.get(), c_text("memory"), c_text("later"), &later.start));
  CHECK(refused.wait() == UNUM_INVALID);
  CHECK_THAT(refused.message(), ContainsSubstring("does not know"));
  // An earlier version's, which ends before `done`.
  unum_start earlier{offsetof(unum_start, done), 0,
                     [](unum_op*, void*) { FAIL("a field beyond the struct was read"); }, nullptr};
  const COp old(unum_store_create(loop.get(), c_text("memory"), c_text("later"), &earlier));
  CHECK(old.wait() == UNUM_OK);
}

TEST_CASE("errors are told without a secret and leave errno alone", "[capi]") {
  ON_EACH_C_LOOP(loop);
  errno = 4711;
  const COp op(unum_store_open(loop.get(), c_text("redis"),
                               c_text("redis://user:hush-hush@localhost:1/0"), nullptr, nullptr));
  unum_op_cancel(op.get());
  CHECK(op.wait() != UNUM_OK);
  CHECK(op.message().find("hush-hush") == std::string::npos);
  CHECK(unum_op_status(nullptr) == UNUM_BUG);
  CHECK(errno == 4711);
  CHECK(std::string(unum_status_name(UNUM_NOT_FOUND)) == "not_found");
  CHECK(std::string(unum_status_name(UNUM_BUG)) == "bug");
  CHECK(std::string(unum_status_name(UNUM_PENDING)) == "pending");
  CHECK(std::string(unum_status_name(12)) == "unknown");
  CHECK(std::strlen(unum_version()) > 0);
}
