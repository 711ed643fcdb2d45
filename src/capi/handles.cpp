#include "capi/handles.hpp"

#include <fmt/format.h>

#include <utility>

#include "unum/error.hpp"

namespace unum::capi {

const char* name_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::loop: return "unum_loop";
    case Kind::store: return "unum_store";
    case Kind::op: return "unum_op";
    case Kind::function: return "unum_function";
    case Kind::runtime: return "unum_runtime";
    case Kind::call: return "unum_call";
    case Kind::invocation: return "unum_invocation";
    case Kind::application: return "unum_application";
    case Kind::none: break;
  }
  return "handle";
}

HandleNumber to_number(const HandleParts& parts) noexcept {
  HandleNumber number = static_cast<HandleNumber>(parts.kind);
  number = number << kPlaceBits | parts.place;
  number = number << kGenerationBits | parts.generation;
  return number << kSlotBits | parts.slot;
}

HandleParts parts_of(HandleNumber number) noexcept {
  HandleParts parts;
  parts.slot = number & (kSlotsMax - 1);
  number >>= kSlotBits;
  parts.generation = static_cast<std::uint32_t>(number) & kGenerationMask;
  number >>= kGenerationBits;
  parts.place = number & (kLoopsMax - 1);
  number >>= kPlaceBits;
  const bool is_kind = number <= static_cast<HandleNumber>(Kind::application);
  parts.kind = is_kind ? static_cast<Kind>(number) : Kind::none;
  return parts;
}

HandleNumber HandleTable::add(Kind kind, std::shared_ptr<void> object) {
  std::uint32_t slot = first_free_;
  if (slot == kNone) {
    if (slots_.size() == kSlotsMax) {
      throw Error(ErrorKind::exhausted, "capi", "Unum.TooManyHandles",
                  fmt::format("the loop has {} handles; free those that have ended", kSlotsMax));
    }
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back().generation = first_generation_;
  } else {
    first_free_ = slots_[slot].next_free;
    if (first_free_ == kNone) last_free_ = kNone;
  }
  slots_[slot].object = std::move(object);
  slots_[slot].kind = kind;
  return to_number({kind, place_, slots_[slot].generation, slot});
}

const std::shared_ptr<void>* HandleTable::find(const HandleParts& parts) const noexcept {
  if (parts.slot >= slots_.size()) return nullptr;
  const Slot& slot = slots_[parts.slot];
  const bool is_it = slot.kind == parts.kind && slot.generation == parts.generation;
  return is_it && slot.object ? &slot.object : nullptr;
}

std::shared_ptr<void> HandleTable::remove(const HandleParts& parts) noexcept {
  if (find(parts) == nullptr) return nullptr;
  const auto place = static_cast<std::uint32_t>(parts.slot);
  Slot& slot = slots_[place];
  slot.generation = (slot.generation + 1) & kGenerationMask;
  slot.kind = Kind::none;
  slot.next_free = kNone;
  (last_free_ == kNone ? first_free_ : slots_[last_free_].next_free) = place;
  last_free_ = place;
  return std::exchange(slot.object, nullptr);
}

std::vector<std::shared_ptr<void>> HandleTable::remove_all(Kind kind) {
  std::vector<std::shared_ptr<void>> removed;
  for (std::size_t place = 0; place < slots_.size(); ++place) {
    if (slots_[place].kind != kind) continue;
    const std::uint32_t generation = slots_[place].generation;
    removed.push_back(remove({kind, place_, generation, place}));
  }
  return removed;
}

}  // namespace unum::capi
