// User code that hears of a stop and of a platform's deadline. The store does not, so that what was
// computed is still kept.
#pragma once

#include <algorithm>

#include "unum/runtime.hpp"

namespace unum::http_host {

class BoundedCode final : public UserCode {
 public:
  BoundedCode(UserCode& code, Wait bound) : code_(code), bound_(bound) {}
  Task<UserResult> call(const UserCall& call, Wait wait) override {
    wait.stop = bound_.stop;
    wait.deadline = std::min(wait.deadline, bound_.deadline);
    return code_.call(call, wait);
  }
  bool streams_input() const noexcept override { return code_.streams_input(); }

 private:
  UserCode& code_;
  const Wait bound_;
};

}  // namespace unum::http_host
