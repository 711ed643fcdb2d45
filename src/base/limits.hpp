// Every limit of the product, with its reason. Beyond one: `exhausted`, nothing lost.
#pragma once

#include <cstddef>
#include <cstdint>

namespace unum {

/// Nesting of JSON: simdjson's default depth; deeper values would overflow recursive readers
/// elsewhere.
inline constexpr std::size_t kJsonDepthMax = 1024;
/// Frames of one instance: recursion and nested maps; names stay below 64 * 20 bytes.
inline constexpr std::size_t kFramesMax = 64;
/// Function names: what AWS Lambda allows for a function's name.
inline constexpr std::size_t kFunctionNameMax = 64;
/// Nesting of parentheses, lists and operators in one expression: parsing and evaluation recurse.
inline constexpr std::size_t kExpressionDepthMax = 200;
/// Bytes of one expression, modifier or pattern: they are written by hand.
inline constexpr std::size_t kExpressionBytesMax = 16 * 1024;
/// Elements of one map and names of one fan-in: memory grows with them; ten times the largest use
/// known.
inline constexpr std::int64_t kFanOutMax = 1'000'000;
/// Steps of a run on this machine that have begun and not ended: what a kill of the whole makes run
/// again at most. Enough for results to share the disk's flushes: one flush then holds at most so
/// many, and more at once were hardly faster (a tenth at 10,000 durable Python functions, nothing
/// to be seen at 1,000).
inline constexpr std::size_t kStepsInFlightMax = 256;
/// Bytes of one value: a host holds one whole, and a function's code usually a few times that.
inline constexpr std::size_t kValueBytesMax = 1024u * 1024 * 1024;
/// The same on Redis: the most that a string has there (proto-max-bulk-len).
inline constexpr std::size_t kRedisValueBytesMax = 512u * 1024 * 1024;

/// Where a part of a value that is asked for may end. No store holds a value of 2^53 bytes.
inline constexpr std::uint64_t kRangeEndMax = std::uint64_t{1} << 53;

/// Bytes of one reply of a Redis server, all its strings together: two of the largest values. A
/// read of many that has more is made again for fewer at a time.
inline constexpr std::size_t kRedisReplyBytesMax = 2 * kRedisValueBytesMax;
/// Elements of one reply, those of inner arrays included. A page of SCAN is the longest: a thousand
/// buckets, a few keys in each.
inline constexpr std::size_t kRedisElementsMax = 128u * 1024;
/// The same of what a server says about itself while a store is opened, and of its cluster: INFO
/// has some KiB; CLUSTER SLOTS 16,384 rows at worst, with a few servers in each.
inline constexpr std::size_t kRedisAboutBytesMax = 16u * 1024 * 1024;
inline constexpr std::size_t kRedisAboutElementsMax = 512u * 1024;
/// The same of an answer to AUTH, SELECT and READONLY: one line.
inline constexpr std::size_t kRedisGreetingBytesMax = 16u * 1024;
inline constexpr std::size_t kRedisGreetingElementsMax = 16;
/// Bytes of a status, an error or a number, for which no length is announced: errors of scripts
/// repeat some of what was sent, and the server cuts that off.
inline constexpr std::size_t kRedisLineBytesMax = 64u * 1024;
/// Arrays in arrays in a reply: CLUSTER SLOTS has four. hiredis 0.14 takes seven, later ones any
/// number.
inline constexpr std::size_t kRedisDepthMax = 7;
/// Keys that one walk through a server's keys gives: ten times the most sessions one would keep.
inline constexpr std::size_t kRedisScanKeysMax = 10'000'000;

/// Bytes, nesting and values of one YAML file: it is written by hand, and aliases multiply.
inline constexpr std::size_t kYamlBytesMax = 1024 * 1024;
inline constexpr std::size_t kYamlDepthMax = 64;
inline constexpr std::size_t kYamlNodesMax = 100'000;
/// Instances that `unum check` looks at in its sample of a workflow: seconds, not minutes.
inline constexpr std::size_t kSampleInstancesMax = 20'000;
/// Numbers of a retrier, as the States Language has them; the delay is also the longest that any
/// retrier asks for (a year), whatever its BackoffRate.
inline constexpr std::int64_t kRetryIntervalSecondsMax = 99'999'999;
inline constexpr std::int64_t kRetryAttemptsMax = 99'999'999;
inline constexpr std::int64_t kRetryDelaySecondsMax = 31'622'400;
/// Steps of a reference path: it is written by hand.
inline constexpr std::size_t kReferencePathStepsMax = 64;
/// Invocations that wait for their time in one run on this machine: one for each branch of the
/// widest map.
inline constexpr std::size_t kDelayedMax = 1'000'000;
/// Seconds that a template or an IR may give one call: a week.
inline constexpr std::int64_t kTimeoutSecondsMax = 7 * 24 * 3600;
/// Bytes of one IR file: thousands of edges fit, and it is read whole.
inline constexpr std::size_t kIrBytesMax = 16u * 1024 * 1024;

/// Bytes of a session's id and of an instance's name: far above any real one, and bounded. A store
/// whose own keys are shorter says so itself.
inline constexpr std::size_t kSessionBytesMax = 16 * 1024;
inline constexpr std::size_t kItemNameBytesMax = 16 * 1024;

/// Bytes beside an outcome that every store keeps in the outcome's own item; what is longer, S3
/// keeps in an object of its own (an object's metadata are 2 KB at most).
inline constexpr std::size_t kRedeliveryBytesAlong = 1900;

/// Bytes of one of the files that AWS' tools share: they are written by hand or by `aws configure`.
inline constexpr std::size_t kProfileFileBytesMax = 4u * 1024 * 1024;
/// Attempts of one call: what AWS_MAX_ATTEMPTS may ask for. With 20 s between them it is half an
/// hour; deadlines end it before.
inline constexpr unsigned kAttemptsMax = 100;
/// Bytes of an HTTP response's body, unless the request says less: the largest value.
inline constexpr std::size_t kHttpBodyBytesMax = kValueBytesMax;
/// Bytes of an HTTP response's headers: libcurl 8 takes 300 KiB, servers seldom send 16.
inline constexpr std::size_t kHttpHeaderBytesMax = 256u * 1024;
/// Bytes of one line of them: libcurl's own limit (CURL_MAX_HTTP_HEADER).
inline constexpr std::size_t kHttpHeaderLineBytesMax = 100u * 1024;
/// A response that grows by less than this in a quarter of the client's stall time trickles: far
/// below any network's pace, modems' included.
inline constexpr std::size_t kHttpTrickleBytes = 256;
/// Origins whose handles are kept: far above the services and buckets of one process.
inline constexpr std::size_t kHttpOriginsMax = 256;

}  // namespace unum
