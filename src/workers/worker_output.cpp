// See worker_output.hpp.
#include "workers/worker_output.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace unum {
namespace {

// What a message about a crash shows: some twenty lines.
constexpr std::size_t kTailBytesMax = 4096;

}  // namespace

std::size_t bytes_available(int fd) {
  int count = 0;
  if (::ioctl(fd, FIONREAD, &count) != 0 || count < 0) return 0;
  return static_cast<std::size_t>(count);
}

void WorkerOutput::begin_call(const UserCall& call) {
  instance_ = call.instance;
  session_ = call.session;
  tail_.clear();
}

void WorkerOutput::end_call() {
  if (!partial_.empty()) {
    emit(partial_, false);
    partial_.clear();
  }
  instance_.clear();
  session_.clear();
}

void WorkerOutput::emit(std::string_view text, bool continues) {
  if (sink_) sink_(OutputLine{function_, instance_, session_, text, continues});
}

void WorkerOutput::feed(std::string_view bytes) {
  tail_ += bytes.substr(bytes.size() - std::min(bytes.size(), kTailBytesMax));
  if (tail_.size() > kTailBytesMax) tail_.erase(0, tail_.size() - kTailBytesMax);
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::size_t room = kOutputLineBytesMax - partial_.size();
    if (newline > room && bytes.size() > room) {  // npos counts as far away
      partial_ += bytes.substr(0, room);
      bytes.remove_prefix(room);
      emit(partial_, true);
      partial_.clear();
    } else if (newline == std::string_view::npos) {
      partial_ += bytes;
      return;
    } else if (partial_.empty()) {
      emit(bytes.substr(0, newline), false);
      bytes.remove_prefix(newline + 1);
    } else {
      partial_ += bytes.substr(0, newline);
      bytes.remove_prefix(newline + 1);
      emit(partial_, false);
      partial_.clear();
    }
  }
}

bool WorkerOutput::read_available(int fd) {
  std::size_t left = bytes_available(fd);
  const bool had = left > 0;
  std::array<char, 16 * 1024> buffer;
  while (left > 0) {
    const ssize_t count = ::read(fd, buffer.data(), std::min(left, buffer.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    feed(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
    left -= static_cast<std::size_t>(count);
  }
  return had;
}

}  // namespace unum
