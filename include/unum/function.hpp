// A function of a workflow as its configuration describes it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "unum/api.hpp"

namespace unum {

struct FunctionIr;

/// A function's parsed configuration (`unum_config.json`). Immutable and cheap to copy.
class UNUM_API Function {
 public:
  /// Throws `invalid` (origin "ir") with `source`, the field and what is expected there.
  static Function parse(std::string_view json_text, std::string_view source);
  /// For the library's own layers: FunctionIr is not installed.
  explicit Function(FunctionIr ir);

  const std::string& name() const noexcept;
  bool is_entry() const noexcept;
  /// Whether link_functions has added what depends on the other functions' edges: see
  /// unum/application.hpp.
  bool is_linked() const noexcept;
  /// A digest of everything that decides which instances a result invokes, and how: 32 hex digits,
  /// equal for equal functions.
  std::string digest() const;
  /// The configuration as JSON text of today's form, with all that link_functions has added if it
  /// has: `parse` makes an equal function of it. So a function that is deployed alone still knows
  /// what follows from the others' edges.
  std::string text() const;
  /// The longest delay that its `Retry` can put before an attempt; 0 without one.
  std::chrono::milliseconds longest_delay() const;
  /// For the library's own layers, as above.
  const FunctionIr& ir() const noexcept { return *ir_; }

 private:
  std::shared_ptr<const FunctionIr> ir_;
};

}  // namespace unum
