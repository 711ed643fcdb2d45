// What a payload points to, read from the store: whole, or no more of it than user code takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/detail/wait_list.hpp"
#include "unum/runtime.hpp"
#include "unum/stop.hpp"
#include "unum/task_group.hpp"

namespace unum {

/// The error of a step that needs `input`, of which a tombstone is left.
Error collected_input(const std::string& input, std::string_view instance);

/// The values of a list of pointers, in their order; as a stream, one JSON array. Reads ahead of
/// who takes it, as far as `bytes_max` goes. `close` it after the first call of `next`.
class StreamedInput final : public InputStream {
 public:
  static constexpr std::size_t kHoldsAll = SIZE_MAX;

  /// What is passed by reference or view must outlive this object.
  StreamedInput(Store& store, const SessionContext& context, std::vector<Pointer> pointers,
                std::string_view instance, std::size_t bytes_max, Wait wait);

  /// Reads until it holds all, or more than `bytes_max`, or meets a collected value.
  Task<void> fill();
  /// After `fill`: whether it holds all, and no more than `bytes_max`.
  bool is_whole() const noexcept;
  /// What it holds, values without whitespace around them; nothing else may follow.
  std::deque<std::string> take_values() noexcept { return std::move(held_); }

  Task<std::optional<std::string>> next(Wait wait) override;
  /// Ends what is being read. Nothing else may follow.
  Task<void> close();

  /// The name of the value that a tombstone was found for; empty: none.
  const std::string& collected() const noexcept { return collected_; }
  /// Whether `next` threw something else than the end of its own wait: `error`.
  bool has_failed() const noexcept { return has_failed_; }
  const std::exception_ptr& error() const noexcept { return error_; }

 private:
  std::size_t count_to_read() const noexcept;
  Task<void> read_some(Wait wait);
  void read_ahead();
  Task<void> read_beside();
  std::optional<std::string> next_piece();

  Store& store_;
  const SessionContext& context_;
  const std::vector<Pointer> pointers_;
  const std::string_view instance_;
  const std::size_t bytes_max_;
  const Wait wait_;
  StopSource stop_;

  std::size_t read_ = 0;  ///< Values that were read,
  std::size_t read_bytes_ = 0;
  std::deque<std::string> held_;  ///< and of these those that were not taken.
  std::size_t held_bytes_ = 0;
  std::string collected_;
  std::exception_ptr error_;
  bool has_failed_ = false;

  bool is_begun_ = false;      ///< The array's first byte was given,
  bool is_separated_ = false;  ///< or what stands before the next value,
  bool is_ended_ = false;      ///< or its last byte.
  detail::WaitList arrived_;
  TaskGroup reading_;
};

}  // namespace unum
