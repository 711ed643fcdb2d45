// Lists of a fan-in for tests: numbered instances of one function, or any names.
#pragma once

#include <string>
#include <vector>

#include "unum/data_store.hpp"

namespace unum::test {

class Names final : public FanInSet {
 public:
  Names(std::string function, std::size_t size, std::string frames = {})
      : function_(std::move(function)), size_(size), frames_(std::move(frames)) {}
  explicit Names(std::vector<std::string> names) : names_(std::move(names)), size_(names_.size()) {}

  std::size_t size() const noexcept override { return size_; }
  std::string name(std::size_t place) const override {
    return names_.empty() ? function_ + "-unumIndex-" + std::to_string(place) : names_.at(place);
  }
  std::string digest() const override { return "digest of " + summary() + frames_; }
  std::string summary() const override {
    if (names_.empty()) return function_ + "-unumIndex-0 .. " + name(size_ - 1);
    std::string text;
    for (const std::string& each : names_) text += text.empty() ? each : ", " + each;
    return text;
  }

 private:
  std::string function_;
  std::vector<std::string> names_;
  std::size_t size_;
  std::string frames_;
};

}  // namespace unum::test
