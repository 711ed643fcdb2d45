// What the HTTP client adds to libcurl: processor time of a GET of 1 KB beside a bare loop around
// curl_multi_socket_action.
//
// UNUM_TEST_HTTP names a server that has a small file at the path UNUM_BENCH_HTTP_TARGET ("/1k");
// without it there is nothing to measure (exit code 77).
#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <vector>

#include "ratio.hpp"
#include "reactor/http/client.hpp"
#include "unum/task_group.hpp"

namespace {

using namespace unum;
using namespace unum::bench;

constexpr std::size_t kInFlight = 64;

void must(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::exit(1);
}

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

/// libcurl as its documentation drives it: epoll is told each change as it comes, handles and
/// connections are used again.
class BareLoop {
 public:
  explicit BareLoop(const std::string& url) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_ = curl_multi_init();
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(kInFlight));
    for (Slot& slot : slots_) {
      slot.easy = curl_easy_init();
      curl_easy_setopt(slot.easy, CURLOPT_URL, url.c_str());
      curl_easy_setopt(slot.easy, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(slot.easy, CURLOPT_WRITEFUNCTION, &on_body);
      curl_easy_setopt(slot.easy, CURLOPT_WRITEDATA, &slot);
      curl_easy_setopt(slot.easy, CURLOPT_PRIVATE, &slot);
    }
  }
  ~BareLoop() {
    for (Slot& slot : slots_) curl_easy_cleanup(slot.easy);
    curl_multi_cleanup(multi_);
    ::close(epoll_);
  }

  void get(std::size_t requests, bool head) {
    to_begin_ = requests;
    std::size_t under_way = 0;
    for (Slot& slot : slots_) {
      curl_easy_setopt(slot.easy, CURLOPT_NOBODY, head ? 1L : 0L);
      if (!head) curl_easy_setopt(slot.easy, CURLOPT_HTTPGET, 1L);
      if (begin(slot)) ++under_way;
    }
    while (under_way > 0) {
      std::array<epoll_event, kInFlight> events;
      const int count =
          ::epoll_wait(epoll_, events.data(), kInFlight, static_cast<int>(timeout_ms_));
      int running = 0;
      if (count == 0 || timeout_ms_ == 0) {
        timeout_ms_ = -1;
        curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      }
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const int told = ((event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                         ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0);
        curl_multi_socket_action(multi_, event.data.fd, told, &running);
      }
      under_way -= collect();
    }
  }

 private:
  struct Slot {
    CURL* easy = nullptr;
    std::string body;
  };

  bool begin(Slot& slot) {
    if (to_begin_ == 0) return false;
    --to_begin_;
    slot.body.clear();
    must(curl_multi_add_handle(multi_, slot.easy) == CURLM_OK, "curl_multi_add_handle");
    return true;
  }

  std::size_t collect() {
    std::size_t ended = 0;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      CURL* easy = message->easy_handle;
      const CURLcode result = message->data.result;
      long status = 0;
      Slot* slot = nullptr;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
      must(result == CURLE_OK && status == 200, "a request of the bare loop");
      curl_multi_remove_handle(multi_, easy);
      if (!begin(*slot)) ++ended;
    }
    return ended;
  }

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void* known) {
    auto& loop = *static_cast<BareLoop*>(self);
    epoll_event event{};
    event.data.fd = fd;
    event.events = (what & CURL_POLL_IN ? unsigned{EPOLLIN} : 0u) |
                   (what & CURL_POLL_OUT ? unsigned{EPOLLOUT} : 0u);
    if (what == CURL_POLL_REMOVE) {
      ::epoll_ctl(loop.epoll_, EPOLL_CTL_DEL, fd, nullptr);
      curl_multi_assign(loop.multi_, fd, nullptr);
    } else {
      ::epoll_ctl(loop.epoll_, known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
      curl_multi_assign(loop.multi_, fd, &loop);
    }
    return 0;
  }
  static int on_timer(CURLM*, long timeout_ms, void* self) {
    static_cast<BareLoop*>(self)->timeout_ms_ = timeout_ms;
    return 0;
  }
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* slot) {
    static_cast<Slot*>(slot)->body.append(bytes, size * count);
    return size * count;
  }

  const int epoll_;
  CURLM* multi_ = nullptr;
  std::array<Slot, kInFlight> slots_;
  std::size_t to_begin_ = 0;
  long timeout_ms_ = -1;
};

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
