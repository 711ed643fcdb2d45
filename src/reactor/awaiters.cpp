// The awaitables: how an operation, a point of time and a turn of the loop suspend and resume.
#include <fcntl.h>
#include <cerrno>
#include <string>
#include <utility>

#include "reactor/port.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/error.hpp"
#include "unum/reactor.hpp"

namespace unum {
namespace detail {

void BoundedWait::begin_wait(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  if (when != kNoDeadline) {
    fire = [](Timer& timer) noexcept {
      auto& self = static_cast<BoundedWait&>(timer);
      self.give_up_(self, -ETIME);
    };
    reactor_.add_timer(*this);
  }
  stop_.link(
      token_,
      [](void* address) noexcept {
        auto& self = *static_cast<BoundedWait*>(address);
        self.give_up_(self, -ECANCELED);
      },
      this);
}

void BoundedWait::end_wait() noexcept {
  if (heap_index != kNotInHeap) reactor_.remove_timer(*this);
  stop_.unlink();
}

void OperationAwaiter::await_suspend(std::coroutine_handle<> waiter) {
  run = &on_done;
  begin_wait(waiter);  // may throw: nothing is submitted yet
  reactor().port_->submit(*this);
}

void OperationAwaiter::on_done(Ready& ready) noexcept {
  auto& self = static_cast<OperationAwaiter&>(static_cast<Operation&>(ready));
  self.end_wait();
  self.resume();
}

void OperationAwaiter::on_given_up(BoundedWait& wait, int why) noexcept {
  auto& self = static_cast<OperationAwaiter&>(wait);
  if (self.interrupted_ == 0) self.interrupted_ = why;
  self.reactor().port_->cancel(self);
}

void SleepAwaiter::await_suspend(std::coroutine_handle<> waiter) {
  run = [](Ready& ready) noexcept { static_cast<SleepAwaiter&>(ready).resume(); };
  begin_wait(waiter);
}

void SleepAwaiter::on_ended(BoundedWait& wait, int why) noexcept {
  auto& self = static_cast<SleepAwaiter&>(wait);
  self.end_wait();
  self.came_ = why == -ETIME;
  self.reactor().post(self);
}

void YieldAwaiter::await_suspend(std::coroutine_handle<> waiter) noexcept {
  waiter_ = waiter;
  run = [](Ready& ready) noexcept { static_cast<YieldAwaiter&>(ready).waiter_.resume(); };
  reactor_.post(*this);
}

void throw_not_woken(int result, std::string_view what, const Wait& wait) {
  std::string message(what);
  if (result == -ETIME) {
    message += " was waited for until the deadline";
    throw Error(ErrorKind::timeout, "reactor", "Unum.Timeout", std::move(message));
  }
  message.append(" is no longer waited for: ").append(wait.stop.reason());
  throw Error(ErrorKind::cancelled, "reactor", "Unum.Cancelled", std::move(message));
}

}  // namespace detail

namespace {

// What one read(2) or write(2) moves at most; a length above it would not fit the ring's 32 bits.
constexpr std::uint64_t kTransferMax = 0x7ffff000;

std::uint64_t length_of(std::size_t size) noexcept {
  return size < kTransferMax ? size : kTransferMax;
}

}  // namespace

// --- The reactor's calls ------------------------------------------------------------------------

detail::OperationAwaiter Reactor::open_at(int directory, const char* path, int flags, unsigned mode,
                                          const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::open_at,
                  .fd = directory,
                  .flags = static_cast<std::uint32_t>(flags | O_CLOEXEC),
                  .mode = mode,
                  .address2 = path}};
}

detail::OperationAwaiter Reactor::close(int fd) {
  return {*this, {}, Request{.opcode = Opcode::close, .fd = fd}};
}

detail::OperationAwaiter Reactor::read(int fd, std::span<std::byte> buffer, std::uint64_t offset,
                                       const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::read,
                  .fd = fd,
                  .address = buffer.data(),
                  .length = length_of(buffer.size()),
                  .offset = offset}};
}

detail::OperationAwaiter Reactor::write(int fd, std::span<const std::byte> buffer,
                                        std::uint64_t offset, const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::write,
                  .fd = fd,
                  .address2 = buffer.data(),
                  .length = length_of(buffer.size()),
                  .offset = offset}};
}

detail::OperationAwaiter Reactor::stream_read(int fd, std::span<std::byte> buffer,
                                              const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::stream_read,
                  .fd = fd,
                  .address = buffer.data(),
                  .length = length_of(buffer.size())}};
}

detail::OperationAwaiter Reactor::stream_write(int fd, std::span<const std::byte> buffer,
                                               const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::stream_write,
                  .fd = fd,
                  .address2 = buffer.data(),
                  .length = length_of(buffer.size())}};
}

detail::OperationAwaiter Reactor::sync_data(int fd, const Wait& wait) {
  return {*this, wait, Request{.opcode = Opcode::sync_data, .fd = fd}};
}

detail::OperationAwaiter Reactor::sync_all(int fd, const Wait& wait) {
  return {*this, wait, Request{.opcode = Opcode::sync_all, .fd = fd}};
}

detail::OperationAwaiter Reactor::statx(int directory, const char* path, int flags, unsigned mask,
                                        struct ::statx* buffer, const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::statx,
                  .fd = directory,
                  .flags = static_cast<std::uint32_t>(flags),
                  .mode = mask,
                  .address = buffer,
                  .address2 = path}};
}

detail::OperationAwaiter Reactor::link_at(int from_directory, const char* from, int to_directory,
                                          const char* to, int flags, const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::link_at,
                  .fd = from_directory,
                  .fd2 = to_directory,
                  .flags = static_cast<std::uint32_t>(flags),
                  .address = const_cast<char*>(from),
                  .address2 = to}};
}

detail::OperationAwaiter Reactor::rename_at(int from_directory, const char* from, int to_directory,
                                            const char* to, unsigned flags, const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::rename_at,
                  .fd = from_directory,
                  .fd2 = to_directory,
                  .flags = flags,
                  .address = const_cast<char*>(from),
                  .address2 = to}};
}

detail::OperationAwaiter Reactor::unlink_at(int directory, const char* path, int flags,
                                            const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::unlink_at,
                  .fd = directory,
                  .flags = static_cast<std::uint32_t>(flags),
                  .address2 = path}};
}

detail::OperationAwaiter Reactor::make_dir_at(int directory, const char* path, unsigned mode,
                                              const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::make_dir_at, .fd = directory, .mode = mode, .address2 = path}};
}

detail::OperationAwaiter Reactor::poll(int fd, unsigned events, const Wait& wait) {
  return {*this, wait, Request{.opcode = Opcode::poll, .fd = fd, .mode = events}};
}

detail::OperationAwaiter Reactor::call(int (*function)(void*) noexcept, void* argument,
                                       const Wait& wait) {
  return {*this, wait,
          Request{.opcode = Opcode::call,
                  .address = argument,
                  .offset = reinterpret_cast<std::uint64_t>(function)}};
}

}  // namespace unum
