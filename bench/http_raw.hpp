// The bare loop around curl_multi_socket_action that benchmarks of HTTP compare with: unsigned, no
// retries, no deadlines.
#pragma once

#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace unum::bench {

inline constexpr std::size_t kInFlight = 64;

inline void must(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::exit(1);
}

inline std::string variable(const char* name, const char* otherwise) {
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

}  // namespace unum::bench
