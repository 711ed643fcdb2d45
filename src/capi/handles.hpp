// Handles: numbers in the shape of pointers, which are looked up and never followed. So one that
// was freed, is of another kind or of another loop is noticed, whatever it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "unum.h"

namespace unum::capi {

class Loop;
struct Op;
struct StoreObject;
struct FunctionObject;
class RuntimeObject;
struct CallObject;
struct InvocationObject;
struct ApplicationObject;

/// From the highest bits: kind (4), place of the loop (12), generation (24), slot (20).
using HandleNumber = std::uint64_t;

enum class Kind : std::uint8_t {
  none = 0,
  loop,
  store,
  op,
  function,
  runtime,
  call,
  invocation,
  application,
};
const char* name_of(Kind kind) noexcept;

inline constexpr unsigned kSlotBits = 20;
inline constexpr unsigned kGenerationBits = 24;
inline constexpr unsigned kPlaceBits = 12;
inline constexpr std::size_t kSlotsMax = std::size_t{1} << kSlotBits;
inline constexpr std::size_t kLoopsMax = std::size_t{1} << kPlaceBits;
inline constexpr std::uint32_t kGenerationMask = (std::uint32_t{1} << kGenerationBits) - 1;

struct HandleParts {
  Kind kind = Kind::none;
  std::size_t place = 0;
  std::uint32_t generation = 0;
  std::size_t slot = 0;
};
HandleNumber to_number(const HandleParts& parts) noexcept;
HandleParts parts_of(HandleNumber number) noexcept;

/// What a type of the header is here: its kind, and the object that it names.
template <class Public>
struct Named;
template <>
struct Named<unum_op> {
  using Object = Op;
  static constexpr Kind kKind = Kind::op;
};
template <>
struct Named<unum_store> {
  using Object = StoreObject;
  static constexpr Kind kKind = Kind::store;
};
template <>
struct Named<unum_function> {
  using Object = FunctionObject;
  static constexpr Kind kKind = Kind::function;
};
template <>
struct Named<unum_runtime> {
  using Object = RuntimeObject;
  static constexpr Kind kKind = Kind::runtime;
};
template <>
struct Named<unum_call> {
  using Object = CallObject;
  static constexpr Kind kKind = Kind::call;
};
template <>
struct Named<unum_invocation> {
  using Object = InvocationObject;
  static constexpr Kind kKind = Kind::invocation;
};
template <>
struct Named<unum_application> {
  using Object = ApplicationObject;
  static constexpr Kind kKind = Kind::application;
};

template <class Public>
HandleNumber number_of(const Public* handle) noexcept {
  return reinterpret_cast<std::uintptr_t>(handle);
}
template <class Public>
Public* handle_of(HandleNumber number) noexcept {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): never followed
  return reinterpret_cast<Public*>(static_cast<std::uintptr_t>(number));
}
static_assert(sizeof(std::uintptr_t) == sizeof(HandleNumber), "handles need pointers of 64 bits");

/// The objects of one loop that handles name. Slots are used again as late as can be, so that an
/// old handle is told from a new one for 16 million uses of its slot.
class HandleTable {
 public:
  HandleTable(std::size_t place, std::uint32_t first_generation) noexcept
      : place_(place), first_generation_(first_generation) {}

  /// Throws `exhausted` when there are kSlotsMax.
  HandleNumber add(Kind kind, std::shared_ptr<void> object);
  /// Null if the handle names nothing (any more).
  const std::shared_ptr<void>* find(const HandleParts& parts) const noexcept;
  /// Null as above. The handle names nothing from then on.
  std::shared_ptr<void> remove(const HandleParts& parts) noexcept;
  /// Removes all of this kind.
  std::vector<std::shared_ptr<void>> remove_all(Kind kind);

 private:
  struct Slot {
    std::shared_ptr<void> object;
    std::uint32_t generation = 0;
    std::uint32_t next_free = 0;
    Kind kind = Kind::none;
  };
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::size_t place_;
  std::uint32_t first_generation_;
  std::vector<Slot> slots_;
  std::uint32_t first_free_ = kNone;
  std::uint32_t last_free_ = kNone;
};

}  // namespace unum::capi
