// Curl's sockets and its clock, noted and passed on.
#include "reactor/http/multi.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

#include "base/log.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

namespace unum::http {
namespace {

unsigned poll_events(int what) noexcept {
  switch (what) {
    case CURL_POLL_IN: return POLLIN;
    case CURL_POLL_OUT: return POLLOUT;
    case CURL_POLL_INOUT: return POLLIN | POLLOUT;
    default: return 0;
  }
}

/// A hang-up or an error is what the next receive or send says, and says better.
int curl_events(unsigned came, unsigned wanted) noexcept {
  int events = 0;
  if ((came & (POLLIN | POLLHUP | POLLERR)) != 0 && (wanted & POLLIN) != 0) {
    events |= CURL_CSELECT_IN;
  }
  if ((came & (POLLOUT | POLLHUP | POLLERR)) != 0 && (wanted & POLLOUT) != 0) {
    events |= CURL_CSELECT_OUT;
  }
  return events;
}

}  // namespace

Multi::Multi(Reactor& reactor, Owner& owner, long per_origin_max, long kept_max)
    : reactor_(reactor), owner_(owner), kick_(std::make_unique<Kick>()) {
  kick_->run = &on_kick;
  kick_->multi = this;
  fire = [](Timer& timer) noexcept { static_cast<Multi&>(timer).on_due(); };
  multi_ = curl_multi_init();
  if (multi_ == nullptr) {
    throw Error(ErrorKind::exhausted, "http", "CURLE_OUT_OF_MEMORY",
                "no memory for an HTTP client");
  }
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, per_origin_max);
  // By default it keeps four for each handle that is under way: none is when a burst has ended.
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kept_max);
}

Multi::~Multi() {
  UNUM_ASSERT(!inside_);
  closing_ = true;
  curl_multi_cleanup(multi_);
  for (const auto& socket : sockets_) {
    if (socket != nullptr) unwatch(*socket);
  }
  reactor_.remove_timer(*this);
  if (kick_->posted) kick_.release()->multi = nullptr;  // ends when its turn comes
}

void Multi::adopt(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &on_open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &on_close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
}

CURLMcode Multi::add(CURL* easy) noexcept {
  UNUM_ASSERT(!inside_);
  inside_ = true;
  const CURLMcode code = curl_multi_add_handle(multi_, easy);
  inside_ = false;
  return code;
}

void Multi::remove(CURL* easy) noexcept {
  UNUM_ASSERT(!inside_);
  inside_ = true;
  const CURLMcode code = curl_multi_remove_handle(multi_, easy);
  inside_ = false;
  UNUM_ASSERT(code == CURLM_OK);
}

void Multi::act(curl_socket_t fd, int events) noexcept {
  int running = 0;
  inside_ = true;
  curl_multi_socket_action(multi_, fd, events, &running);
  inside_ = false;
  if (out_of_memory_) {
    out_of_memory_ = false;
    owner_.on_out_of_memory();  // before what curl makes of it
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) owner_.on_done(message->easy_handle, message->data.result);
  }
  owner_.on_turn_end();
}

// --- Sockets ----------------------------------------------------------------------------------

Multi::Socket& Multi::socket_of(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= sockets_.size()) sockets_.resize(std::max(index + 1, 2 * sockets_.size()));
  if (sockets_[index] == nullptr) {
    sockets_[index] = std::make_unique<Socket>();
    sockets_[index]->multi = this;
    sockets_[index]->fd = fd;
  }
  return *sockets_[index];
}

curl_socket_t Multi::on_open(void* self, curlsocktype, curl_sockaddr* address) noexcept {
  auto& multi = *static_cast<Multi*>(self);
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                          address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  try {
    multi.socket_of(fd).ours = true;
  } catch (const std::exception&) {
    ::close(fd);
    multi.out_of_memory_ = true;
    return CURL_SOCKET_BAD;
  }
  ++multi.sockets_opened_;
  log::debug(LogArea::http, "opens connection {}", multi.sockets_opened_);
  return fd;
}

int Multi::on_close(void* self, curl_socket_t fd) noexcept {
  auto& multi = *static_cast<Multi*>(self);
  const auto index = static_cast<std::size_t>(fd);
  // The watch ends first: the peer of a polled socket does not see its close, and the number may be
  // another file's at once.
  if (index < multi.sockets_.size() && multi.sockets_[index] != nullptr) {
    multi.unwatch(*multi.sockets_[index]);
    multi.sockets_[index]->ours = false;
  }
  return ::close(fd);
}

int Multi::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) noexcept {
  auto& multi = *static_cast<Multi*>(self);
  try {
    multi.want(multi.socket_of(fd), poll_events(what));
  } catch (const std::exception&) {
    multi.out_of_memory_ = true;  // a refusal told to curl would end this multi handle for good
    multi.kick();
  }
  return 0;
}

void Multi::want(Socket& socket, unsigned events) {
  socket.wanted = events;
  if (events == 0 && !socket.ours) {
    // The resolver's: it may be closed without another word.
    unwatch(socket);
  } else if ((events & ~socket.watched) != 0) {
    stand_for(socket, events);
  }
  // A watch for more than is wanted stays until it is heard: changing an armed poll costs two.
}

void Multi::stand_for(Socket& socket, unsigned events) {
  if (socket.has_watch) {
    if (socket.watched != events) reactor_.change_watch(socket.watch, events);
  } else if (events != 0) {
    socket.watch = reactor_.watch(socket.fd, events, &on_event, &socket);
    socket.has_watch = true;
  }
  socket.watched = events;
}

void Multi::unwatch(Socket& socket) noexcept {
  if (socket.has_watch) reactor_.unwatch(socket.watch);
  socket.has_watch = false;
  socket.wanted = socket.watched = 0;
}

void Multi::on_event(void* socket, unsigned events) noexcept {
  auto& heard = *static_cast<Socket*>(socket);
  Multi& multi = *heard.multi;
  const WatchId watch = heard.watch;
  const unsigned wanted = heard.wanted;
  const int told = curl_events(events, wanted);
  if (told != 0) {
    multi.act(heard.fd, told);
  } else if ((events & POLLNVAL) != 0 || (wanted != 0 && (events & POLLERR) != 0)) {
    multi.act(heard.fd, CURL_CSELECT_ERR);
  }
  // No poll is armed now, so standing for what is wanted costs nothing. An idle connection is not
  // watched: whether it still lives is looked at before it is used.
  if (heard.has_watch && heard.watch == watch && heard.watched != heard.wanted) {
    multi.stand_for(heard, heard.wanted);
  }
}

// --- Time -------------------------------------------------------------------------------------

int Multi::on_timer(CURLM*, long timeout_ms, void* self) noexcept {
  auto& multi = *static_cast<Multi*>(self);
  if (timeout_ms < 0) {
    multi.due_ = kNoDeadline;
  } else if (timeout_ms == 0) {
    multi.due_ = kNoDeadline;
    multi.kick();
  } else {
    try {
      // Not the reactor's time, which is that of the tick's begin: curl does nothing when it is
      // called early, and does not ask again.
      multi.call_at(multi.reactor_.exact_now() + std::chrono::milliseconds(timeout_ms));
    } catch (const std::exception&) {
      multi.out_of_memory_ = true;
      multi.kick();
    }
  }
  return 0;
}

void Multi::kick() noexcept {
  if (kick_->posted || closing_) return;
  kick_->posted = true;
  reactor_.post(*kick_);
}

void Multi::on_kick(Ready& ready) noexcept {
  auto& kick = static_cast<Kick&>(ready);
  if (kick.multi == nullptr) {
    delete &kick;
    return;
  }
  kick.posted = false;
  kick.multi->act(CURL_SOCKET_TIMEOUT, 0);
}

/// The timer may stand for an earlier time than what curl wants by now: it looks when it fires.
void Multi::call_at(Deadline due) {
  due_ = due;
  if (closing_ || (heap_index != kNotInHeap && when <= due)) return;
  reactor_.remove_timer(*this);
  when = due;
  reactor_.add_timer(*this);
}

void Multi::on_due() noexcept {
  if (due_ == kNoDeadline) return;
  try {
    if (reactor_.now() < due_) {
      call_at(due_);
      return;
    }
    due_ = kNoDeadline;
    act(CURL_SOCKET_TIMEOUT, 0);
    if (due_ != kNoDeadline || kick_->posted) return;
    // It may have found that its time has not quite come.
    long left_ms = -1;
    curl_multi_timeout(multi_, &left_ms);
    if (left_ms >= 0) {
      call_at(reactor_.exact_now() + std::chrono::milliseconds(std::max(1L, left_ms)));
    }
  } catch (const std::exception&) {
    out_of_memory_ = true;
    kick();
  }
}

}  // namespace unum::http
