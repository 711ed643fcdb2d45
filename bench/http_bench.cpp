// What the HTTP client adds to libcurl: processor time of a GET of 1 KB beside a bare loop around
// curl_multi_socket_action.
//
// UNUM_TEST_HTTP names a server that has a small file at the path UNUM_BENCH_HTTP_TARGET ("/1k");
// without it there is nothing to measure (exit code 77).
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "http_raw.hpp"
#include "ratio.hpp"
#include "reactor/http/client.hpp"
#include "unum/task_group.hpp"

namespace {

using namespace unum;
using namespace unum::bench;

/// Ours, on one port.
class Ours {
 public:
  Ours(Reactor::Backend backend, std::string origin, std::string target)
      : reactor_(options(backend)),
        client_(reactor_),
        origin_(std::move(origin)),
        target_(std::move(target)) {}
  ~Ours() { reactor_.run(client_.close()); }

  void get(std::size_t requests, bool head) {
    const auto one = [&](std::size_t) -> Task<void> {
      const http::Request request{.method = head ? http::Method::head : http::Method::get,
                                  .origin = origin_,
                                  .target = target_};
      const Wait wait{reactor_.now() + std::chrono::seconds(60), {}};
      const http::Response response = co_await client_.send(request, wait);
      must(response.status == 200, "a request of ours");
    };
    reactor_.run(for_each_bounded(requests, kInFlight, one));
  }

 private:
  static Reactor::Options options(Reactor::Backend backend) {
    Reactor::Options options;
    options.backend = backend;
    return options;
  }
  Reactor reactor_;
  http::Client client_;
  const std::string origin_;
  const std::string target_;
};

struct Setup {
  std::string origin = variable("UNUM_TEST_HTTP", "");
  std::string target = variable("UNUM_BENCH_HTTP_TARGET", "/1k");
  BareLoop bare{origin + target};
  Ours ring{Reactor::Backend::automatic, origin, target};
  Ours epoll{Reactor::Backend::epoll, origin, target};

  static Setup& get() {
    static Setup setup;
    return setup;
  }
};

void register_all() {
  const std::size_t requests = size(20'000, 200);
  const std::size_t turns = 15;
  for (const bool head : {false, true}) {
    const std::string what = head ? "HEAD" : "GET of 1 KB";
    const auto bare = [=] { Setup::get().bare.get(requests, head); };
    compare(
        what + ", 64 in flight", "bare multi_socket", 1.1, requests, turns,
        [=] { Setup::get().ring.get(requests, head); }, bare, {}, cpu_seconds_of);
    compare(
        what + ", 64 in flight, on epoll", "bare multi_socket", 1.2, requests, turns,
        [=] { Setup::get().epoll.get(requests, head); }, bare, {}, cpu_seconds_of);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (std::getenv("UNUM_TEST_HTTP") == nullptr) {
    std::puts("UNUM_TEST_HTTP names no server");
    return 77;
  }
  return run_all(argc, argv, register_all);
}
