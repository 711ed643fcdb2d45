// The price of a signature: a GET and a PUT of 1 KB, with the key kept and derived anew.
//
// The other alternative of each pair is what one pays without keeping anything: a signer made for
// the request. Allocations are counted over all that is signed.

#include "allocation_count.hpp"
#include "aws/sigv4.hpp"
#include "ratio.hpp"

using namespace unum;

namespace {

const std::string kBody(1024, 'v');

struct Case {
  const char* name;
  aws::RequestToSign request;
  bool in_query;
};

const std::vector<std::string>& write_headers() {
  static const std::vector<std::string> kHeaders{"if-none-match: *"};
  return kHeaders;
}

std::vector<Case> cases() {
  const aws::RequestToSign get{.method = "GET",
                               .host = "bucket.s3.eu-central-1.amazonaws.com",
                               .path = "/prefix/session-0123456789abcdef/name-0001",
                               .query = {},
                               .headers = {},
                               .body = {},
                               .unsigned_payload = true};
  aws::RequestToSign put = get;
  put.method = "PUT";
  put.headers = write_headers();
  put.body = kBody;
  aws::RequestToSign hashed = put;
  hashed.unsigned_payload = false;
  return {{"GET, in the query", get, true},
          {"PUT of 1 KB, in the query, not hashed", put, true},
          {"PUT of 1 KB, in headers, hashed", hashed, false}};
}

void sign(aws::Signer& signer, const Case& one, std::string& target,
          std::vector<std::string>& headers) {
  static const aws::Credentials kCredentials{
      "AKIDEXAMPLE0000000000", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", {}, "bench"};
  const auto now = std::chrono::system_clock::now();
  if (one.in_query) {
    signer.sign_query(one.request, kCredentials, now, std::chrono::seconds(60), target);
  } else {
    signer.sign_headers(one.request, kCredentials, now, headers, 0);
  }
  benchmark::DoNotOptimize(target.data());
}

void register_all() {
  const std::size_t count = bench::size(20'000, 10);
  for (const Case& one : cases()) {
    bench::compare(
        one.name, "a new signer each", 1.0, count, 7,
        [one, count] {
          aws::Signer signer("eu-central-1", "s3");
          std::string target;
          std::vector<std::string> headers;
          sign(signer, one, target, headers);
          const auto before = bench::allocation_count.load();
          for (std::size_t i = 0; i < count; ++i) sign(signer, one, target, headers);
          const double each = static_cast<double>(bench::allocation_count.load() - before) /
                              static_cast<double>(count);
          std::printf("%s: %.3f allocations a signature\n", one.name, each);
        },
        [one, count] {
          std::string target;
          std::vector<std::string> headers;
          for (std::size_t i = 0; i < count; ++i) {
            aws::Signer signer("eu-central-1", "s3");
            sign(signer, one, target, headers);
          }
        });
  }
}

}  // namespace

UNUM_BENCH_MAIN(&register_all)
