// Pauses, quota and the end of attempts, by a clock and numbers of the test's own.
#include "aws/retry.hpp"
#include "aws_testing.hpp"

using namespace unum;
using namespace std::chrono_literals;

namespace {

const Deadline kNow = Deadline() + 1000h;

}  // namespace

TEST_CASE("pauses double from their base, up to the longest, with full jitter", "[retry]") {
  const RetryBackoff backoff;
  const auto delay = [&](Failure failure, unsigned attempt, double random) {
    const Backoff& of = failure == Failure::throttling ? backoff.throttling : backoff.transient;
    return std::chrono::duration_cast<std::chrono::milliseconds>(of.pause(attempt, random));
  };
  CHECK(delay(Failure::transient, 0, 1.0) == 50ms);
  CHECK(delay(Failure::transient, 3, 1.0) == 400ms);
  CHECK(delay(Failure::throttling, 0, 1.0) == 1s);
  CHECK(delay(Failure::throttling, 4, 1.0) == 16s);
  CHECK(delay(Failure::throttling, 5, 1.0) == 20s);
  CHECK(delay(Failure::throttling, 4'000'000'000u, 1.0) == 20s);
  CHECK(delay(Failure::throttling, 5, 0.25) == 5s);
  CHECK(delay(Failure::throttling, 5, 0.0) == 0ms);
}

TEST_CASE("attempts end by their number, the deadline or the quota", "[retry]") {
  const RetryBackoff backoff;
  const Random half = [] { return 0.5; };
  RetryQuota quota(20);

  Retry by_number(backoff, 2, quota, half, kNoDeadline);
  CHECK(by_number.failed(Failure::transient, kNow) == kNow + 25ms);
  CHECK(quota.tokens() == 6);
  CHECK(!by_number.failed(Failure::transient, kNow));
  CHECK(by_number.end() == Retry::End::attempts);
  CHECK(by_number.attempts() == 2);

  Retry by_quota(backoff, 9, quota, half, kNoDeadline);
  CHECK(by_quota.failed(Failure::throttling, kNow) == kNow + 500ms);
  CHECK(quota.tokens() == 1);
  CHECK(!by_quota.failed(Failure::throttling, kNow));
  CHECK(by_quota.end() == Retry::End::quota);

  RetryQuota full;
  Retry by_deadline(backoff, 9, full, half, kNow + 600ms);
  CHECK(by_deadline.failed(Failure::throttling, kNow) == kNow + 500ms);
  CHECK(!by_deadline.failed(Failure::throttling, kNow + 500ms));
  CHECK(by_deadline.end() == Retry::End::deadline);
  CHECK(full.tokens() == 495);  // what the deadline forbids costs nothing
  Retry too_late(backoff, 9, full, half, kAlreadyPassed);
  CHECK(!too_late.failed(Failure::transient, kNow));
  CHECK(too_late.end() == Retry::End::deadline);
}

TEST_CASE("a success gives back what its retries took, and a little when there were none",
          "[retry]") {
  const RetryBackoff backoff;
  const Random none = [] { return 0.0; };
  RetryQuota quota;
  Retry retry(backoff, 9, quota, none, kNoDeadline);
  CHECK(retry.failed(Failure::transient, kNow));
  CHECK(retry.failed(Failure::throttling, kNow));
  CHECK(quota.tokens() == 481);
  retry.succeeded();
  CHECK(quota.tokens() == 486);  // the last retry's: that one was worth it
  Retry(backoff, 9, quota, none, kNoDeadline).succeeded();
  CHECK(quota.tokens() == 487);
  for (int i = 0; i < 100; ++i) Retry(backoff, 9, quota, none, kNoDeadline).succeeded();
  CHECK(quota.tokens() == RetryQuota::kCapacity);
}

TEST_CASE("a pause that was asked for is the least, and the deadline bounds it, too", "[retry]") {
  const RetryBackoff backoff;
  const Random half = [] { return 0.5; };
  RetryQuota quota;
  Retry retry(backoff, 9, quota, half, kNow + 10s);
  CHECK(retry.failed(Failure::transient, kNow, 3s) == kNow + 3s);
  CHECK(retry.failed(Failure::throttling, kNow, 1ms) == kNow + 1s);
  CHECK(!retry.failed(Failure::throttling, kNow, 3600s));
  CHECK(retry.end() == Retry::End::deadline);
}

TEST_CASE("with a patience time ends a call, neither attempts nor the quota (found 16)",
          "[retry]") {
  const RetryBackoff backoff;
  const Random most = [] { return 1.0; };
  constexpr unsigned kMany = 1'000'000;
  RetryQuota quota(20);
  Retry retry(backoff, kMany, quota, most, kNoDeadline, 10s);
  Deadline now = kNow;
  for (std::optional<Deadline> next = now; next; next = retry.failed(Failure::transient, now)) {
    CHECK(*next - now <= Retry::kTransientPauseMax);
    now = *next;
  }
  CHECK(retry.end() == Retry::End::patience);
  CHECK(now == kNow + 10s);  // the last attempt is made when the time is over
  CHECK(retry.attempts() > 8);
  CHECK(retry.is_over_quota());
}

TEST_CASE("who is throttled waits while others are answered, but not for ever (found 15)",
          "[retry]") {
  const RetryBackoff backoff;
  const Random most = [] { return 1.0; };
  constexpr unsigned kMany = 1'000'000;
  RetryQuota quota;
  Retry alone(backoff, kMany, quota, most, kNoDeadline, 10s);
  Deadline now = kNow;
  for (std::optional<Deadline> next = now; next; next = alone.failed(Failure::throttling, now)) {
    now = *next;
  }
  CHECK(now == kNow + 10s);
  Retry beside(backoff, kMany, quota, most, kNoDeadline, 10s);
  now = kNow;
  for (std::optional<Deadline> next = now; next;
       next = beside.failed(Failure::throttling, now, std::nullopt, now)) {
    now = *next;
  }
  CHECK(now == kNow + Retry::kPatiencesMax * 10s);
  CHECK(quota.tokens() == RetryQuota::kCapacity);
}

TEST_CASE(
    "a pause that was asked for is a minute at most, unless a deadline leaves room (found 18)",
    "[retry]") {
  const RetryBackoff backoff;
  const Random half = [] { return 0.5; };
  RetryQuota quota;
  Retry endless(backoff, 9, quota, half, kNoDeadline);
  CHECK(endless.failed(Failure::throttling, kNow, 24h) == kNow + 60s);
  Retry bounded(backoff, 9, quota, half, kNow + 2h);
  CHECK(bounded.failed(Failure::throttling, kNow, 1h) == kNow + 1h);
}
