// The bytes of a worker's answer as they come in.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "workers/worker_protocol.hpp"

namespace unum {

/// One frame at a time. Nothing is ever read beyond it that could be the next one's.
class AnswerBuffer {
 public:
  AnswerBuffer();

  /// Empty, and nothing kept of a large answer.
  void clear() noexcept;
  /// Where the next bytes go; empty once the frame is whole.
  std::span<char> space() noexcept;
  /// Takes note of `bytes` that were put there; false if they begin no frame of a worker, or do not
  /// end with it. Throws std::bad_alloc.
  bool add(std::size_t bytes);

  /// Of a whole frame.
  worker::FrameType type() const noexcept { return header_->type; }
  std::string_view payload() const noexcept;
  /// Its payload without the first `offset` bytes; without a copy where it is large. Ends the
  /// frame.
  std::string take_payload(std::size_t offset);

 private:
  bool is_large() const noexcept { return frame_bytes() > buffer_.size(); }
  std::size_t frame_bytes() const noexcept { return worker::kHeaderBytes + header_->payload_bytes; }

  std::vector<char> buffer_;  ///< Header and beginning of the frame.
  std::string large_;         ///< The payload of one that does not fit there.
  std::optional<worker::FrameHeader> header_;
  std::size_t filled_ = 0;  ///< Bytes of the frame that have come.
};

}  // namespace unum
