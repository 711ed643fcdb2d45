// Texts of AWS that come from others: profile files, error bodies, credentials. One target each.
#include "aws/credentials_text.hpp"
#include "aws/profile_file.hpp"
#include "aws/service_error.hpp"
#include "fuzz.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

using namespace unum;

namespace {

/// What is refused is refused by an error of ours, and is not repeated by it.
template <class Function>
void refused_or_read(Function function) {
  try {
    function();
  } catch (const Error& error) {
    UNUM_ASSERT(error.message().size() < 4096);
  }
}

void profile_file(std::string_view text) {
  for (const auto kind : {aws::ProfileFileKind::config, aws::ProfileFileKind::credentials}) {
    refused_or_read([&] {
      aws::ProfileFiles files;
      aws::parse_profile_file(text, kind, "file", files);
      for (const auto& [name, section] : files.profiles) {
        for (const auto& [key, value] : section) {
          const auto nested = aws::sub_property(value, "endpoint_url");
          UNUM_ASSERT(!nested || nested->size() <= value.size());
        }
      }
    });
  }
}

void error_body(std::string_view text) {
  http::Response response;
  response.status = 400;
  response.body = text;
  response.header_block = text;
  for (const auto protocol :
       {aws::Protocol::rest_xml, aws::Protocol::json_1_0, aws::Protocol::query}) {
    const aws::Fault fault = aws::read_fault(response, protocol);
    UNUM_ASSERT(!fault.code.empty() && fault.code.size() <= 100);
    UNUM_ASSERT(fault.message.size() <= 520 && fault.request_id.size() <= 520);
    for (const char c : fault.message) UNUM_ASSERT(c != '\n' && c != '\r' && c != '\0');
    aws::kind_of(fault, response.status);
    aws::failure_of(fault, response.status);
  }
  aws::is_error_document(text);
  aws::parse_http_date(text);
  const auto pause = aws::retry_after(response, std::chrono::system_clock::time_point{});
  UNUM_ASSERT(!pause || (pause->count() >= 0 && *pause <= std::chrono::hours(24)));
}

void credentials(std::string_view text) {
  for (const auto form : {aws::CredentialsJson::process, aws::CredentialsJson::container,
                          aws::CredentialsJson::metadata}) {
    refused_or_read([&] {
      const aws::Credentials read = aws::parse_credentials_json(text, form, "place");
      UNUM_ASSERT(!read.access_key_id.empty() && !read.secret_access_key.empty());
      UNUM_ASSERT(read.session_token.find('\n') == std::string::npos);
    });
  }
  refused_or_read([&] { aws::parse_sts_answer(text, "sts"); });
  refused_or_read([&] { aws::split_command(text); });
  aws::parse_expiration(text);
}

}  // namespace

UNUM_FUZZ_TARGETS({"aws-profile-file", &profile_file}, {"aws-error-body", &error_body},
                  {"aws-credentials", &credentials})
