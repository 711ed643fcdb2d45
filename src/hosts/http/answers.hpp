// What a delivery is answered with: the status is what a platform's retries go by.
#pragma once

#include <string>
#include <string_view>

#include "hosts/http/object_text.hpp"
#include "reactor/http_server/message.hpp"
#include "unum/error.hpp"
#include "unum/runtime.hpp"

namespace unum::http_host {

/// What a response tells of a delivery.
struct Told {
  http_server::Response response;
  std::string_view status;  ///< "succeeded", "refused", "again", ...: for metrics.
};

/// 200: acknowledged, also where the step `failed`, which the session records.
Told told_of(const StepReport& report, std::string_view function);
/// `final` is 400 ("refused"), never to come again; all else is 500 or, where a stop was requested
/// or what is asked for is busy, 503 with Retry-After ("again").
Told told_of(const Error& error, std::string_view function, const PayloadIdentity& about);

/// The same as members of an object.
void add_report(ObjectText& out, const StepReport& report, std::string_view function);

http_server::Response with_json(int status, std::string body);
/// A response with a text for people and no JSON.
http_server::Response plain(int status, std::string_view text);
/// The same that asks the sender to come again.
http_server::Response come_again(int status, std::string_view text);

}  // namespace unum::http_host
