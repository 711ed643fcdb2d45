// A JSON object that is written member by member.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/json.hpp"

namespace unum::http_host {

class ObjectText {
 public:
  /// Where the member's value is to be appended.
  std::string& key(std::string_view name) {
    out_ += out_.size() == 1 ? "\"" : ",\"";
    out_.append(name).append("\":");
    return out_;
  }
  /// Left out where it is empty.
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) json::append_string(key(name), value);
  }
  std::string end() && { return std::move(out_) + "}\n"; }

 private:
  std::string out_ = "{";
};

}  // namespace unum::http_host
