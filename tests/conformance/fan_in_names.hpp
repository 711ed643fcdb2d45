// Lists of a fan-in for tests: numbered instances of one function, or any names.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "unum/store.hpp"

namespace unum::test {

class Names : public FanInSet {
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
  std::string to_json() const override {
    std::string text = "{\"Function\":";
    json::append_string(text, function_);
    text += ",\"Size\":" + std::to_string(size_) + ",\"Frames\":";
    json::append_string(text, frames_);
    text += ",\"Names\":[";
    for (const std::string& each : names_) {
      if (&each != names_.data()) text += ',';
      json::append_string(text, each);
    }
    return text + "]}";
  }
  std::optional<std::size_t> place_of(std::string_view instance) const override {
    for (std::size_t place = 0; place < size_; ++place) {
      if (name(place) == instance) return place;
    }
    return std::nullopt;
  }

 private:
  std::string function_;
  std::vector<std::string> names_;
  std::size_t size_;
  std::string frames_;
};

/// Reads what Names::to_json wrote.
class NamesReader final : public FanInReader {
 public:
  std::shared_ptr<const FanInSet> read(std::string_view stored) const override {
    try {
      const json::View text = json::validate(stored, "names");
      std::vector<std::string> names;
      for (const json::View each : json::elements(*json::member(text, "Names"))) {
        names.push_back(json::string_value(each));
      }
      if (!names.empty()) return std::make_shared<const Names>(std::move(names));
      const auto size = std::stoul(std::string(*json::member(text, "Size")));
      return std::make_shared<const Names>(json::string_value(*json::member(text, "Function")),
                                           size, json::string_value(*json::member(text, "Frames")));
    } catch (const Error&) {
      return nullptr;
    }
  }
};

/// The fan-in of the instance at `place` into Sink. An observer knows nothing of the list.
inline FanIn fan_in_of(const FanInSet& set, std::size_t place,
                       FanInRole role = FanInRole::contributor) {
  static const NamesReader reader;
  if (role == FanInRole::observer) return {"Sink", nullptr, FanIn::kNoPlace, role, &reader};
  return {"Sink", &set, place, role, &reader};
}

}  // namespace unum::test
