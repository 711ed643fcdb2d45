// Task<T>: a coroutine that starts when it is awaited and then resumes its awaiter. One thread
// only.
//
// A task starts at `co_await` and runs on the awaiting stack until it first suspends; one that
// never suspends does not go through the reactor. Destroying a task that waits for an operation of
// the reactor is a bug (the operation asserts): request a stop and await the task instead. Frames
// come from per-thread pools by size, so a steady state allocates nothing.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "unum/api.hpp"
#include "unum/assert.hpp"

namespace unum {

template <class T = void>
class Task;

namespace detail {

UNUM_API void* allocate_frame(std::size_t size);
UNUM_API void free_frame(void* frame, std::size_t size) noexcept;

/// The callback at the end of a task: a plain function, so that an awaiting coroutine, a group and
/// a bounded loop can all use it without a wrapper frame.
struct PromiseBase {
  using Done = void (*)(void* context) noexcept;
  Done done = nullptr;
  void* context = nullptr;

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
      // `done` may destroy this frame: nothing touches it after the call.
      PromiseBase& promise = handle.promise();
      if (promise.done != nullptr) promise.done(promise.context);
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
};

inline void resume_address(void* address) noexcept {
  std::coroutine_handle<>::from_address(address).resume();
}

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  std::exception_ptr error;

  Task<T> get_return_object() noexcept;
  void unhandled_exception() noexcept { error = std::current_exception(); }
  template <class U = T>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  std::exception_ptr error;

  Task<void> get_return_object() noexcept;
  void unhandled_exception() noexcept { error = std::current_exception(); }
  void return_void() const noexcept {}
  void take() {
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
  }
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { reset(); }

  explicit operator bool() const noexcept { return handle_ != nullptr; }

  struct Awaiter {
    Handle handle;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiter) const noexcept {
      // Runs on this stack; only a task that suspended needs to resume the awaiter later. A loop
      // over tasks that end at once therefore never grows the stack, whatever the compiler
      // optimizes.
      handle.resume();
      if (handle.done()) return false;
      handle.promise().done = &detail::resume_address;
      handle.promise().context = waiter.address();
      return true;
    }
    T await_resume() const { return handle.promise().take(); }
  };
  Awaiter operator co_await() && noexcept {
    UNUM_ASSERT(handle_ && !handle_.done());
    return Awaiter{handle_};
  }

  /// Starts the task. Returns true if it has already ended; otherwise calls `on_done(context)` when
  /// it ends, which may destroy this object. For code that drives tasks without being a coroutine.
  bool start(detail::PromiseBase::Done on_done, void* context) noexcept {
    handle_.resume();
    if (handle_.done()) return true;
    handle_.promise().done = on_done;
    handle_.promise().context = context;
    return false;
  }
  bool done() const noexcept { return handle_ && handle_.done(); }
  /// The result of a task that is done, or its exception, rethrown. To be called once.
  T take() { return handle_.promise().take(); }

 private:
  void reset() noexcept {
    if (handle_) std::exchange(handle_, nullptr).destroy();
  }
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}
}  // namespace detail

}  // namespace unum
