// See streamed_input.hpp.
#include "runtime/streamed_input.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "unum/error.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum {
namespace {

// Values that are read before anything is known of their size.
constexpr std::size_t kFirstValues = 64;
// So many times the values read before are read next at most: their size says how large the others
// may be, but not more.
constexpr std::size_t kGrowth = 4;
// Smaller values are taken together.
constexpr std::size_t kPieceBytes = 64 * 1024;

/// The value in an outcome; nothing if it was collected.
std::optional<json::View> value_in(std::string_view stored, const std::string& name,
                                   std::string_view instance) {
  const auto fail = [&](std::string_view code, std::string_view rest) {
    std::string message = "the input " + name + " of ";
    message.append(instance).append(rest);
    throw Error(ErrorKind::corrupt, "runtime", code, std::move(message));
  };
  StoredOutcome outcome;
  try {
    outcome = StoredOutcome::read(stored, name);
  } catch (const Error& error) {
    fail(error.code(), " is not the result of a function: " + error.message());
  }
  if (outcome.kind == StoredOutcome::Kind::caught_failure) {
    fail("Unum.NoValue", " is not the result of a function, but a failure that was caught");
  }
  if (outcome.kind == StoredOutcome::Kind::collected) return std::nullopt;
  return outcome.value;
}

}  // namespace

Error collected_input(const std::string& input, std::string_view instance) {
  std::string message = "the input " + input + " of ";
  message.append(instance).append(" has already been collected");
  return Error(ErrorKind::corrupt, "runtime", "Unum.CollectedInput", std::move(message));
}

StreamedInput::StreamedInput(Store& store, const SessionContext& context,
                             std::vector<Pointer> pointers, std::string_view instance,
                             std::size_t bytes_max, Wait wait)
    : store_(store),
      context_(context),
      pointers_(std::move(pointers)),
      instance_(instance),
      bytes_max_(bytes_max),
      wait_(wait),
      stop_(wait.stop) {}

bool StreamedInput::is_whole() const noexcept {
  return read_ == pointers_.size() && held_bytes_ <= bytes_max_;
}

/// As many values as fit beside what is held, if they are as large as those before; one at least.
std::size_t StreamedInput::count_to_read() const noexcept {
  const std::size_t left = pointers_.size() - read_;
  if (bytes_max_ == kHoldsAll) return left;
  if (read_ == 0) return std::min(left, kFirstValues);
  const std::size_t mean = read_bytes_ / read_ + 1;
  const std::size_t room = bytes_max_ - std::min(held_bytes_, bytes_max_);
  return std::min(left, std::clamp<std::size_t>(room / mean, 1, kGrowth * read_));
}

Task<void> StreamedInput::read_some(Wait wait) {
  const std::span<const Pointer> part = std::span(pointers_).subspan(read_, count_to_read());
  std::vector<std::string> stored = co_await read_input(store_, context_, part, wait);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const std::optional<json::View> value = value_in(stored[i], part[i].name(), instance_);
    if (!value) {
      collected_ = part[i].name();
      co_return;
    }
    if (value->size() != stored[i].size()) stored[i] = std::string(*value);
    read_bytes_ += stored[i].size();
    held_bytes_ += stored[i].size();
    held_.push_back(std::move(stored[i]));
  }
  read_ += part.size();
}

Task<void> StreamedInput::fill() {
  while (read_ < pointers_.size() && held_bytes_ <= bytes_max_ && collected_.empty()) {
    co_await read_some(wait_);
  }
}

void StreamedInput::read_ahead() {
  const bool reads = read_ < pointers_.size() && held_bytes_ <= bytes_max_ / 2 &&
                     reading_.running() == 0 && !error_ && collected_.empty();
  if (reads) reading_.spawn(read_beside());
}

Task<void> StreamedInput::read_beside() {
  const Wait wait{wait_.deadline, stop_.token()};
  try {
    co_await read_some(wait);
    if (!collected_.empty()) throw collected_input(collected_, instance_);
  } catch (...) {
    error_ = std::current_exception();
  }
  arrived_.wake_all();
}

Task<std::optional<std::string>> StreamedInput::next(Wait wait) {
  read_ahead();
  while (held_.empty() && reading_.running() > 0) {
    const int woken = co_await arrived_.wait(store_.reactor(), wait);
    if (woken < 0) {
      detail::throw_not_woken(woken, "the next inputs of " + std::string(instance_), wait);
    }
  }
  if (error_) {
    has_failed_ = true;
    std::rethrow_exception(error_);
  }
  co_return next_piece();
}

/// Small values together, a large one by itself and without a copy.
std::optional<std::string> StreamedInput::next_piece() {
  std::string piece;
  while (!held_.empty() && piece.size() < kPieceBytes) {
    std::string& value = held_.front();
    const bool is_large = value.size() >= kPieceBytes;
    if (!is_separated_) piece += is_begun_ ? ',' : '[';
    is_begun_ = true;
    is_separated_ = true;
    if (is_large && !piece.empty()) break;
    held_bytes_ -= value.size();
    if (is_large) {
      piece = std::move(value);
    } else {
      piece += value;
    }
    held_.pop_front();
    is_separated_ = false;
  }
  if (piece.empty() && !is_ended_) {
    is_ended_ = true;
    piece = "]";
  }
  if (piece.empty()) return std::nullopt;
  return piece;
}

Task<void> StreamedInput::close() {
  stop_.request("its input is no longer needed");
  co_await reading_.drain();
}

}  // namespace unum
