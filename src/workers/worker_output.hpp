// What user code prints, cut into lines and labelled with the call that printed it.
#pragma once

#include <string>
#include <string_view>

#include "unum/output.hpp"
#include "unum/runtime.hpp"

namespace unum {

class WorkerOutput {
 public:
  /// The sink must outlive this object.
  explicit WorkerOutput(const OutputSink& sink) : sink_(sink) {}

  void set_function(std::string_view function) { function_ = function; }
  /// Lines belong to `call` until `end_call`.
  void begin_call(const UserCall& call);
  /// Hands on a last line without a newline too.
  void end_call();

  void feed(std::string_view bytes);
  /// The last of what was printed since the call began, for the message about a crash; bounded.
  std::string_view tail() const noexcept { return tail_; }

  /// Reads what the pipe `fd` holds at this moment and no more, so that nobody can keep the reader
  /// busy. False once nothing can come any more.
  bool read_available(int fd);

 private:
  void emit(std::string_view text, bool continues);

  const OutputSink& sink_;
  std::string function_;
  std::string instance_;
  std::string session_;
  std::string partial_;
  std::string tail_;
};

/// Bytes a pipe or socket has for its reader now.
std::size_t bytes_available(int fd);

}  // namespace unum
