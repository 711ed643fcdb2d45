// Reading and writing of delayed deliveries.
#include "hosts/delayed.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "workflow/payload.hpp"

namespace unum {
namespace {

using std::chrono::milliseconds;

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::corrupt, "host", "Unum.NoValue", what);
}

milliseconds time_in(json::View value) {
  const std::string_view digits = value.text();
  std::int64_t number = 0;
  if (json::type_of(value) != json::Type::number || digits.size() > 15)
    fail("NotBefore is no time");
  for (const char c : digits) {
    if (c < '0' || c > '9') fail("NotBefore is no time");
    number = number * 10 + (c - '0');
  }
  return milliseconds(number);
}

}  // namespace

std::string stored_delay(WallTime not_before, json::View payload) {
  const auto since_1970 = std::chrono::ceil<milliseconds>(not_before.time_since_epoch());
  std::string out = "{\"NotBefore\":" + std::to_string(since_1970.count()) + ",\"Payload\":";
  return out.append(payload.text()).append(1, '}');
}

DelayedDelivery read_delay(std::string_view stored) {
  const json::View object = json::validate(stored, "the delayed delivery", kPayloadLevels + 1);
  if (json::type_of(object) != json::Type::object) fail("it is no object");
  const auto not_before = json::member(object, "NotBefore");
  const auto payload = json::member(object, "Payload");
  if (!not_before || !payload) fail("it has no NotBefore or no Payload");
  DelayedDelivery delivery;
  delivery.not_before = WallTime(time_in(*not_before));
  delivery.payload = json::Text(*payload);
  Payload read = parse_payload(*payload);
  delivery.attempt = read.retry.attempt;
  delivery.error = std::move(read.retry.error);
  return delivery;
}

void DelayedItems::begin(SessionContext context) {
  context_ = std::move(context);
  left_.clear();
}

Task<void> DelayedItems::find(SessionContext context, Wait wait) {
  begin(std::move(context));
  const std::vector<ListedItem> items = co_await store_.list(*context_, wait);
  for (const ListedItem& item : items) {
    if (item.id.kind == ItemKind::delayed) left_.insert(item.id.name);
  }
  if (left_.empty()) co_return;
  for (const ListedItem& item : items) {
    if (item.id.kind == ItemKind::outcome) left_.erase(item.id.name);
  }
}

Task<std::optional<DelayedDelivery>> DelayedItems::take(const Function& function,
                                                        std::string instance, Wait wait) {
  left_.erase(instance);
  const ItemId item{instance, ItemKind::delayed};
  const std::optional<std::string> stored = co_await store_.get(*context_, item, wait);
  if (!stored) co_return std::nullopt;
  try {
    DelayedDelivery delivery = read_delay(*stored);
    const PayloadIdentity whose = identify_payload(function, delivery.payload);
    if (whose.instance != instance || whose.session != context_->session()) {
      fail("its payload is another instance's");
    }
    co_return delivery;
  } catch (const Error& error) {
    log::warn(LogArea::host, {context_->session(), instance},
              "its delayed delivery is damaged, and it begins anew: {}", error.message());
  }
  co_return std::nullopt;
}

Task<void> DelayedItems::keep(std::string instance, WallTime not_before, const json::Text& payload,
                              Wait wait) {
  const std::string text = stored_delay(not_before, payload);
  const ItemId item{std::move(instance), ItemKind::delayed};
  co_await store_.put(*context_, item, text, wait);
}

Task<void> DelayedItems::drop(std::string instance, Wait wait) {
  const std::array<ItemId, 1> items{ItemId{instance, ItemKind::delayed}};
  try {
    co_await store_.remove(*context_, items, wait);
  } catch (const Error& error) {
    log::warn(LogArea::host, {context_->session(), instance},
              "its delayed delivery was not removed: {}", error.message());
  }
}

}  // namespace unum
