// A name whose resolution takes as long as a test wants, and one that does not exist.
#pragma once

#include <string_view>

namespace unum::test {

/// While it lives, the resolver does not answer for `kName`.
class HangingName {
 public:
  static constexpr std::string_view kName = "hangs.test";

  HangingName();
  /// The resolver gives up then.
  ~HangingName();
  HangingName(const HangingName&) = delete;
  HangingName& operator=(const HangingName&) = delete;

  bool is_asked() const;
};

}  // namespace unum::test
