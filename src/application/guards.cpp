// Guards: which choices lead to an instance.
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "application/sample.hpp"

namespace unum {
namespace {

// Alternatives beyond which nothing is concluded: what is not seen here, the run itself finds.
constexpr std::size_t kAlternativesMax = 32;
// Decisions of one alternative, likewise.
constexpr std::size_t kDecisionsMax = 32;

bool includes(const Guard& whole, const Guard& part) {
  return std::includes(whole.begin(), whole.end(), part.begin(), part.end());
}

/// Adds one alternative unless a wider one is there; drops those that it makes needless.
void add(std::vector<Guard>& any, Guard guard) {
  for (const Guard& other : any) {
    if (includes(guard, other)) return;
  }
  std::erase_if(any, [&](const Guard& other) { return includes(other, guard); });
  any.push_back(std::move(guard));
}

/// Drops one decision that alternatives cover in full; whether there was one.
bool drop_covered(std::vector<Guard>& any, const Options& options) {
  for (const Guard& guard : any) {
    for (const auto& [decision, edge] : guard) {
      const auto all = options.find(decision);
      if (all == options.end() || all->second.size() > any.size()) continue;
      if (all->second.contains(kNoEdge)) continue;  // No guard says that nothing was taken.
      const std::uint64_t key = decision;
      Guard rest = guard;
      rest.erase(key);
      const bool covered = std::all_of(all->second.begin(), all->second.end(), [&](auto option) {
        return std::any_of(any.begin(), any.end(), [&](const Guard& other) {
          Guard wanted = rest;
          wanted.insert_or_assign(key, option);
          return includes(wanted, other);
        });
      });
      if (!covered) continue;
      add(any, std::move(rest));
      return true;
    }
  }
  return false;
}

}  // namespace

bool contradicts(const Guard& a, const Guard& b) {
  return std::any_of(a.begin(), a.end(), [&](const auto& entry) {
    const auto other = b.find(entry.first);
    return other != b.end() && other->second != entry.second;
  });
}

Guards both(const Guards& a, const Guards& b) {
  Guards out;
  out.vague = a.vague || b.vague;
  if (out.vague) return out;
  for (const Guard& one : a.any) {
    for (const Guard& two : b.any) {
      if (contradicts(one, two)) continue;
      Guard merged = one;
      merged.insert(two.begin(), two.end());
      const std::size_t merged_size = merged.size();
      add(out.any, std::move(merged));
      if (merged_size > kDecisionsMax || out.any.size() > kAlternativesMax) return {{}, true};
    }
  }
  return out;
}

void add_alternatives(Guards& guards, const Guards& more, const Options& options) {
  guards.vague = guards.vague || more.vague;
  if (guards.vague) return;
  for (const Guard& guard : more.any) add(guards.any, guard);
  while (drop_covered(guards.any, options)) {
  }
  if (guards.any.size() > kAlternativesMax) guards = {{}, true};
}

}  // namespace unum
