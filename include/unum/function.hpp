// A function of a workflow, as its configuration describes it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "unum/api.hpp"

namespace unum {

struct FunctionIr;

/// A function's configuration (`unum_config.json`), parsed. Copied by value, cheaply.
class UNUM_API Function {
 public:
  /// Throws `invalid` (origin "ir") naming `source`, the field and what would be right.
  static Function parse(std::string_view json_text, std::string_view source);
  explicit Function(FunctionIr ir);

  const std::string& name() const noexcept;
  bool is_entry() const noexcept;
  /// Whether what follows from other functions' edges has been added: see unum/application.hpp.
  bool is_linked() const noexcept;
  /// Of all that decides what follows from a result: 32 hex digits, equal for equal functions.
  std::string digest() const;
  /// The longest delay that its `Retry` can put before an attempt; 0 without one.
  std::chrono::milliseconds longest_delay() const;
  const FunctionIr& ir() const noexcept { return *ir_; }

 private:
  std::shared_ptr<const FunctionIr> ir_;
};

}  // namespace unum
