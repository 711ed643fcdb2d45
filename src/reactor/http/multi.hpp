// libcurl's multi interface on the reactor: its sockets as watches, its clock as one timer.
//
// curl forgets and asks again for a socket with every request. What it asks for is noted, and the
// reactor hears of it only when the poll that stands does not cover it: a request on a kept
// connection costs one poll. Nobody's code runs inside of curl: what has ended is told after it
// returned.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "unum/reactor.hpp"

namespace unum::http {

class Multi final : private Timer {
 public:
  /// Hears of what curl did, after curl has returned; may add and remove handles.
  class Owner {
   public:
    virtual void on_done(CURL* easy, CURLcode result) noexcept = 0;
    /// After every turn of curl's.
    virtual void on_turn_end() noexcept = 0;
    /// A socket cannot be watched: nothing that is under way can be relied on.
    virtual void on_out_of_memory() noexcept = 0;

   protected:
    ~Owner() = default;
  };

  /// At most that many connections to one origin, and that many kept while idle. Throws
  /// `exhausted` when there is no memory.
  Multi(Reactor& reactor, Owner& owner, long per_origin_max, long kept_max);
  /// Every handle must have been removed. Closes the connections.
  ~Multi();
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;

  /// Makes a new handle open and close its sockets here. Once for each handle.
  void adopt(CURL* easy);
  /// Not while curl runs.
  CURLMcode add(CURL* easy) noexcept;
  void remove(CURL* easy) noexcept;
  /// Whether curl is on the stack.
  bool inside() const noexcept { return inside_; }

  std::uint64_t sockets_opened() const noexcept { return sockets_opened_; }

 private:
  struct Socket {
    Multi* multi = nullptr;
    int fd = -1;
    unsigned wanted = 0;   ///< What curl asks for, as events of poll(2).
    unsigned watched = 0;  ///< What the watch stands for; it may be more.
    bool has_watch = false;
    bool ours = false;  ///< Opened and closed here; for others curl tells only its interest.
    WatchId watch{};
  };

  /// What calls curl in this or the next tick. Of its own, since what is in the reactor's queue
  /// cannot be taken out: it may outlive us there.
  struct Kick : Ready {
    Multi* multi = nullptr;
    bool posted = false;
  };

  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* socket) noexcept;
  static int on_timer(CURLM* multi, long timeout_ms, void* self) noexcept;
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address) noexcept;
  static int on_close(void* self, curl_socket_t fd) noexcept;
  static void on_kick(Ready& ready) noexcept;
  static void on_event(void* socket, unsigned events) noexcept;

  Socket& socket_of(int fd);
  void want(Socket& socket, unsigned events);
  void stand_for(Socket& socket, unsigned events);
  void unwatch(Socket& socket) noexcept;
  void act(curl_socket_t fd, int events) noexcept;
  void kick() noexcept;
  void call_at(Deadline due);
  void on_due() noexcept;

  Reactor& reactor_;
  Owner& owner_;
  CURLM* multi_ = nullptr;
  std::vector<std::unique_ptr<Socket>> sockets_;  ///< By descriptor.
  std::unique_ptr<Kick> kick_;
  Deadline due_ = kNoDeadline;  ///< When curl wants to be called.
  bool inside_ = false;
  bool closing_ = false;
  bool out_of_memory_ = false;
  std::uint64_t sockets_opened_ = 0;
};

}  // namespace unum::http
