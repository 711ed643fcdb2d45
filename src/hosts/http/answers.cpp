// See answers.hpp.
#include "hosts/http/answers.hpp"

#include <fmt/format.h>

#include <chrono>

#include "base/json.hpp"
#include "base/secrets.hpp"

namespace unum::http_host {
namespace {

using http_server::Header;
using http_server::Response;

constexpr std::string_view kRetryAfterSeconds = "1";

}  // namespace

Told told_of(const StepReport& report, std::string_view function) {
  ObjectText out;
  add_report(out, report, function);
  return {with_json(200, std::move(out).end()), to_string(report.status)};
}

void add_report(ObjectText& out, const StepReport& report, std::string_view function) {
  out.text("status", to_string(report.status));
  out.text("function", function);
  out.text("session", report.session);
  out.text("instance", report.instance);
  out.key("attempt") += std::to_string(report.attempt);
  out.key("invocations") += std::to_string(report.invocations);
  out.text("error", report.error);
  out.text("cause", report.cause);
  if (report.result) out.key("result") += report.result->text();
}

Told told_of(const Error& error, std::string_view function, const PayloadIdentity& about) {
  const bool is_final = error.delivery() == Delivery::final;
  const bool is_busy = error.kind() == ErrorKind::cancelled || error.kind() == ErrorKind::throttled;
  const std::string_view word = is_final ? "refused" : "again";
  ObjectText out;
  out.text("status", word);
  out.text("function", function);
  out.text("session", about.session);
  out.text("instance", about.instance);
  out.text("error", error.code());
  out.text("cause", hide_passwords(error.message()));
  Told told{with_json(is_final ? 400 : is_busy ? 503 : 500, std::move(out).end()), word};
  if (!is_final) {
    told.response.headers.push_back(Header{"Retry-After", std::string(kRetryAfterSeconds)});
  }
  return told;
}

Response with_json(int status, std::string body) {
  Response response;
  response.status = status;
  response.headers.push_back(Header{"Content-Type", "application/json"});
  response.body = std::move(body);
  return response;
}

Response plain(int status, std::string_view text) {
  Response response;
  response.status = status;
  response.headers.push_back(Header{"Content-Type", "text/plain; charset=utf-8"});
  response.body = fmt::format("{}\n", text);
  return response;
}

Response come_again(int status, std::string_view text) {
  Response response = plain(status, text);
  response.headers.push_back(Header{"Retry-After", std::string(kRetryAfterSeconds)});
  return response;
}

}  // namespace unum::http_host
