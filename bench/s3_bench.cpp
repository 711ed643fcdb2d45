// What the S3 store costs beside an unsigned bare libcurl loop: processor time of a GET and of a
// HEAD of 1 KB, keys encoded, signed, retried and checked, against the same server.
//
// UNUM_TEST_HTTP names a server that answers any path with a file of 1 KB; without it there is
// nothing to measure (exit code 77). Nothing is written: the store's own examination of its bucket
// is left out.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "http_raw.hpp"
#include "ratio.hpp"
#include "stores/s3/s3_store_impl.hpp"
#include "unum/task_group.hpp"

namespace {

using namespace unum;
using namespace unum::bench;

/// The store on one port, with the pointers of one fan-in.
class Ours {
 public:
  Ours(Reactor::Backend backend, std::size_t count) : reactor_(options(backend)) {
    StoreOptions store_options;
    store_options.in_flight_max = kInFlight;
    aws::OpenService opened =
        reactor_.run(aws::open_service(reactor_, "s3", aws::Protocol::rest_xml, kInFlight));
    store_ = std::make_unique<s3::S3Store>(reactor_, "bucket/prefix",
                                           s3::parse_location("bucket/prefix"), std::move(opened),
                                           store_options);
    context_ = std::make_unique<SessionContext>(create_session_context(*store_));
    for (std::size_t i = 0; i < count; ++i) {
      pointers_.push_back(pointer(*context_, "Count-unumIndex-" + std::to_string(i)));
    }
  }
  ~Ours() { reactor_.run(store_->close()); }

  void read() {
    const std::vector<std::string> values =
        reactor_.run(read_input(*store_, *context_, pointers_, soon()));
    must(values.size() == pointers_.size() && values.back().size() == 1024, "a value");
  }
  void check() {
    const auto one = [&](std::size_t i) -> Task<void> {
      const bool there = co_await check_value_exist(*store_, *context_, pointers_[i], soon());
      must(there, "a value that exists");
    };
    reactor_.run(for_each_bounded(pointers_.size(), kInFlight, one));
  }

 private:
  static Reactor::Options options(Reactor::Backend backend) {
    Reactor::Options options;
    options.backend = backend;
    return options;
  }
  Wait soon() { return Wait{reactor_.now() + std::chrono::seconds(60), {}}; }

  Reactor reactor_;
  std::unique_ptr<s3::S3Store> store_;
  std::unique_ptr<SessionContext> context_;
  std::vector<Pointer> pointers_;
};

struct Setup {
  std::size_t count = size(1'000, 100);
  BareLoop bare{variable("UNUM_TEST_HTTP", "") +
                "/bucket/prefix/0b5ecf94-ef3a-4b0e-9a53-4e2a7f1d9c11/"
                "Count-unumIndex-500-output.json"};
  Ours ring{Reactor::Backend::automatic, count};
  Ours epoll{Reactor::Backend::epoll, count};

  static Setup& get() {
    static Setup setup;
    return setup;
  }
};

void register_all() {
  const std::size_t rounds = size(20, 1);
  const std::size_t count = size(1'000, 100);
  const auto repeat = [rounds](auto what) {
    return [rounds, what] {
      for (std::size_t i = 0; i < rounds; ++i) what();
    };
  };
  for (const bool head : {false, true}) {
    const std::string what = head ? "S3 HEAD, looks" : "S3 GET of 1,000 x 1 KB, read_input";
    const auto bare = [=] { Setup::get().bare.get(rounds * count, head); };
    for (const bool epoll : {false, true}) {
      const auto ours = [=] {
        Ours& store = epoll ? Setup::get().epoll : Setup::get().ring;
        head ? store.check() : store.read();
      };
      compare(what + (epoll ? ", on epoll" : ""), "bare multi_socket", 1.3, rounds * count, 15,
              repeat(ours), bare, {}, cpu_seconds_of);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* server = std::getenv("UNUM_TEST_HTTP");
  if (server == nullptr) {
    std::puts("UNUM_TEST_HTTP names no server");
    return 77;
  }
  ::setenv("AWS_ENDPOINT_URL_S3", server, 1);
  ::setenv("AWS_ACCESS_KEY_ID", "unum-test", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "unum-test-secret", 1);
  ::setenv("AWS_REGION", "us-east-1", 1);
  return run_all(argc, argv, register_all);
}
