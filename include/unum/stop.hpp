// Cooperative cancellation: a source requests a stop, tokens observe it, callbacks are called for
// it. One thread only.
//
// A stop is a request: an operation that has already succeeded still reports success. Tokens and
// callbacks must not outlive their source.
#pragma once

#include <string>
#include <string_view>

#include "unum/api.hpp"

namespace unum {

class StopSource;
class StopCallback;

/// Tells whether a stop was requested. A default-constructed token never reports one. Copied by
/// value.
class UNUM_API StopToken {
 public:
  StopToken() = default;
  bool stop_requested() const noexcept;
  /// The reason of the request; empty while there is none. Valid as long as the source.
  std::string_view reason() const noexcept;

 private:
  friend class StopSource;
  friend class StopCallback;
  explicit StopToken(StopSource* source) noexcept : source_(source) {}
  StopSource* source_ = nullptr;
};

/// Calls a function once when a stop is requested: from inside `StopSource::request`, or from
/// inside the constructor if the request came first. Unlinks itself when destroyed.
class UNUM_API StopCallback {
 public:
  using Function = void (*)(void* context) noexcept;

  StopCallback() noexcept {}
  StopCallback(StopToken token, Function function, void* context) {
    link(token, function, context);
  }
  ~StopCallback() { unlink(); }
  StopCallback(const StopCallback&) = delete;
  StopCallback& operator=(const StopCallback&) = delete;

  void link(StopToken token, Function function, void* context) {
    if (token.source_ != nullptr) link_to(token, function, context);
  }
  void unlink() noexcept {
    if (source_ != nullptr) unlink_from_source();
  }

 private:
  friend class StopSource;
  void link_to(StopToken token, Function function, void* context);
  void unlink_from_source() noexcept;

  StopSource* source_ = nullptr;
  // Set when linked: every operation has one of these, and most are never linked.
  StopCallback* previous_;
  StopCallback* next_;
  Function function_;
  void* context_;
};

/// Requests a stop. A source constructed with a parent's token also forwards the parent's request.
class UNUM_API StopSource {
 public:
  StopSource() = default;
  explicit StopSource(StopToken parent);
  ~StopSource();
  StopSource(const StopSource&) = delete;
  StopSource& operator=(const StopSource&) = delete;

  /// Calls all linked callbacks before it returns. Only the first request counts: later ones change
  /// nothing, not even the reason.
  void request(std::string_view reason) noexcept;
  bool requested() const noexcept { return requested_; }
  std::string_view reason() const noexcept { return reason_; }
  StopToken token() noexcept { return StopToken(this); }

 private:
  friend class StopCallback;
  bool requested_ = false;
  std::string reason_;
  StopCallback* first_ = nullptr;
  StopToken parent_;
  StopCallback parent_link_;
};

inline bool StopToken::stop_requested() const noexcept {
  return source_ != nullptr && source_->requested();
}

}  // namespace unum
