// What crosses the border: arguments that are checked and copied on their way in, errors on their
// way out.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "unum.h"
#include "unum/error.hpp"

namespace unum::capi {

/// An error as the header gives it, with the texts that it points into.
class ErrorText {
 public:
  ErrorText() = default;
  explicit ErrorText(const std::exception_ptr& error) noexcept;
  ErrorText(const ErrorText&) = delete;
  ErrorText& operator=(const ErrorText&) = delete;

  const unum_error* get() const noexcept { return &error_; }
  unum_status status() const noexcept { return error_.status; }
  void set(const std::exception_ptr& error) noexcept;

 private:
  std::string texts_;
  unum_error error_{sizeof(unum_error), UNUM_OK, 0, {nullptr, 0}, {nullptr, 0}, {nullptr, 0}};
};

/// Of this thread.
ErrorText& last_error() noexcept;

inline unum_text text_of(std::string_view text) noexcept {
  return {text.data() == nullptr ? "" : text.data(), text.size()};
}
inline constexpr unum_text kAbsent{nullptr, 0};

/// Throws `invalid` for a text that cannot be one: NULL with a size, or more than any object has.
std::string_view view_of(unum_text text, const char* what);
inline std::string string_of(unum_text text, const char* what) {
  return std::string(view_of(text, what));
}
/// The same, `exhausted` above kValueBytesMax: before anything is copied.
std::string value_of(unum_text text, const char* what);
/// Throws `invalid` for an array of texts that cannot be one, `exhausted` above kFanOutMax.
void check_array(const unum_text* texts, std::size_t count, const char* what);
/// The texts of an array, which is checked.
std::vector<std::string> strings_of(const unum_text* texts, std::size_t count, const char* what);
[[noreturn]] void refuse(const char* what, std::string_view why);
/// A number that must not be negative.
void check_not_negative(std::int64_t number, const char* what);

/// `size` bytes of a caller's struct as one of ours of `known` bytes: see "Structs" in the header.
void copy_struct(const void* from, std::size_t size, void* to, std::size_t known, const char* name);

/// The caller's struct, or one of zeros for NULL.
template <class Struct>
Struct struct_of(const Struct* from, const char* name) {
  Struct known{};
  if (from != nullptr) copy_struct(from, from->struct_bytes, &known, sizeof known, name);
  known.struct_bytes = sizeof known;
  return known;
}

/// Throws `invalid` for an array of structs that cannot be one. `size` is that of the first.
void check_structs(const void* from, std::size_t count, std::size_t size, std::size_t alignment,
                   const char* name);

/// Structs of a caller's array, which may be larger than ours: the first one's size is the stride.
template <class Struct>
std::vector<Struct> structs_of(const Struct* from, std::size_t count, const char* name) {
  if (count == 0) return {};
  check_structs(from, count, from == nullptr ? 0 : from->struct_bytes, alignof(Struct), name);
  std::vector<Struct> structs;
  structs.reserve(count);
  const char* at = reinterpret_cast<const char*>(from);
  for (std::size_t i = 0; i < count; ++i) {
    const auto* one = reinterpret_cast<const Struct*>(at + i * from->struct_bytes);
    structs.push_back(struct_of(one, name));
  }
  return structs;
}

/// A caller's time, of which no sum with a point of time overflows: a thousand years at most.
inline std::chrono::milliseconds time_of(std::int64_t milliseconds) noexcept {
  constexpr std::int64_t kLongest = std::int64_t{1000} * 366 * 24 * 3600 * 1000;
  return std::chrono::milliseconds(std::min(milliseconds, kLongest));
}

/// Keeps errno as the caller had it.
class ErrnoKept {
 public:
  ErrnoKept() noexcept : kept_(errno) {}
  ~ErrnoKept() { errno = kept_; }
  ErrnoKept(const ErrnoKept&) = delete;
  ErrnoKept& operator=(const ErrnoKept&) = delete;

 private:
  int kept_;
};

/// Runs the body of a function that returns a status: UNUM_OK, unless `body` returns another one or
/// throws, which becomes the thread's last error.
template <class Body>
unum_status guarded(Body body) noexcept {
  const ErrnoKept kept;
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      return UNUM_OK;
    } else {
      return body();
    }
  } catch (...) {
    last_error().set(std::current_exception());
    return last_error().status();
  }
}

/// The same of a function that returns something else, and `failed` where `body` throws.
template <class Result, class Body>
Result guarded_or(Result failed, Body body) noexcept {
  const ErrnoKept kept;
  try {
    return body();
  } catch (...) {
    last_error().set(std::current_exception());
    return failed;
  }
}

}  // namespace unum::capi
