// The worker process for native functions: loads a shared object and calls its entry point
// (unum/native.h).
//
// Speaks the frames of worker_protocol.hpp on descriptors 3 and 4, as the shims of Python and Node
// do.
#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "unum/native.h"
#include "workers/worker_protocol.hpp"

namespace unum::worker {
namespace {

// Exit code: the descriptors of the protocol cannot be used.
constexpr int kBroken = 70;

[[noreturn]] void broken(const char* what) {
  std::fprintf(
      stderr,
      "unum: the worker cannot go on: descriptors %d and %d are its own and must stay open: %s\n",
      kRequestDescriptor, kResponseDescriptor, what);
  std::fflush(stderr);
  ::_exit(kBroken);
}

/// False at end of file before the first byte.
bool read_exactly(char* to, std::size_t bytes) {
  std::size_t filled = 0;
  while (filled < bytes) {
    const ssize_t count = ::read(kRequestDescriptor, to + filled, bytes - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) broken(std::strerror(errno));
    if (count == 0) return false;
    filled += static_cast<std::size_t>(count);
  }
  return true;
}

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(kResponseDescriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) broken(std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

template <class Integer>
Integer read_integer(const std::string& bytes, std::size_t at) {
  Integer number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) {
    number = static_cast<Integer>(
        number | static_cast<Integer>(
                     static_cast<Integer>(static_cast<unsigned char>(bytes[at + i])) << (8 * i)));
  }
  return number;
}

void append_u32(std::string& out, std::uint32_t number) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(number >> (8 * i)));
}

struct Function {
  std::string name;
  std::string handler;
  std::string directory;
  std::size_t result_bytes_max = 0;
  unum_native_handler entry = nullptr;
};

Function function;
// The call that has no answer yet: what `exit` in the function has to answer.
std::optional<std::uint32_t> running;

std::string failure_frame(std::uint32_t sequence, std::string_view name, std::string_view cause,
                          bool last) {
  name = name.substr(0, 256);
  cause = cause.substr(0, kCauseBytesMax);
  std::string frame;
  append_header(frame, last ? FrameType::last_error : FrameType::error,
                8 + name.size() + cause.size());
  append_u32(frame, sequence);
  append_u32(frame, static_cast<std::uint32_t>(name.size()));
  frame += name;
  frame += cause;
  return frame;
}

std::string success_frame(std::uint32_t sequence, std::string_view value) {
  std::string frame;
  append_header(frame, FrameType::result, 4 + value.size());
  append_u32(frame, sequence);
  frame += value;
  return frame;
}

/// The call's last act: what was printed is out before its answer is.
void answer(std::string_view frame) {
  running.reset();
  std::fflush(nullptr);
  write_all(frame);
}

void answer_failure(std::uint32_t sequence, std::string_view name, std::string_view cause,
                    bool last) {
  answer(failure_frame(sequence, name, cause, last));
}

void on_exit_during_call() {
  if (!running) return;
  answer_failure(*running, "Runtime.ExitError", "the handler of " + function.name + " called exit",
                 true);
}

void load(const std::string& payload) {
  const json::View frame = json::validate(payload, "a load frame");
  const auto text = [&](const char* key) { return json::string_value(*json::member(frame, key)); };
  function.name = text("function");
  function.handler = text("handler");
  function.directory = text("directory");
  function.result_bytes_max =
      std::strtoull(std::string(*json::member(frame, "result_bytes_max")).c_str(), nullptr, 10);
  if (::chdir(function.directory.c_str()) != 0) broken("its directory cannot be entered");
}

/// Nothing when the failure was answered.
bool load_entry(std::uint32_t sequence) {
  const std::size_t colon = function.handler.rfind(':');
  const std::string file = function.handler.substr(0, colon);
  const std::string symbol =
      colon == std::string::npos ? UNUM_NATIVE_SYMBOL : function.handler.substr(colon + 1);
  const std::string path = file.starts_with('/') ? file : function.directory + "/" + file;
  void* object = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) {
    answer_failure(sequence, "Runtime.ImportModuleError",
                   fmt::format("cannot load \"{}\" of {} (Handler: {}): {}", file, function.name,
                               function.handler, ::dlerror()),
                   true);
    return false;
  }
  void* entry = ::dlsym(object, symbol.c_str());
  if (entry == nullptr) {
    answer_failure(sequence, "Runtime.HandlerNotFound",
                   fmt::format("\"{}\" of {} exports no \"{}\" (Handler: {}; see unum/native.h)",
                               file, function.name, symbol, function.handler),
                   true);
    return false;
  }
  function.entry = reinterpret_cast<unum_native_handler>(entry);
  return true;
}

std::string result_frame(std::uint32_t sequence, int code, const unum_native_result& result) {
  if (code != 0) {
    const bool named = result.error != nullptr && *result.error != '\0';
    return failure_frame(sequence, named ? result.error : "Native.Error",
                         result.cause != nullptr ? std::string(result.cause)
                                                 : fmt::format("the handler returned {}", code),
                         false);
  }
  if (result.value_bytes > function.result_bytes_max) {
    return failure_frame(sequence, "Unum.ResultTooLarge",
                         fmt::format("the result of {} has {} bytes of JSON; the limit is {}",
                                     function.name, result.value_bytes, function.result_bytes_max),
                         false);
  }
  return success_frame(sequence, result.value != nullptr
                                     ? std::string_view(result.value, result.value_bytes)
                                     : std::string_view("null"));
}

/// Reads a frame; false at end of file.
bool read_frame(FrameType& type, std::string& payload) {
  char header[kHeaderBytes];
  if (!read_exactly(header, sizeof header)) return false;
  if (std::memcmp(header, kMagic, sizeof kMagic) != 0) broken("not a frame");
  type = static_cast<FrameType>(header[4]);
  payload.resize(read_integer<std::uint32_t>(std::string(header, sizeof header), 8));
  return read_exactly(payload.data(), payload.size());
}

/// Appends the event that comes in pieces behind its call. The time that is left then.
std::uint32_t read_pieces(std::string& event) {
  std::string piece;
  FrameType type = FrameType::data;
  while (true) {
    if (!read_frame(type, piece)) ::_exit(0);
    if (type == FrameType::final_data) return read_integer<std::uint32_t>(piece, 0);
    event += piece;
  }
}

void call(std::string& payload, bool is_streamed) {
  const auto sequence = read_integer<std::uint32_t>(payload, 0);
  running = sequence;
  if (function.entry == nullptr && !load_entry(sequence)) ::_exit(0);
  std::string texts[3];
  std::size_t at = kCallHeadBytes;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto bytes = read_integer<std::uint16_t>(payload, 12 + 2 * i);
    texts[i] = payload.substr(at, bytes);
    at += bytes;
  }
  auto milliseconds_left = read_integer<std::uint32_t>(payload, 4);
  if (is_streamed) milliseconds_left = read_pieces(payload);
  unum_native_call what{};
  what.struct_bytes = sizeof what;
  what.event = payload.c_str() + at;
  what.event_bytes = payload.size() - at;
  what.function = function.name.c_str();
  what.instance = texts[0].c_str();
  what.session = texts[1].c_str();
  what.traceparent = texts[2].c_str();
  what.attempt = read_integer<std::uint32_t>(payload, 8);
  what.milliseconds_left = milliseconds_left;
  unum_native_result result{};
  result.struct_bytes = sizeof result;
  const pid_t process = ::getpid();
  std::string frame;
  try {
    const int code = function.entry(&what, &result);
    frame = result_frame(sequence, code, result);
  } catch (const std::exception& error) {
    frame = failure_frame(sequence, "std::exception", error.what(), false);
  }
  if (result.release != nullptr) result.release(&result);
  // A child that the handler forked and that came back is not the one to answer.
  if (::getpid() != process) ::_exit(0);
  answer(frame);
}

int serve() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::atexit(&on_exit_during_call);
  for (const int fd : {kRequestDescriptor, kResponseDescriptor}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  std::string payload;
  FrameType type = FrameType::load;
  while (read_frame(type, payload)) {
    if (type == FrameType::load) load(payload);
    if (type == FrameType::call) call(payload, false);
    if (type == FrameType::streamed_call) call(payload, true);
    if (payload.capacity() > 1024 * 1024) payload = std::string();
  }
  ::_exit(0);
}

}  // namespace
}  // namespace unum::worker

int main() { return unum::worker::serve(); }
