// The S3 store: reading values, and looking whether they exist.
#include <algorithm>
#include <charconv>

#include "base/limits.hpp"
#include "base/padded.hpp"
#include "stores/s3/crc32c.hpp"
#include "stores/s3/s3_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::s3 {
namespace {

constexpr std::array<std::string_view, 1> kNotFound = {"404"};
constexpr int kWholeObject = 200;
constexpr int kRangeNotSatisfiable = 416;
// Computing a checksum of this much takes a millisecond; then others have their turn.
constexpr std::size_t kChecksumStep = 8u * 1024 * 1024;

/// Of a part that was asked for: there is no object, or it ends before.
bool is_absent_or_shorter(int status, std::string_view code, std::string_view body) noexcept {
  return status == kRangeNotSatisfiable || is_absent(status, code, body);
}

/// S3 answers "denied" for an object that is absent to whoever may not list the bucket.
[[noreturn]] void throw_explained(const Error& error) {
  if (error.kind() != ErrorKind::denied ||
      (error.code() != "AccessDenied" && error.code() != "403"))
    throw error;
  throw Error(error.kind(), error.origin(), error.code(),
              error.message() +
                  " (S3 says so for an absent object, too, unless s3:ListBucket is allowed on the "
                  "bucket)");
}

}  // namespace

// --- Values -------------------------------------------------------------------------------------

Task<std::optional<std::string>> S3Store::read(const Target& target, Wait wait) {
  aws::Call call;
  call.path = target.path();
  call.signing = aws::Signing::query;
  call.expects = &is_absent;
  call.may_hedge = true;
  call.body_bytes_max = kValueBytesMax;
  call.what = target.what();
  aws::ServiceAnswer answer;
  try {
    answer = co_await aws_.service->send(call, wait);
  } catch (const Error& error) {
    throw_explained(error);
  }
  if (!answer.error_code.empty()) co_return std::nullopt;
  if (answer.response.body.size() >= kPartsFromBytes) {
    co_await verify(target, answer.response, wait);
  }
  co_return std::move(answer.response.body);
}

/// Compares a large value with the checksum that S3 keeps of it. Asking for that with each GET
/// costs a header that must be formatted and signed, a seventh of a small request; so it is asked
/// for afterwards, where a request more counts for nothing.
Task<void> S3Store::verify(const Target& target, const http::Response& response, Wait wait) {
  const std::array<std::string, 1> headers = {"x-amz-checksum-mode: ENABLED"};
  aws::Call call;
  call.method = http::Method::head;
  call.path = target.path();
  call.headers = headers;
  call.expected = kNotFound;
  call.what = target.what();
  const aws::ServiceAnswer answer = co_await aws_.service->send(call, wait);
  const std::string_view kept = answer.response.header("x-amz-checksum-crc32c");
  // Written over or removed meanwhile, of another writer, or made of the parts' checksums.
  if (!answer.error_code.empty() || kept.size() != crc32c_text(0).size() ||
      answer.response.header("etag") != response.header("etag")) {
    co_return;
  }
  std::uint32_t checksum = 0;
  for (std::string_view rest = response.body; !rest.empty();) {
    const std::string_view step = rest.substr(0, kChecksumStep);
    checksum = crc32c(step, checksum);
    rest.remove_prefix(step.size());
    co_await reactor().yield();
  }
  if (crc32c_text(checksum) == kept) co_return;
  throw Error(ErrorKind::corrupt, "s3", "Unum.ChecksumMismatch",
              std::string(target.what()) + ": the " + std::to_string(response.body.size()) +
                  " bytes that came have the CRC-32C " + crc32c_text(checksum) + ", and S3 keeps " +
                  std::string(kept));
}

Task<std::optional<std::string>> S3Store::get(const SessionContext& context, const ItemId& item,
                                              Wait wait) {
  Target target(targets_);
  name_item(target, "GetObject", context.session(), item.name, item.kind);
  co_return co_await read(target, wait);
}

Task<std::optional<std::string>> S3Store::get_range(const SessionContext& context,
                                                    const ItemId& item, ByteRange range,
                                                    Wait wait) {
  if (range.bytes == 0) {
    const bool is_there = co_await exists(context, item.name, item.kind, wait);
    co_return is_there ? std::optional<std::string>("") : std::nullopt;
  }
  Target target(targets_);
  name_item(target, "GetObject", context.session(), item.name, item.kind);
  const std::array<std::string, 1> headers = {"range: bytes=" + std::to_string(range.offset) + "-" +
                                              std::to_string(range.offset + range.bytes - 1)};
  aws::Call call;
  call.path = target.path();
  call.headers = headers;
  call.expects = &is_absent_or_shorter;
  call.may_hedge = true;
  call.body_bytes_max = kValueBytesMax;
  call.what = target.what();
  aws::ServiceAnswer answer;
  try {
    answer = co_await aws_.service->send(call, wait);
  } catch (const Error& error) {
    throw_explained(error);
  }
  if (answer.response.status == kRangeNotSatisfiable) co_return std::string();
  if (!answer.error_code.empty()) co_return std::nullopt;
  std::string& body = answer.response.body;
  // Whoever does not know ranges sends the whole.
  if (answer.response.status == kWholeObject) {
    co_return padded_copy(part_of(body, range.offset, range.bytes));
  }
  co_return std::move(body);
}

Task<std::vector<std::optional<std::string>>> S3Store::get_many(const SessionContext& context,
                                                                std::span<const Pointer> pointers,
                                                                Wait wait) {
  std::vector<std::optional<std::string>> values(pointers.size());
  const auto read_one = [&](std::size_t i) -> Task<void> {
    Target target(targets_);
    name_item(target, "GetObject", context.session(), pointers[i].name(), ItemKind::outcome);
    values[i] = co_await read(target, wait);
  };
  co_await for_each_bounded(pointers.size(), in_flight_max_, read_one);
  co_return values;
}

// --- Existence ----------------------------------------------------------------------------------

/// What stands in an object's headers; with an error code if there is none.
Task<aws::ServiceAnswer> S3Store::head(const Target& target, Wait wait) {
  aws::Call call;
  call.method = http::Method::head;
  call.path = target.path();
  call.signing = aws::Signing::query;
  call.expected = kNotFound;
  call.may_hedge = true;
  call.what = target.what();
  try {
    co_return co_await aws_.service->send(call, wait);
  } catch (const Error& error) {
    throw_explained(error);
  }
}

Task<bool> S3Store::exists(const SessionContext& context, std::string_view item, ItemKind kind,
                           Wait wait) {
  Target target(targets_);
  name_item(target, "HeadObject", context.session(), item, kind);
  const aws::ServiceAnswer answer = co_await head(target, wait);
  co_return answer.error_code.empty();
}

Task<bool> S3Store::exist_one_by_one(const SessionContext& context,
                                     std::span<const Pointer*> pointers, Wait wait) {
  bool all = true;
  const auto check = [&](std::size_t i) -> Task<void> {
    if (!all) co_return;
    if (!co_await exists(context, pointers[i]->name(), ItemKind::outcome, wait)) all = false;
  };
  co_await for_each_bounded(pointers.size(), in_flight_max_, check);
  co_return all;
}

Task<bool> S3Store::all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                              Wait wait) {
  std::vector<const Pointer*> all;
  all.reserve(pointers.size());
  for (const Pointer& pointer : pointers) all.push_back(&pointer);
  if (all.size() < kPageWorth) co_return co_await exist_one_by_one(context, all, wait);
  co_return co_await exist_by_pages(context, all, wait);
}

/// Walks through the names and the listing side by side, both in the order of their keys. That a
/// key is listed is believed; that one is not is confirmed, so that no server's way of ordering or
/// cutting its listing can make a value seem absent.
Task<bool> S3Store::exist_by_pages(const SessionContext& context,
                                   std::span<const Pointer*> pointers, Wait wait) {
  struct Asked {
    std::string key;
    const Pointer* pointer;
  };
  ListQuery query;
  query.prefix = session_prefix(context.session());
  std::vector<Asked> asked;
  asked.reserve(pointers.size());
  for (const Pointer* pointer : pointers) {
    std::string key = query.prefix;
    append_item(key, pointer->name(), ItemKind::outcome);
    asked.push_back({std::move(key), pointer});
  }
  std::sort(asked.begin(), asked.end(),
            [](const Asked& a, const Asked& b) { return a.key < b.key; });
  std::size_t at = 0;
  const auto one_by_one = [&]() -> Task<bool> {
    std::vector<const Pointer*> rest;
    for (std::size_t i = at; i < asked.size(); ++i) rest.push_back(asked[i].pointer);
    co_return co_await exist_one_by_one(context, rest, wait);
  };
  while (at < asked.size()) {
    // Right before the key: nothing sorts between it and itself without its last byte but what
    // continues that.
    std::string before = asked[at].key.substr(0, asked[at].key.size() - 1);
    if (before > query.start_after) query.start_after = std::move(before);
    const ListPage page = co_await list_page(query, wait);
    const std::size_t found_before = at;
    for (const ListedObject& object : page.objects) {
      if (at < asked.size() && asked[at].key < object.key) break;
      while (at < asked.size() && asked[at].key == object.key) ++at;
    }
    if (at == asked.size()) co_return true;
    const bool passed = page.continuation.empty() ||
                        (!page.objects.empty() && asked[at].key < page.objects.back().key);
    if (passed) {
      const std::string& name = asked[at].pointer->name();
      if (!co_await exists(context, name, ItemKind::outcome, wait)) co_return false;
      co_return co_await one_by_one();
    }
    if (at - found_before < kPageWorth) co_return co_await one_by_one();
    query.start_after = page.objects.back().key;
  }
  co_return true;
}

}  // namespace unum::s3
