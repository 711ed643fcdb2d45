// The S3 store: creating, overwriting and removing.
#include <algorithm>
#include <chrono>

#include "base/limits.hpp"
#include "stores/s3/crc32c.hpp"
#include "stores/s3/s3_store_impl.hpp"
#include "stores/store_checks.hpp"
#include "unum/task_group.hpp"

namespace unum::s3 {
namespace {

// What S3 says of a write without a condition that meets one with a condition: again, please.
constexpr std::array<std::string_view, 3> kInTheWay = {"OperationAborted",
                                                       "ConditionalRequestConflict", "409"};
// Keys of one DeleteObjects, S3's limit.
constexpr std::size_t kKeysOfOneDelete = 1000;
// In its place: it is an object of its own.
constexpr std::string_view kKeptBeside = "beside";
// How often keys are tried again that S3 was too busy to remove; more often while the store's
// patience lasts.
constexpr int kDeletesMax = 4;
// Doubled each time.
constexpr std::chrono::milliseconds kRacePause{20};
constexpr std::chrono::milliseconds kBusyPause{100};

bool is_passing(std::string_view code) noexcept {
  return code == "InternalError" || code == "SlowDown" || code == "ServiceUnavailable" ||
         code == "OperationAborted";
}

}  // namespace

Task<void> S3Store::pause(std::chrono::milliseconds time, Wait wait) {
  const Deadline until = std::min<Deadline>(reactor().now() + time, wait.deadline);
  co_await reactor().sleep_until(until, wait.stop);
  check_wait(*this, "write", wait);
}

/// Writes in one request. Empty: written; else the code of a lost write.
Task<std::string> S3Store::put_object(const Target& target, std::string_view value, bool if_absent,
                                      Wait wait) {
  std::array<std::string, 3> headers = {"x-amz-checksum-crc32c: " + crc32c_text(crc32c(value))};
  std::size_t count = 1;
  if (if_absent) headers[count++] = "if-none-match: *";
  if (target.keeps()) headers[count++] = target.kept_header();
  aws::Call call;
  call.method = http::Method::put;
  call.path = target.path();
  call.headers = std::span(headers).first(count);
  call.body = value;
  call.signing = aws::Signing::query;
  call.unsigned_payload = true;
  if (if_absent) {
    call.expects = &is_lost_write;
  } else {
    call.retried = kInTheWay;
  }
  call.what = target.what();
  aws::ServiceAnswer answer = co_await aws_.service->send(call, wait);
  co_return std::move(answer.error_code);
}

/// The whole name of an item whose key is shortened. It is written before the item, so that no
/// listing meets an item that it cannot name.
Task<void> S3Store::write_companion(const SessionContext& context, const ItemId& item, Wait wait) {
  Target target(targets_);
  std::string key = key_of(context.session(), item);
  key += kCompanionSuffix;
  name_key(target, "PutObject", key);
  const std::string text = companion_text(context.session(), item.name);
  co_await put_object(target, text, false, wait);
}

Task<WriteResult> S3Store::create(const SessionContext& context, const ItemId& item,
                                  std::string_view value, Wait wait) {
  if (needs_companion(context.session(), item.name, item.kind)) {
    co_await write_companion(context, item, wait);
  }
  Target target(targets_);
  name_item(target, "PutObject", context.session(), item.name, item.kind);
  const std::string& kept = context.redelivery();
  if (item.kind == ItemKind::outcome) {
    const bool fits = kept.size() <= kRedeliveryBytesAlong;
    target.keep(fits ? kept : kKeptBeside);
    if (!fits) {
      // Written first: whoever finds the outcome finds it, too.
      const ItemId beside{item.name, ItemKind::garbage};
      co_await put(context, beside, kept, wait);
    }
  }
  for (int race = 0; race < kRacesMax; ++race) {
    std::string lost;
    if (value.size() < kPartsFromBytes) {
      lost = co_await put_object(target, value, true, wait);
    } else {
      lost = co_await put_in_parts(target, value, true, wait);
    }
    if (lost.empty()) co_return WriteResult{};
    // What won, or what a request of ours wrote whose answer was lost.
    std::optional<std::string> stored = co_await read(target, wait);
    if (stored) co_return WriteResult{WriteResult::Status::already_there, std::move(*stored)};
    // Another write is under way and may yet fail, or what it wrote was removed again.
    co_await pause(kRacePause * (1 << race), wait);
  }
  throw Error(ErrorKind::conflict, "s3", "ConditionalRequestConflict",
              std::string(target.what()) +
                  ": S3 refused the write as one among several, and none of them is there");
}

Task<void> S3Store::put(const SessionContext& context, const ItemId& item, std::string_view value,
                        Wait wait) {
  if (needs_companion(context.session(), item.name, item.kind)) {
    co_await write_companion(context, item, wait);
  }
  Target target(targets_);
  name_item(target, "PutObject", context.session(), item.name, item.kind);
  if (value.size() < kPartsFromBytes) {
    co_await put_object(target, value, false, wait);
    co_return;
  }
  for (int attempt = 0; attempt < kRacesMax; ++attempt) {
    const std::string lost = co_await put_in_parts(target, value, false, wait);
    if (lost.empty()) co_return;
  }
  throw Error(ErrorKind::conflict, "s3", "NoSuchUpload",
              std::string(target.what()) + ": S3 lost each upload in parts before it was complete");
}

// --- Removing -----------------------------------------------------------------------------------

Task<void> S3Store::collect(const SessionContext& context, std::span<const std::string> instances,
                            std::span<const ItemId> items, Wait wait) {
  co_await put_tombstones(*this, context, instances, wait);
  std::vector<ItemId> removed(items.begin(), items.end());
  if (!items.empty() || instances.size() > 1) {
    // What was too long for their metadata, in one request with the others.
    for (const std::string& name : instances) removed.push_back({name, ItemKind::garbage});
  }
  if (!removed.empty()) co_await remove(context, removed, wait);
}

/// In the metadata of the outcome; where it was too long for that, an object of its own.
Task<std::optional<std::string>> S3Store::redelivery_of(const SessionContext& context,
                                                        const std::string& instance, Wait wait) {
  Target target(targets_);
  name_item(target, "HeadObject", context.session(), instance, ItemKind::outcome);
  const aws::ServiceAnswer answer = co_await head(target, wait);
  if (!answer.error_code.empty()) co_return std::nullopt;
  std::string kept(answer.response.header(Target::kKeptHeader));
  if (kept.empty()) co_return std::nullopt;
  if (kept != kKeptBeside) co_return kept;
  const ItemId beside{instance, ItemKind::garbage};
  co_return co_await get(context, beside, wait);
}

Task<void> S3Store::remove(const SessionContext& context, std::span<const ItemId> items,
                           Wait wait) {
  fan_in_.forget(items);
  std::vector<std::string> keys;
  keys.reserve(items.size());
  for (const ItemId& item : items) {
    keys.push_back(key_of(context.session(), item));
    if (!needs_companion(context.session(), item.name, item.kind)) continue;
    keys.push_back(keys.back());
    keys.back() += kCompanionSuffix;
  }
  const std::size_t batches = (keys.size() + kKeysOfOneDelete - 1) / kKeysOfOneDelete;
  const auto remove_batch = [&](std::size_t i) -> Task<void> {
    const std::size_t begin = i * kKeysOfOneDelete;
    const std::size_t count = std::min(kKeysOfOneDelete, keys.size() - begin);
    co_await remove_keys(std::span<const std::string>(keys).subspan(begin, count), wait);
  };
  co_await for_each_bounded(batches, in_flight_max_, remove_batch);
}

Task<void> S3Store::remove_keys(std::span<const std::string> keys, Wait wait) {
  Target target(targets_);
  aws::Call call;
  call.retried = kInTheWay;
  if (keys.size() == 1) {
    call.expects = &is_absent;
    name_key(target, "DeleteObject", keys.front());
    call.method = http::Method::del;
    call.path = target.path();
    call.what = target.what();
    co_await aws_.service->send(call, wait);
    co_return;
  }
  name_bucket(target, "DeleteObjects");
  std::vector<DeleteFailure> failures;
  for (const std::string& key : keys) failures.push_back({key, {}, {}});
  const Deadline patient_until = reactor().now() + aws_.service->patience();
  for (int attempt = 1; !failures.empty(); ++attempt) {
    std::string body = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (const DeleteFailure& failure : failures) {
      body += "<Object><Key>";
      append_xml(body, failure.key);
      body += "</Key></Object>";
    }
    body += "<Quiet>true</Quiet></Delete>";
    const std::array<std::string, 1> headers = {"x-amz-checksum-crc32c: " +
                                                crc32c_text(crc32c(body))};
    call.method = http::Method::post;
    call.path = target.path();
    call.query = "delete=";
    call.headers = headers;
    call.body = body;
    call.what = target.what();
    aws::ServiceAnswer answer = co_await aws_.service->send(call, wait);
    failures = parse_delete_result(answer.response.body);
    std::erase_if(failures, [](const DeleteFailure& f) { return f.code == "NoSuchKey"; });
    for (const DeleteFailure& failure : failures) {
      const bool again = attempt < kDeletesMax || reactor().now() < patient_until;
      if (is_passing(failure.code) && again) continue;
      const ErrorKind kind = is_passing(failure.code)         ? ErrorKind::throttled
                             : failure.code == "AccessDenied" ? ErrorKind::denied
                                                              : ErrorKind::invalid;
      throw Error(kind, "s3", failure.code,
                  std::string(target.what()) + ": " + failure.key + ": " + failure.message);
    }
    if (!failures.empty()) {
      co_await pause(kBusyPause * (1 << std::min(attempt, kDeletesMax)), wait);
    }
  }
}

}  // namespace unum::s3
