// The names of items: an instance's name and the suffix that tells what the item is.
#include <array>

#include "stores/name_encoding.hpp"

namespace unum {
namespace {

struct Suffix {
  ItemKind kind;
  std::string_view text;
};

// None is the end of another, so that at most one fits.
constexpr std::array<Suffix, 9> kSuffixes = {{
    {ItemKind::outcome, "-output"},
    {ItemKind::report, "-error"},
    {ItemKind::input, "-input"},
    {ItemKind::claim, "-fanin"},
    {ItemKind::wanted, "-wanted"},
    {ItemKind::garbage, "-gc"},
    {ItemKind::application, "-application"},
    {ItemKind::delayed, "-delayed"},
    {ItemKind::invoked, "-invoked"},
}};

}  // namespace

std::string_view item_suffix(ItemKind kind) noexcept {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.kind == kind) return suffix.text;
  }
  return {};
}

std::string item_name(std::string_view name, ItemKind kind) {
  const std::string_view suffix = item_suffix(kind);
  std::string text;
  text.reserve(name.size() + suffix.size());
  return text.append(name).append(suffix);
}

std::optional<ItemId> parse_item_name(std::string_view text) {
  for (const Suffix& suffix : kSuffixes) {
    if (text.size() > suffix.text.size() && text.ends_with(suffix.text)) {
      text.remove_suffix(suffix.text.size());
      return ItemId{std::string(text), suffix.kind};
    }
  }
  return std::nullopt;
}

}  // namespace unum
