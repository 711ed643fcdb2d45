// The S3 store: values that are uploaded in parts, and whose completion is conditional.
#include <algorithm>
#include <chrono>
#include <exception>

#include "stores/s3/crc32c.hpp"
#include "stores/s3/s3_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::s3 {
namespace {

constexpr std::array<std::string_view, 1> kNoSuchUpload = {"NoSuchUpload"};
// How long an upload that is given up may take to be removed, whatever the caller's deadline.
constexpr std::chrono::seconds kAbortTime{5};

std::string upload_query(const std::string& id) {
  std::string query = "uploadId=";
  append_url(query, id, false);
  return query;
}

}  // namespace

/// As `put_object`, in parts: empty when written, else why not.
Task<std::string> S3Store::put_in_parts(const Target& target, std::string_view value,
                                        bool if_absent, Wait wait) {
  if (if_absent) {
    co_await require_conditional_parts(wait);
    // An existence check is cheaper than an upload that comes too late.
    const aws::ServiceAnswer answer = co_await head(target, wait);
    if (answer.error_code.empty()) co_return "PreconditionFailed";
  }
  co_return co_await run_upload(target, value, if_absent, wait);
}

/// A server may know the condition of PutObject and ignore that of CompleteMultipartUpload. Asked
/// once, before the first value that needs it, by an upload to the probe's key, which exists.
Task<void> S3Store::require_conditional_parts(Wait wait) {
  if (parts_are_conditional_) co_return;
  Target target(targets_);
  name_key(target, "PutObject", location_.prefix + std::string(kProbe));
  const std::string_view text = kProbeText;
  std::string code = co_await run_upload(target, text, true, wait);
  // Somebody removed the probe since the store was opened: now it is there again.
  if (code.empty()) code = co_await run_upload(target, text, true, wait);
  if (code.empty()) throw_not_conditional("overwrote an object by an upload in parts");
  parts_are_conditional_ = true;
}

Task<std::string> S3Store::run_upload(const Target& target, std::string_view value, bool if_absent,
                                      Wait wait) {
  Upload upload;
  upload.id = co_await begin_upload(target, wait);
  std::string code;
  std::exception_ptr error;
  try {
    co_await upload_parts(target, upload, value, wait);
    code = co_await complete_upload(target, upload, if_absent, wait);
  } catch (...) {
    error = std::current_exception();
  }
  // Parts that nobody completes are stored, and paid for, until somebody removes them.
  if (error || !code.empty()) co_await abort_upload(target, upload);
  if (error) std::rethrow_exception(error);
  co_return code;
}

Task<std::string> S3Store::begin_upload(const Target& target, Wait wait) {
  std::array<std::string, 3> headers = {"x-amz-checksum-algorithm: CRC32C",
                                        "x-amz-checksum-type: FULL_OBJECT"};
  if (target.keeps()) headers[2] = target.kept_header();
  aws::Call call;
  call.method = http::Method::post;
  call.path = target.path();
  call.query = "uploads=";
  call.headers = std::span(headers).first(target.keeps() ? 3 : 2);
  call.what = target.what();
  aws::ServiceAnswer answer = co_await aws_.service->send(call, wait);
  co_return parse_upload_id(answer.response.body);
}

Task<void> S3Store::upload_parts(const Target& target, Upload& upload, std::string_view value,
                                 Wait wait) {
  const std::size_t count = std::max<std::size_t>(1, (value.size() + kPartBytes - 1) / kPartBytes);
  upload.parts.resize(count);
  const auto upload_one = [&](std::size_t i) -> Task<void> {
    const std::string_view part =
        value.substr(i * kPartBytes, std::min(kPartBytes, value.size() - i * kPartBytes));
    // Parts begin in their order, so that the whole's checksum grows along with them.
    upload.checksum = crc32c(part, upload.checksum);
    const std::string checksum = crc32c_text(crc32c(part));
    const std::array<std::string, 1> headers = {"x-amz-checksum-crc32c: " + checksum};
    const std::string query = "partNumber=" + std::to_string(i + 1) + "&" + upload_query(upload.id);
    aws::Call call;
    call.method = http::Method::put;
    call.path = target.path();
    call.query = query;
    call.headers = headers;
    call.body = part;
    call.unsigned_payload = true;
    call.what = target.what();
    const aws::ServiceAnswer answer = co_await aws_.service->send(call, wait);
    std::string& text = upload.parts[i];
    text = "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>";
    append_xml(text, answer.response.header("etag"));
    text += "</ETag><ChecksumCRC32C>" + checksum + "</ChecksumCRC32C></Part>";
  };
  co_await for_each_bounded(count, std::min(kPartsAtOnce, in_flight_max_), upload_one);
}

Task<std::string> S3Store::complete_upload(const Target& target, const Upload& upload,
                                           bool if_absent, Wait wait) {
  const std::array<std::string, 3> headers = {
      "x-amz-checksum-crc32c: " + crc32c_text(upload.checksum), "x-amz-checksum-type: FULL_OBJECT",
      "if-none-match: *"};
  std::string body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (const std::string& part : upload.parts) body += part;
  body += "</CompleteMultipartUpload>";
  const std::string query = upload_query(upload.id);
  aws::Call call;
  call.method = http::Method::post;
  call.path = target.path();
  call.query = query;
  call.headers = std::span(headers).first(if_absent ? 3 : 2);
  call.body = body;
  call.expects = &is_lost_completion;
  // Blanks come while S3 puts the parts together.
  call.slow_answer = true;
  call.what = target.what();
  // S3 begins its answer before it knows how the completion ends; the client reads on.
  aws::ServiceAnswer answer = co_await aws_.service->send(call, wait);
  co_return std::move(answer.error_code);
}

/// Removes the parts. If that fails too, the bucket's rule for incomplete uploads does it, if it
/// has one; what failed first is what the caller hears of.
Task<void> S3Store::abort_upload(const Target& target, const Upload& upload) {
  Wait wait;
  wait.deadline = reactor().now() + kAbortTime;
  const std::string query = upload_query(upload.id);
  aws::Call call;
  call.method = http::Method::del;
  call.path = target.path();
  call.query = query;
  call.expected = kNoSuchUpload;
  call.what = target.what();
  try {
    co_await aws_.service->send(call, wait);
  } catch (const Error&) {
    co_return;
  }
}

}  // namespace unum::s3
