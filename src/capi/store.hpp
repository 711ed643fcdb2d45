// Stores, and the fan-ins that callers of the C interface give as plain lists.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "capi/arguments.hpp"
#include "unum/fan_in.hpp"
#include "unum/store.hpp"

namespace unum::capi {

/// An opened store. Kept by its handle, by ops on it that have not ended, and by its runtimes.
struct StoreObject {
  explicit StoreObject(std::unique_ptr<Store> opened) : store(std::move(opened)) {}
  std::unique_ptr<Store> store;
};
using StorePtr = std::shared_ptr<StoreObject>;

/// The options as C++ has them. The callbacks' `user` must outlive the store.
StoreOptions store_options_of(const unum_store_options* options);

/// A list of instances that all take part themselves.
class ListedFanIn final : public FanInSet {
 public:
  explicit ListedFanIn(std::vector<std::string> names) : names_(std::move(names)) {}

  std::size_t size() const noexcept override { return names_.size(); }
  std::string name(std::size_t place) const override { return names_[place]; }
  std::string digest() const override;
  std::string summary() const override;
  std::string to_json() const override;
  std::optional<std::size_t> place_of(std::string_view instance) const override;
  bool takes_part(std::size_t) const override { return true; }
  std::vector<std::size_t> repeats(std::size_t place) const override;

 private:
  std::vector<std::string> names_;
};

}  // namespace unum::capi
