// What a service says when it refuses: read from its answer, and what to do about it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "aws/retry.hpp"
#include "aws/service_client.hpp"
#include "reactor/http/client.hpp"
#include "unum/error.hpp"

namespace unum::aws {

/// What an answer that is no success says. Nothing in it is to be trusted: it may come from a proxy
/// or a load balancer.
struct Fault {
  std::string code;        ///< The service's, or the status ("404") where the answer names none.
  std::string message;     ///< In one line, bounded, without what it echoes of signatures.
  std::string request_id;  ///< Or empty.
};

/// Reads bodies in XML and JSON, also those of the wrong one of the two, and of none.
Fault read_fault(const http::Response& response, Protocol protocol);

/// Whether a body that came with status 200 is an error after all, as S3 does where it began to
/// answer before it knew (CompleteMultipartUpload).
bool is_error_document(std::string_view body) noexcept;

/// What a caller can do about it.
ErrorKind kind_of(const Fault& fault, int status) noexcept;
/// Whether a repetition may help; nothing if not.
std::optional<Failure> failure_of(const Fault& fault, int status) noexcept;
/// The service's clock and ours differ, it says.
bool is_clock_skew(std::string_view code) noexcept;
/// It may mean that, if the clocks do differ.
bool may_be_clock_skew(std::string_view code, int status) noexcept;
/// The credentials have ended; newer ones may do.
bool is_expired_token(std::string_view code) noexcept;

/// How long the answer asks to wait before the next attempt.
std::optional<Clock::duration> retry_after(const http::Response& response,
                                           std::chrono::system_clock::time_point now);
/// "Wed, 21 Oct 2015 07:28:00 GMT" (the form of RFC 9110 that servers must write), or nothing.
std::optional<std::chrono::system_clock::time_point> parse_http_date(std::string_view text);

}  // namespace unum::aws
