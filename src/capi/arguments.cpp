#include "capi/arguments.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <new>

#include "base/limits.hpp"

namespace unum::capi {

ErrorText::ErrorText(const std::exception_ptr& error) noexcept { set(error); }

void ErrorText::set(const std::exception_ptr& error) noexcept {
  const auto fill = [this](ErrorKind kind, std::string_view origin, std::string_view code,
                           std::string_view message) {
    texts_.clear();
    texts_.append(origin).append(code).append(message);
    const char* at = texts_.data();
    error_ = {sizeof(unum_error),
              static_cast<unum_status>(kind),
              static_cast<std::int32_t>(delivery_of(kind, origin)),
              {at, origin.size()},
              {at + origin.size(), code.size()},
              {at + origin.size() + code.size(), message.size()}};
  };
  try {
    try {
      std::rethrow_exception(error);
    } catch (const Error& thrown) {
      fill(thrown.kind(), thrown.origin(), thrown.code(), thrown.message());
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& thrown) {
      fill(ErrorKind::bug, "capi", "Unum.Exception", thrown.what());
    } catch (...) {
      fill(ErrorKind::bug, "capi", "Unum.Exception", "an exception that is no error");
    }
  } catch (...) {
    // There is no memory, not even for the texts.
    static constexpr std::string_view kOrigin = "capi";
    static constexpr std::string_view kCode = "Unum.OutOfMemory";
    static constexpr std::string_view kMessage = "there is no memory left";
    error_ = {sizeof(unum_error),
              UNUM_EXHAUSTED,
              static_cast<std::int32_t>(delivery_of(ErrorKind::exhausted, kOrigin)),
              text_of(kOrigin),
              text_of(kCode),
              text_of(kMessage)};
  }
}

ErrorText& last_error() noexcept {
  thread_local ErrorText last;
  return last;
}

void refuse(const char* what, std::string_view why) {
  throw Error(ErrorKind::invalid, "capi", "Unum.Argument", fmt::format("{}: {}", what, why));
}

void check_not_negative(std::int64_t number, const char* what) {
  if (number < 0) refuse(what, fmt::format("{} is negative", number));
}

std::string_view view_of(unum_text text, const char* what) {
  if (text.data == nullptr && text.bytes > 0) {
    refuse(what, fmt::format("NULL with a size of {} bytes", text.bytes));
  }
  if (text.bytes > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max())) {
    refuse(what, fmt::format("a size of {} bytes is more than any text has", text.bytes));
  }
  return {text.data == nullptr ? "" : text.data, text.bytes};
}

std::string value_of(unum_text text, const char* what) {
  const std::string_view view = view_of(text, what);
  if (view.size() > kValueBytesMax) {
    throw Error(ErrorKind::exhausted, "capi", "Unum.ValueTooLarge",
                fmt::format("{}: {} bytes are more than a value may have ({})", what, view.size(),
                            kValueBytesMax));
  }
  return std::string(view);
}

void check_array(const unum_text* texts, std::size_t count, const char* what) {
  if (texts == nullptr && count > 0) refuse(what, fmt::format("NULL with a count of {}", count));
  if (count > static_cast<std::size_t>(kFanOutMax)) {
    throw Error(ErrorKind::exhausted, "capi", "Unum.TooWide",
                fmt::format("{}: {} are more than the limit of {}", what, count, kFanOutMax));
  }
}

std::vector<std::string> strings_of(const unum_text* texts, std::size_t count, const char* what) {
  check_array(texts, count, what);
  std::vector<std::string> strings;
  strings.reserve(count);
  for (std::size_t i = 0; i < count; ++i) strings.push_back(string_of(texts[i], what));
  return strings;
}

void copy_struct(const void* from, std::size_t size, void* to, std::size_t known,
                 const char* name) {
  const std::string field = fmt::format("{}.struct_bytes", name);
  if (size < sizeof(std::size_t)) {
    refuse(field.c_str(), fmt::format("{}; it must be sizeof({})", size, name));
  }
  // No struct of any version comes near a page: what says more has no size in this place.
  constexpr std::size_t kStructBytesMax = 4096;
  if (size > kStructBytesMax) {
    refuse(field.c_str(), fmt::format("{}; it must be sizeof({})", size, name));
  }
  const char* bytes = static_cast<const char*>(from);
  for (std::size_t i = known; i < size; ++i) {
    if (bytes[i] != 0) {
      refuse(name, "a field that this version of the library does not know is set");
    }
  }
  std::memcpy(to, from, size < known ? size : known);
}

void check_structs(const void* from, std::size_t count, std::size_t size, std::size_t alignment,
                   const char* name) {
  // A template has a megabyte at most, and so has no more functions, nor an instance more fan-ins.
  constexpr std::size_t kStructsMax = 100'000;
  if (from == nullptr) refuse(name, fmt::format("NULL with a count of {}", count));
  if (count > kStructsMax) refuse(name, fmt::format("{} are more than {}", count, kStructsMax));
  if (size % alignment != 0) {
    refuse(name, fmt::format("struct_bytes is {}; it must be sizeof({})", size, name));
  }
}

}  // namespace unum::capi
