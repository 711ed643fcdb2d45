// What the tests of the C interface share: a loop on each port, and ops that are waited for.
#pragma once

#include <string>
#include <string_view>

#include "../reactor/ports.hpp"
#include "unum.h"

namespace unum::test {

inline unum_text c_text(std::string_view text) { return {text.data(), text.size()}; }
inline std::string std_text(unum_text text) {
  return text.data == nullptr ? "(absent)" : std::string(text.data, text.bytes);
}
inline std::string last_code() { return std_text(unum_last_error()->code); }

/// The name of a memory store that no test had: they live as long as the process.
inline std::string fresh_name() {
  static int count = 0;
  return "fresh-" + std::to_string(++count);
}

/// A loop of the test's own.
class CLoop {
 public:
  explicit CLoop(std::int32_t backend) {
    const unum_loop_options options{sizeof options, backend, 0};
    REQUIRE(unum_loop_new(&options, &loop_) == UNUM_OK);
  }
  ~CLoop() {
    if (loop_ != nullptr) unum_loop_free(loop_);
  }
  CLoop(const CLoop&) = delete;
  CLoop& operator=(const CLoop&) = delete;
  unum_loop* get() const { return loop_; }
  void free() {
    CHECK(unum_loop_free(loop_) == UNUM_OK);
    loop_ = nullptr;
  }

 private:
  unum_loop* loop_ = nullptr;
};

/// An op that is freed at the end of its scope.
class COp {
 public:
  explicit COp(unum_op* op) : op_(op) { REQUIRE(op != nullptr); }
  ~COp() { unum_op_free(op_); }
  COp(const COp&) = delete;
  COp& operator=(const COp&) = delete;
  unum_op* get() const { return op_; }
  unum_status wait() const {
    unum_status status = UNUM_PENDING;
    while (status == UNUM_PENDING) status = unum_op_wait(op_, -1);
    return status;
  }
  std::string code() const { return std_text(unum_op_error(op_)->code); }
  std::string message() const { return std_text(unum_op_error(op_)->message); }

 private:
  unum_op* op_;
};

/// Opens a store, which `create` makes before.
inline unum_store* open_c_store(const CLoop& loop, const std::string& type,
                                const std::string& name) {
  const COp created(unum_store_create(loop.get(), c_text(type), c_text(name), nullptr));
  REQUIRE(created.wait() == UNUM_OK);
  const COp opened(unum_store_open(loop.get(), c_text(type), c_text(name), nullptr, nullptr));
  const unum_status status = opened.wait();
  INFO((status == UNUM_OK ? "" : opened.message()));
  REQUIRE(status == UNUM_OK);
  return unum_op_store(opened.get());
}

/// Begins the body of a test: it runs once on each port, which `name` then is a loop on.
#define ON_EACH_C_LOOP(name)                                                             \
  const auto backend = GENERATE(unum::test::Backend::uring, unum::test::Backend::epoll); \
  if (const std::string refusal = unum::test::refusal_of(backend); !refusal.empty()) {   \
    UNUM_SKIP(refusal);                                                                  \
  }                                                                                      \
  unum::test::CLoop name(backend == unum::test::Backend::uring ? UNUM_BACKEND_URING      \
                                                               : UNUM_BACKEND_EPOLL)

}  // namespace unum::test
