// Edit distance between short names, for messages.
#include "base/suggest.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace unum {
namespace {

// Names are written by hand: longer ones are no field's name, and the distance is quadratic.
constexpr std::size_t kNameBytesMax = 64;

std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

/// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`; `limit` or
/// more where it is at least that many.
std::size_t distance(std::string_view a, std::string_view b, std::size_t limit) {
  const std::size_t longer = std::max(a.size(), b.size());
  if (longer - std::min(a.size(), b.size()) >= limit) return limit;
  // Three rows of the table of costs: the present one and those that it is computed from.
  std::array<std::array<std::size_t, kNameBytesMax + 1>, 3> rows;
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& now = rows[i % 3];
    const auto& before = rows[(i + 2) % 3];
    const auto& earlier = rows[(i + 1) % 3];
    now[0] = i;
    std::size_t least = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = before[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({replaced, before[j] + 1, now[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = std::min(now[j], earlier[j - 2] + 1);
      }
      least = std::min(least, now[j]);
    }
    // A later row is at least as large as the least of this one, or of the one before by a swap.
    if (least > limit) return limit;
  }
  return rows[a.size() % 3][b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates) {
  if (name.empty() || name.size() > kNameBytesMax) return {};
  const std::string wanted = plain(name);
  std::string_view best;
  std::size_t best_distance = wanted.size() / 3 + 1;  // More changes than that: another word.
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kNameBytesMax) continue;
    const std::size_t changes = distance(wanted, plain(candidate), best_distance);
    if (changes < best_distance) {
      best = candidate;
      best_distance = changes;
    }
  }
  if (best.empty()) return {};
  return " (did you mean \"" + std::string(best) + "\"?)";
}

}  // namespace unum
