// Loops: a reactor, the handles on it, and the thread that it belongs to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "capi/arguments.hpp"
#include "capi/handles.hpp"
#include "reactor/descriptor.hpp"
#include "unum/reactor.hpp"

namespace unum::capi {

/// Ops that have not ended, so that they can be cancelled.
struct RunningOps {
  Op* first = nullptr;
};

class Loop {
 public:
  Loop(const Reactor::Options& options, std::size_t place, std::uint32_t first_generation);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// One turn. Throws `bug` inside a callback.
  bool turn(Deadline until, const char* doing);
  /// Whether unum_loop_wake was called since the last time that this was asked.
  bool take_wake() noexcept { return std::exchange(woken_, false); }
  bool is_turning() const noexcept { return is_turning_; }
  /// Cancels all ops, waits for their end, and frees all that handles name.
  void end();

  Reactor reactor;
  HandleTable handles;
  RunningOps running;
  std::string payload;  ///< That unum_entry_payload gave last.
  Descriptor wakes;     ///< eventfd(2).

 private:
  static void on_wake(void* loop, unsigned events) noexcept;

  WatchId watch_;
  bool woken_ = false;
  bool is_turning_ = false;
};

/// The loop that a handle of this kind belongs to, if that is this thread's. Throws `bug`
/// otherwise.
Loop& loop_of(HandleNumber number, Kind kind);

/// The object that a handle names, and its loop. Throws `bug` if there is none.
template <class Public>
std::shared_ptr<typename Named<Public>::Object> object_of(const Public* handle,
                                                          Loop** loop = nullptr);
/// The same, and the handle names nothing from then on.
template <class Public>
std::shared_ptr<typename Named<Public>::Object> take_object(const Public* handle,
                                                            Loop** loop = nullptr);

[[noreturn]] void throw_stale(HandleNumber number, Kind kind);

template <class Public>
std::shared_ptr<typename Named<Public>::Object> object_of(const Public* handle, Loop** loop) {
  constexpr Kind kKind = Named<Public>::kKind;
  const HandleNumber number = number_of(handle);
  Loop& own = loop_of(number, kKind);
  const std::shared_ptr<void>* object = own.handles.find(parts_of(number));
  if (object == nullptr) throw_stale(number, kKind);
  if (loop != nullptr) *loop = &own;
  return std::static_pointer_cast<typename Named<Public>::Object>(*object);
}

template <class Public>
std::shared_ptr<typename Named<Public>::Object> take_object(const Public* handle, Loop** loop) {
  constexpr Kind kKind = Named<Public>::kKind;
  const HandleNumber number = number_of(handle);
  Loop& own = loop_of(number, kKind);
  std::shared_ptr<void> object = own.handles.remove(parts_of(number));
  if (!object) throw_stale(number, kKind);
  if (loop != nullptr) *loop = &own;
  return std::static_pointer_cast<typename Named<Public>::Object>(std::move(object));
}

}  // namespace unum::capi
