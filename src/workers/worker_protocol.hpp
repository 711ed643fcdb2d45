// What the host and a worker process say to each other: frames over two pipes.
//
// The worker reads frames from descriptor 3 and writes them to descriptor 4; descriptors 1 and 2
// are one pipe for whatever user code prints, descriptor 0 is /dev/null. A frame is a header of 12
// bytes and a payload, all integers little-endian:
//
//   0  u8[4]  magic "unm1": anything else on descriptor 4 is not from the shim
//   4  u8     type
//   5  u8[3]  zero
//   8  u32    bytes of the payload, at most kValueBytesMax and a little
//
//   host to worker
//   'L' load  once, before the first call: a JSON object {"function", "handler", "directory",
//   "memory_mb", "result_bytes_max",
//             "environment": {...} (only where the process did not get it when it was started)}
//   'C' call  u32 sequence, u32 milliseconds left (0: no limit), u32 attempt, u16 bytes of the
//   instance's name, u16 of the
//             session's, u16 of the traceparent, u16 zero; these three texts; the event's JSON text
//             to the end
//   'S' call whose event follows in pieces: as 'C', without the event and the time
//   'D' data  a piece of that event's text, cut anywhere
//   'F' final u32 milliseconds left (0: no limit), after the last piece
//   worker to host, one for each call, with its sequence
//   'R' result   u32 sequence; the result's JSON text to the end
//   'E' error    u32 sequence, u32 bytes of the error's name; the name; the cause to the end
//   'X' as 'E', and the worker ends after it: it cannot be used again
//
// A worker that reads end of file ends. Nothing is sent to a worker that has not answered, but the
// pieces of its event; one that answers before it was sent the last of them is ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "unum/error.hpp"
#include "unum/runtime.hpp"
#include "workers/function_code.hpp"

namespace unum::worker {

inline constexpr int kRequestDescriptor = 3;
inline constexpr int kResponseDescriptor = 4;

inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::size_t kCallHeadBytes = 20;
inline constexpr char kMagic[4] = {'u', 'n', 'm', '1'};

/// Traces are 55 bytes; what cannot be one is not passed on.
inline constexpr std::size_t kTraceparentBytesMax = 1024;
/// Of a failure's cause, which holds a traceback: the shims shorten it in the middle.
inline constexpr std::size_t kCauseBytesMax = 64 * 1024;

enum class FrameType : char {
  load = 'L',
  call = 'C',
  streamed_call = 'S',
  data = 'D',
  final_data = 'F',
  result = 'R',
  error = 'E',
  last_error = 'X',
};

struct FrameHeader {
  FrameType type = FrameType::result;
  std::uint32_t payload_bytes = 0;
};

/// Appends a header.
void append_header(std::string& out, FrameType type, std::size_t payload_bytes);
/// Appends the load frame. `with_environment`: the process has not got the function's environment.
void append_load(std::string& out, const FunctionCode& code,
                 const std::vector<std::pair<std::string, std::string>>* environment);
/// Appends a call's frame without the event, whose bytes follow it on the pipe. Throws `exhausted`
/// for an event above kValueBytesMax.
void append_call(std::string& out, const UserCall& call, std::uint32_t sequence,
                 std::uint32_t milliseconds_left);

/// Appends the frame of a call whose event follows in frames of their own.
void append_streamed_call(std::string& out, const UserCall& call, std::uint32_t sequence);
/// Appends the frame that ends such an event.
void append_final_data(std::string& out, std::uint32_t milliseconds_left);
/// What a call fails with whose event is longer than kValueBytesMax: `exhausted`.
Error input_too_large(const UserCall& call, std::size_t bytes);

/// The header in the first kHeaderBytes of what a worker wrote; nothing if that is no frame of a
/// worker.
std::optional<FrameHeader> parse_header(std::string_view bytes);

/// What a worker answered; views into the payload.
struct Answer {
  std::uint32_t sequence = 0;
  bool succeeded = false;
  bool retires = false;
  std::string_view value;  ///< JSON text.
  std::string_view error;
  std::string_view cause;
};
/// Nothing if the payload is not what its type says.
std::optional<Answer> parse_answer(FrameType type, std::string_view payload);

}  // namespace unum::worker
