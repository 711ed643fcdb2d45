// Whether this is a build with the address sanitizer: many times slower, and with memory of its
// own.
#pragma once

namespace unum::test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace unum::test
