// What this process has found out about fan-ins: how far the checks of their contributors' outcomes
// got.
//
// An outcome that was seen exists for good, so that no process need check it twice. Contributors of
// one process thus share one scan through the names: all together they cost one check a name and
// one a contributor, in whatever order they end. Only presence is remembered, never absence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <numeric>
#include <string>
#include <unordered_map>

#include "unum/detail/wait_list.hpp"
#include "unum/scan_and_claim.hpp"

namespace unum {

/// One scan through the places of a fan-in. It begins beside the place of the contributor that
/// began it and takes strides of about 0.618 of the size, the golden section: whatever stretch of
/// the list is still missing, a scan meets it after a number of steps that depends on the stretch's
/// share alone. Contributors in many processes, which cannot share a scan, then also cost n log n
/// checks together.
struct [[gnu::visibility("hidden")]] ScanAndClaim::Scan {
  std::string digest;
  std::size_t size = 0;
  std::size_t start = 0;
  std::size_t stride = 1;
  std::size_t found = 0;     ///< The outcomes of this many steps are known to exist.
  bool shared_now = false;   ///< One contributor checks for others, too, just now;
  detail::WaitList checked;  ///< these wait for what it finds.
  std::uint64_t begun = 0;   ///< Shared checks so far; each has its number.
  std::uint64_t missed = 0;  ///< The last of them that met a missing outcome.

  Scan(std::string digest_of_list, std::size_t size_of_list, std::size_t own_place)
      : digest(std::move(digest_of_list)), size(size_of_list) {
    if (size < 2) return;
    stride = static_cast<std::size_t>(static_cast<double>(size) * 0.6180339887);
    while (std::gcd(stride, size) != 1) ++stride;
    start = (own_place + stride) % size;
  }
  bool complete() const noexcept { return found >= size; }
  std::size_t place(std::size_t step) const noexcept { return (start + step * stride) % size; }
};

/// The scans of the fan-ins that were checked last.
class [[gnu::visibility("hidden")]] ScanAndClaim::Scans {
 public:
  std::shared_ptr<Scan> at(const SessionContext& context, const FanIn& fan_in, std::string digest) {
    std::string key = std::to_string(context.session().size());
    key.append(":").append(context.session()).append(fan_in.aggregator);
    auto found = scans_.find(key);
    if (found != scans_.end()) {
      // Contributors that disagree on the list do not share a scan; the claim tells on them.
      if (found->second->digest != digest) {
        found->second = std::make_shared<Scan>(std::move(digest), fan_in.set->size(), fan_in.place);
      }
      return found->second;
    }
    if (scans_.size() >= kScansMax) {
      scans_.erase(order_.front());
      order_.pop_front();
    }
    auto made = std::make_shared<Scan>(std::move(digest), fan_in.set->size(), fan_in.place);
    order_.push_back(key);
    scans_.emplace(std::move(key), made);
    return made;
  }
  void clear() noexcept {
    scans_.clear();
    order_.clear();
  }

 private:
  // A scan that was dropped is made again: this bounds memory and costs checks only.
  static constexpr std::size_t kScansMax = 1024;
  std::unordered_map<std::string, std::shared_ptr<Scan>> scans_;
  std::list<std::string> order_;
};

}  // namespace unum
