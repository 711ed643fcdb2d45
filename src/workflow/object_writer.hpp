// Writing JSON that people read: one member a line, indented.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace unum {

/// Writes members of one object with the indentation that it stands in.
class ObjectWriter {
 public:
  ObjectWriter(std::string& out, std::size_t indent) : out_(out), indent_(indent) { out_ += '{'; }

  std::string& key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '\n';
    out_.append(indent_ + 2, ' ');
    json::append_string(out_, name);
    out_ += ": ";
    return out_;
  }
  void text(std::string_view name, std::string_view value) {
    json::append_string(key(name), value);
  }
  void boolean(std::string_view name, bool value) { key(name) += value ? "true" : "false"; }
  template <typename Number>
  void number(std::string_view name, Number value) {
    key(name) += fmt::format("{}", value);
  }
  template <typename Entries>
  void texts(std::string_view name, const Entries& entries) {
    key(name) += '[';
    bool first = true;
    for (const auto& entry : entries) {
      if (!first) out_ += ", ";
      first = false;
      if constexpr (requires { entry.text(); }) {
        json::append_string(out_, entry.text());
      } else {
        json::append_string(out_, entry);
      }
    }
    out_ += ']';
  }
  void end() {
    if (!first_) {
      out_ += '\n';
      out_.append(indent_, ' ');
    }
    out_ += '}';
  }

 private:
  std::string& out_;
  std::size_t indent_;
  bool first_ = true;
};

}  // namespace unum
