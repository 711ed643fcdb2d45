// hiredis' asynchronous API as its manual shows it, on the reactor by the plainest adapter: what
// the client is measured beside.
#pragma once

#include <hiredis/async.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unum/reactor.hpp"

namespace unum::bench {

class RawHiredis {
 public:
  RawHiredis(Reactor& reactor, const std::string& host, int port)
      : reactor_(reactor), context_(::redisAsyncConnect(host.c_str(), port)) {
    if (context_ == nullptr || context_->err != 0) std::abort();
    watch_ = reactor_.watch(
        context_->c.fd, POLLIN,
        [](void* self, unsigned events) noexcept {
          auto& raw = *static_cast<RawHiredis*>(self);
          if ((events & POLLOUT) != 0) ::redisAsyncHandleWrite(raw.context_);
          if ((events & ~unsigned{POLLOUT}) != 0) ::redisAsyncHandleRead(raw.context_);
        },
        this);
    context_->ev.data = this;
    context_->ev.addRead = context_->ev.delRead = [](void*) {};
    context_->ev.addWrite = [](void* self) {
      static_cast<RawHiredis*>(self)->watch_for(POLLIN | POLLOUT);
    };
    context_->ev.delWrite = [](void* self) { static_cast<RawHiredis*>(self)->watch_for(POLLIN); };
  }
  ~RawHiredis() {
    reactor_.unwatch(watch_);
    ::redisAsyncFree(context_);
  }
  RawHiredis(const RawHiredis&) = delete;
  RawHiredis& operator=(const RawHiredis&) = delete;

  /// Sends the command `count` times, `at_once` of them before any reply is waited for.
  void run(const std::vector<std::string_view>& command, std::size_t count, std::size_t at_once) {
    std::vector<const char*> arguments;
    std::vector<std::size_t> lengths;
    for (const std::string_view word : command) {
      arguments.push_back(word.data());
      lengths.push_back(word.size());
    }
    for (std::size_t sent = 0; sent < count; sent += at_once) {
      due_ = std::min(at_once, count - sent);
      for (std::size_t i = due_; i > 0; --i) {
        ::redisAsyncCommandArgv(context_, &on_reply, this, static_cast<int>(arguments.size()),
                                arguments.data(), lengths.data());
      }
      while (due_ > 0) reactor_.run_once(kNoDeadline);
    }
  }

 private:
  static void on_reply(redisAsyncContext*, void* reply, void* self) {
    const auto* const read = static_cast<redisReply*>(reply);
    if (read == nullptr || read->type == REDIS_REPLY_ERROR) std::abort();
    --static_cast<RawHiredis*>(self)->due_;
  }
  void watch_for(unsigned events) {
    if (std::exchange(watched_, events) != events) reactor_.change_watch(watch_, events);
  }

  Reactor& reactor_;
  redisAsyncContext* context_;
  WatchId watch_;
  unsigned watched_ = POLLIN;
  std::size_t due_ = 0;
};

}  // namespace unum::bench
