// What the C interface costs beside the C++ one: an op from its begin to its end, and the check of
// a thousand names, on a store that needs no I/O.
#include <string>
#include <vector>

#include "ratio.hpp"
#include "unum.h"
#include "unum/reactor.hpp"
#include "unum/store.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using namespace unum::bench;

namespace {

constexpr std::size_t kAtOnce = 64;

void must(bool good) {
  if (!good) std::abort();
}

unum_text text(const std::string& from) { return {from.data(), from.size()}; }

/// The same store, memory, opened by each interface.
struct Setup {
  Setup() {
    must(unum_loop_new(nullptr, &loop) == UNUM_OK);
    wait_for(unum_store_create(loop, text("memory"), text("bench"), nullptr));
    unum_op* open = unum_store_open(loop, text("memory"), text("bench"), nullptr, nullptr);
    while (unum_op_wait(open, -1) == UNUM_PENDING) {
    }
    c_store = unum_op_store(open);
    store = reactor.run(open_store(reactor, "memory", "bench"));
    for (std::size_t i = 0; i < count; ++i) {
      names.push_back("Branch-unumIndex-" + std::to_string(i));
      pointers.push_back(pointer(context, names.back()));
      reactor.run(write_return_value(*store, context.bound_to(names.back()), "1"));
    }
    for (const std::string& name : names) texts.push_back(text(name));
  }
  static Setup& get() {
    static Setup setup;
    return setup;
  }

  static void wait_for(unum_op* op) {
    unum_status status = UNUM_PENDING;
    while (status == UNUM_PENDING) status = unum_op_wait(op, -1);
    must(status == UNUM_OK);
    unum_op_free(op);
  }

  void check_each_in_c() {
    std::vector<unum_op*> ops(kAtOnce);
    for (std::size_t done = 0; done < count; done += kAtOnce) {
      for (std::size_t i = 0; i < kAtOnce; ++i) {
        ops[i] = unum_check_value_exist(c_store, session, texts[(done + i) % count], nullptr);
      }
      for (unum_op* op : ops) wait_for(op);
    }
  }
  void check_each() {
    for (std::size_t done = 0; done < count; done += kAtOnce) {
      reactor.run(
          for_each_bounded(kAtOnce, kAtOnce, [&](std::size_t i) { return check(done + i); }));
    }
  }
  Task<void> check(std::size_t place) {
    const bool exists = co_await check_value_exist(*store, context, pointers[place % count]);
    must(exists);
  }
  void check_all_in_c() {
    wait_for(unum_check_values_exist(c_store, session, texts.data(), texts.size(), nullptr));
  }
  void check_all() { must(reactor.run(check_values_exist(*store, context, pointers))); }

  const std::size_t count = size(1024, 64);
  Reactor reactor;
  unum_loop* loop = nullptr;
  unum_store* c_store = nullptr;
  std::unique_ptr<Store> store;
  const SessionContext context = session_context("bench");
  const unum_text session{"bench", 5};
  std::vector<std::string> names;
  std::vector<unum_text> texts;
  std::vector<Pointer> pointers;
};

void register_all() {
  Setup& s = Setup::get();
  compare(
      "an op from C, 64 at once", "the same from C++", kNoGoal, s.count, 41,
      [&s] { s.check_each_in_c(); }, [&s] { s.check_each(); });
  compare(
      "check_values_exist of 1,024 names from C", "the same from C++", kNoGoal, 1, 41,
      [&s] { s.check_all_in_c(); }, [&s] { s.check_all(); });
}

}  // namespace

UNUM_BENCH_MAIN(register_all)
