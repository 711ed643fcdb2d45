// See answer_buffer.hpp.
#include "workers/answer_buffer.hpp"

#include <algorithm>

namespace unum {
namespace {

// What one read takes: a pipe's default capacity. A larger answer is read to a string of its own.
constexpr std::size_t kBufferBytes = 64 * 1024;
// One read of hundreds of megabytes would be cancelled as a whole.
constexpr std::size_t kPieceBytes = 1024 * 1024;

}  // namespace

AnswerBuffer::AnswerBuffer() : buffer_(kBufferBytes) {}

void AnswerBuffer::clear() noexcept {
  header_.reset();
  filled_ = 0;
  if (!large_.empty()) large_ = std::string();
}

std::span<char> AnswerBuffer::space() noexcept {
  if (!header_) return std::span(buffer_).subspan(filled_);
  const std::size_t left = frame_bytes() - filled_;
  if (!is_large()) return std::span(buffer_).subspan(filled_, left);
  return std::span(large_).subspan(filled_ - worker::kHeaderBytes, std::min(left, kPieceBytes));
}

bool AnswerBuffer::add(std::size_t bytes) {
  filled_ += bytes;
  if (header_ || filled_ < worker::kHeaderBytes) return true;
  header_ = worker::parse_header(std::string_view(buffer_.data(), filled_));
  if (!header_ || filled_ > frame_bytes()) return false;  // more than was asked for
  if (is_large()) {
    large_.assign(buffer_.data() + worker::kHeaderBytes, filled_ - worker::kHeaderBytes);
    large_.resize(header_->payload_bytes);
  }
  return true;
}

std::string_view AnswerBuffer::payload() const noexcept {
  if (is_large()) return large_;
  return {buffer_.data() + worker::kHeaderBytes, header_->payload_bytes};
}

std::string AnswerBuffer::take_payload(std::size_t offset) {
  std::string result;
  if (is_large()) {
    result.swap(large_);
    result.erase(0, offset);
  } else {
    result = payload().substr(offset);
  }
  clear();
  return result;
}

}  // namespace unum
