// The S3 server that the environment names, for tests of the S3 store alone.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "aws/open_service.hpp"
#include "unit/reactor/ports.hpp"
#include "unum/store.hpp"

namespace unum::test {

/// Endpoint and keys as the store finds them.
inline void use_s3_at(const std::string& endpoint) {
  ::setenv("AWS_ACCESS_KEY_ID", "unum-test", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "unum-test-secret", 1);
  ::setenv("AWS_REGION", "us-east-1", 1);
  ::setenv("AWS_ENDPOINT_URL_S3", endpoint.c_str(), 1);
}

inline const char* s3_server() { return std::getenv("UNUM_TEST_S3"); }

/// A name that nobody has used: its own prefix in the bucket of these tests.
inline std::string fresh_s3_name() {
  static int count = 0;
  return "unum-s3-tests/" + std::to_string(::getpid()) + "-" + std::to_string(::time(nullptr)) +
         "/" + std::to_string(count++);
}

inline std::unique_ptr<Store> open_s3(Reactor& reactor, const std::string& name,
                                      std::size_t in_flight_max = 64) {
  use_s3_at(s3_server());
  reactor.run(create_store(reactor, "s3", name));
  StoreOptions options;
  options.in_flight_max = in_flight_max;
  return reactor.run(open_store(reactor, "s3", name, options));
}

/// Sends one request beside the store, as a person would with a command.
inline aws::ServiceAnswer raw_s3(Reactor& reactor, http::Method method, const std::string& path,
                                 const std::string& query = {},
                                 const std::vector<std::string>& headers = {}) {
  const auto body = [&]() -> Task<aws::ServiceAnswer> {
    use_s3_at(s3_server());
    aws::OpenService opened = co_await aws::open_service(reactor, "s3", aws::Protocol::rest_xml, 1);
    aws::Call call;
    call.method = method;
    call.path = path;
    call.query = query;
    call.headers = headers;
    call.what = "a test's request";
    aws::ServiceAnswer answer = co_await opened.service->send(call);
    co_await opened.close();
    co_return answer;
  };
  return reactor.run(body());
}

}  // namespace unum::test

/// Begins a test: `reactor` on each port, `name` of a store that is empty.
#define ON_EACH_S3_PORT()                                                            \
  if (unum::test::s3_server() == nullptr) UNUM_SKIP("UNUM_TEST_S3 names no server"); \
  ON_EACH_PORT(reactor);                                                             \
  const std::string name = unum::test::fresh_s3_name()
