// Sending of calls to DynamoDB, batches and pages to their end.
#include "stores/dynamodb/table.hpp"

#include <algorithm>
#include <utility>

#include "unum/task_group.hpp"

namespace unum::dynamodb {
namespace {

// A response holds at most 16 MB of items; in JSON a byte takes up to six.
constexpr std::size_t kResponseBytesMax = 6u * 16 * 1024 * 1024 + 1024 * 1024;
// Rounds in which the service does nothing at all before we give up, about ten seconds; and then
// not before the store's patience has passed.
constexpr unsigned kIdleRoundsMax = 15;
// A response of this size was cut by the limit of a page, not by throttling: go on at once.
constexpr std::size_t kFullPageBytes = 1024 * 1024;
constexpr std::size_t kBatchesAtOnce = 8;
// After a batch's response of this size the next one is expected to be long as well.
constexpr std::size_t kLongResponseBytes = 64 * 1024;

struct OperationNames {
  std::string_view name;
  std::array<std::string, 2> headers;
};

const OperationNames& names_of(Operation operation) {
  static const auto kMake = [](std::string_view name) {
    return OperationNames{name,
                          {"content-type: application/x-amz-json-1.0",
                           "x-amz-target: DynamoDB_20120810." + std::string(name)}};
  };
  static const std::array<OperationNames, 10> kNames = {
      kMake("GetItem"),      kMake("PutItem"),         kMake("UpdateItem"), kMake("DeleteItem"),
      kMake("BatchGetItem"), kMake("BatchWriteItem"),  kMake("Scan"),       kMake("DescribeTable"),
      kMake("CreateTable"),  kMake("UpdateTimeToLive")};
  return kNames[static_cast<std::size_t>(operation)];
}

bool is_read(Operation operation) noexcept {
  return operation == Operation::get_item || operation == Operation::batch_get ||
         operation == Operation::describe_table;
}

std::vector<std::string_view> views_of(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

}  // namespace

Task<void> Pauses::next(Reactor& reactor, Wait wait, std::string_view what) {
  const Clock::duration pause = backoff_.pause(count_++, reactor.random_fraction());
  co_await reactor.sleep_until(std::min(reactor.now() + pause, wait.deadline), wait.stop);
  if (wait.stop.stop_requested()) {
    throw Error(ErrorKind::cancelled, "dynamodb", "ECANCELED",
                std::string(what) + ": given up: " + std::string(wait.stop.reason()));
  }
  if (wait.deadline <= reactor.now()) {
    throw Error(ErrorKind::timeout, "dynamodb", "ETIME",
                std::string(what) + ": the deadline has passed");
  }
}

Table::Table(Reactor& reactor, aws::ServiceClient& service, std::string name)
    : reactor_(reactor), service_(service), name_(std::move(name)) {
  const aws::Endpoint& endpoint = service.endpoint();
  parser_.set_service(endpoint.service + " in " + endpoint.region + " at " + endpoint.origin);
}

Task<Table::Answer> Table::call(Operation operation, std::string body, std::string_view what,
                                std::span<const std::string_view> expected, Wait wait) {
  const OperationNames& names = names_of(operation);
  std::string about(names.name);
  about.append(" ").append(name_);
  if (!what.empty()) about.append(", ").append(what);
  aws::Call call;
  call.method = http::Method::post;
  call.path = "/";
  call.headers = names.headers;
  call.body = body;
  call.expected = expected;
  call.may_hedge = is_read(operation);
  call.long_body = operation == Operation::batch_get && batches_are_long_;
  call.body_bytes_max = kResponseBytesMax;
  call.what = about;
  aws::ServiceAnswer answer = co_await service_.send(call, wait);
  // Whoever waits for the answer reads it before another one comes.
  parser_.set_call(std::move(about));
  co_return Answer{std::move(answer.response.body), std::move(answer.error_code)};
}

Task<void> Table::batch_get(std::span<const std::string_view> keys, Projection projection,
                            bool consistent, const ResponseParser::OnItem& on_item, Wait wait) {
  std::vector<std::string> unprocessed;
  std::vector<std::string_view> asked;
  Pauses pauses;
  unsigned idle_rounds = 0;
  Deadline last_progress = reactor_.now();
  while (true) {
    const std::string what = std::to_string(keys.size()) + " keys";
    Answer answer = co_await call(
        Operation::batch_get, batch_get_body(name_, keys, projection, consistent), what, {}, wait);
    batches_are_long_ = answer.body.size() > kLongResponseBytes;
    std::vector<std::string> left;
    parser_.batch_get(answer.body, on_item, left);
    if (left.empty()) co_return;
    if (left.size() < keys.size()) {
      idle_rounds = 0;
      last_progress = reactor_.now();
    } else if (++idle_rounds >= kIdleRoundsMax &&
               reactor_.now() - last_progress >= service_.patience()) {
      throw Error(ErrorKind::throttled, "dynamodb", "Unum.UnprocessedKeys",
                  "BatchGetItem " + name_ + ": the service has left all of " + what + " undone " +
                      std::to_string(idle_rounds) + " times; the table's read capacity is used up");
    }
    unprocessed = std::move(left);
    asked = views_of(unprocessed);
    keys = asked;
    if (answer.body.size() < kFullPageBytes) co_await pauses.next(reactor_, wait, what);
  }
}

Task<void> Table::list_keys(std::span<const std::string_view> keys,
                            const ResponseParser::OnItem& on_item, Wait wait) {
  const std::size_t batches = (keys.size() + kKeysABatch - 1) / kKeysABatch;
  const auto one = [&](std::size_t i) {
    const auto from = keys.subspan(i * kKeysABatch);
    const auto batch = from.first(std::min(kKeysABatch, from.size()));
    return batch_get(batch, Projection::listing, true, on_item, wait);
  };
  co_await for_each_bounded(batches, kBatchesAtOnce, one);
}

Task<void> Table::write_batch(std::vector<BatchWrite> writes, Wait wait) {
  Pauses pauses;
  unsigned idle_rounds = 0;
  Deadline last_progress = reactor_.now();
  while (true) {
    const std::string what = std::to_string(writes.size()) + " writes";
    Answer answer =
        co_await call(Operation::batch_write, batch_write_body(name_, writes), what, {}, wait);
    std::vector<std::string> left;
    parser_.batch_write(answer.body, left);
    if (left.empty()) co_return;
    if (left.size() < writes.size()) {
      idle_rounds = 0;
      last_progress = reactor_.now();
    } else if (++idle_rounds >= kIdleRoundsMax &&
               reactor_.now() - last_progress >= service_.patience()) {
      throw Error(ErrorKind::throttled, "dynamodb", "Unum.UnprocessedItems",
                  "BatchWriteItem " + name_ + ": the service leaves " + what +
                      " undone; the table's write capacity is used up");
    }
    std::erase_if(writes, [&](const BatchWrite& write) {
      return std::find(left.begin(), left.end(), write.key) == left.end();
    });
    co_await pauses.next(reactor_, wait, what);
  }
}

Task<void> Table::write_all(std::span<const BatchWrite> writes, Wait wait) {
  const std::size_t batches = (writes.size() + kWritesABatch - 1) / kWritesABatch;
  const auto one = [&](std::size_t i) {
    const auto from = writes.subspan(i * kWritesABatch);
    const auto batch = from.first(std::min(kWritesABatch, from.size()));
    return write_batch({batch.begin(), batch.end()}, wait);
  };
  co_await for_each_bounded(batches, kBatchesAtOnce, one);
}

Task<void> Table::delete_keys(std::span<const std::string_view> keys, Wait wait) {
  std::vector<BatchWrite> deletes;
  deletes.reserve(keys.size());
  for (const std::string_view key : keys) deletes.push_back({key});
  co_await write_all(deletes, wait);
}

Task<void> Table::scan_segment(std::string_view prefix, Segment segment,
                               const ResponseParser::OnItem& on_item, Wait wait) {
  std::string after;
  do {
    Answer answer =
        co_await call(Operation::scan, scan_body(name_, prefix, segment, after), prefix, {}, wait);
    after = parser_.scan(answer.body, on_item);
  } while (!after.empty());
}

Task<void> Table::scan(std::string_view prefix, std::size_t segments,
                       const ResponseParser::OnItem& on_item, Wait wait) {
  const auto one = [&](std::size_t i) -> Task<void> {
    return scan_segment(prefix, {i, segments}, on_item, wait);
  };
  co_await for_each_bounded(segments, segments, one);
}

}  // namespace unum::dynamodb
