// Frames as bytes: written and read, with what a worker says never trusted.
#include "workers/worker_protocol.hpp"

#include <algorithm>
#include <concepts>
#include <cstring>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"

namespace unum::worker {
namespace {

// A payload is a value and its head.
constexpr std::size_t kPayloadBytesMax = kValueBytesMax + 256 * 1024;

/// Integers as they stand in a frame, one after the other.
template <std::size_t Size>
class Integers {
 public:
  template <std::unsigned_integral Number>
  Integers& put(Number number) noexcept {
    for (std::size_t i = 0; i < sizeof number; ++i) {
      bytes_[used_++] = static_cast<char>(number >> (8 * i));
    }
    return *this;
  }
  Integers& put_header(FrameType type, std::size_t payload_bytes) noexcept {
    for (const char byte : kMagic) bytes_[used_++] = byte;
    // The type's three zero bytes come with it.
    put(static_cast<std::uint32_t>(static_cast<unsigned char>(type)));
    return put(static_cast<std::uint32_t>(payload_bytes));
  }
  std::string_view text() const noexcept { return {bytes_, Size}; }

 private:
  char bytes_[Size];
  std::size_t used_ = 0;
};

std::uint32_t read_u32(const char* at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    number |= static_cast<std::uint32_t>(static_cast<unsigned char>(at[i])) << (8 * i);
  }
  return number;
}

/// Where the payload's size stands in a frame that begins at `frame`.
void set_payload_bytes(std::string& out, std::size_t frame) {
  const std::size_t bytes = out.size() - frame - kHeaderBytes;
  for (std::size_t i = 0; i < 4; ++i) out[frame + 8 + i] = static_cast<char>(bytes >> (8 * i));
}

void append_member(std::string& out, std::string_view key, std::string_view text) {
  json::append_string(out, key);
  out.push_back(':');
  json::append_string(out, text);
}

/// A call's frame without the event.
void append_call_head(std::string& out, FrameType type, const UserCall& call,
                      std::uint32_t sequence, std::uint32_t milliseconds_left) {
  if (call.instance.size() > kItemNameBytesMax || call.session.size() > kSessionBytesMax) {
    throw Error(ErrorKind::exhausted, "payload", "Unum.NameTooLong",
                "a call's instance or session is longer than a name may be: " +
                    std::string(call.instance.substr(0, 100)) + "...");
  }
  const std::string_view trace =
      call.traceparent.size() <= kTraceparentBytesMax ? call.traceparent : std::string_view();
  const std::size_t event_bytes = type == FrameType::call ? call.input.size() : 0;
  const auto size16 = [](std::string_view text) { return static_cast<std::uint16_t>(text.size()); };
  out += Integers<kHeaderBytes + kCallHeadBytes>()
             .put_header(type, kCallHeadBytes + call.instance.size() + call.session.size() +
                                   trace.size() + event_bytes)
             .put(sequence)
             .put(milliseconds_left)
             .put(static_cast<std::uint32_t>(std::max(call.attempt, 0)))
             .put(size16(call.instance))
             .put(size16(call.session))
             .put(size16(trace))
             .put(std::uint16_t{0})
             .text();
  out += call.instance;
  out += call.session;
  out += trace;
}

}  // namespace

void append_header(std::string& out, FrameType type, std::size_t payload_bytes) {
  out += Integers<kHeaderBytes>().put_header(type, payload_bytes).text();
}

void append_load(std::string& out, const FunctionCode& code,
                 const std::vector<std::pair<std::string, std::string>>* environment) {
  const std::size_t frame = out.size();
  append_header(out, FrameType::load, 0);
  out.push_back('{');
  append_member(out, "function", code.function);
  out.push_back(',');
  append_member(out, "handler", code.handler);
  out.push_back(',');
  append_member(out, "directory", code.directory);
  out += ",\"memory_mb\":" + std::to_string(code.memory_mb);
  out += ",\"result_bytes_max\":" + std::to_string(kValueBytesMax);
  if (environment != nullptr) {
    out += ",\"environment\":{";
    bool first = true;
    for (const auto& [name, value] : *environment) {
      if (!first) out.push_back(',');
      first = false;
      append_member(out, name, value);
    }
    out.push_back('}');
  }
  out.push_back('}');
  set_payload_bytes(out, frame);
}

void append_call(std::string& out, const UserCall& call, std::uint32_t sequence,
                 std::uint32_t milliseconds_left) {
  if (call.input.size() > kValueBytesMax) throw input_too_large(call, call.input.size());
  append_call_head(out, FrameType::call, call, sequence, milliseconds_left);
}

void append_streamed_call(std::string& out, const UserCall& call, std::uint32_t sequence) {
  append_call_head(out, FrameType::streamed_call, call, sequence, 0);
}

void append_final_data(std::string& out, std::uint32_t milliseconds_left) {
  out += Integers<kHeaderBytes + sizeof milliseconds_left>()
             .put_header(FrameType::final_data, sizeof milliseconds_left)
             .put(milliseconds_left)
             .text();
}

Error input_too_large(const UserCall& call, std::size_t bytes) {
  return Error(ErrorKind::exhausted, "payload", "Unum.InputTooLarge",
               "the event of " + std::string(call.instance) + " has " + std::to_string(bytes) +
                   " bytes" + (call.input_stream != nullptr ? " or more" : "") + "; the limit is " +
                   std::to_string(kValueBytesMax));
}

std::optional<FrameHeader> parse_header(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0)
    return {};
  FrameHeader header;
  header.type = static_cast<FrameType>(bytes[4]);
  header.payload_bytes = read_u32(bytes.data() + 8);
  const bool known = header.type == FrameType::result || header.type == FrameType::error ||
                     header.type == FrameType::last_error;
  const bool zero = bytes[5] == 0 && bytes[6] == 0 && bytes[7] == 0;
  if (!known || !zero || header.payload_bytes > kPayloadBytesMax) return {};
  return header;
}

std::optional<Answer> parse_answer(FrameType type, std::string_view payload) {
  if (payload.size() < 4) return {};
  Answer answer;
  answer.sequence = read_u32(payload.data());
  payload.remove_prefix(4);
  if (type == FrameType::result) {
    answer.succeeded = true;
    answer.value = payload;
    return answer;
  }
  answer.retires = type == FrameType::last_error;
  if (payload.size() < 4) return {};
  const std::size_t name_bytes = read_u32(payload.data());
  payload.remove_prefix(4);
  if (name_bytes == 0 || name_bytes > payload.size()) return {};
  answer.error = payload.substr(0, name_bytes);
  answer.cause = payload.substr(name_bytes);
  return answer;
}

}  // namespace unum::worker
