// One request under way, from its place in the queue to its response. It lives in the coroutine
// that waits for it.
#pragma once

#include <curl/curl.h>

#include <coroutine>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "reactor/http/client.hpp"
#include "unum/error.hpp"

namespace unum::http {

class Dispatcher;
class Handle;
struct Origin;

/// How a transfer ended.
enum class End : std::uint8_t {
  none,  ///< It has not.
  by_curl,
  deadline,
  connect_timeout,
  stalled,
  trickles,
  stopped,
  closed,
  sink_broke_off,
  body_too_long,
  headers_too_long,
  not_http,
  source_was_read,  ///< Would have to be sent again.
  out_of_memory,
};

class Transfer final : private detail::BoundedWait, private Ready {
 public:
  enum class Phase : std::uint8_t { made, queued, connecting, sent, over };

  /// Throws `invalid` for a request that cannot be sent. What the request names must live as long.
  Transfer(Dispatcher& dispatcher, Request request, const Wait& wait);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> waiter);
  /// The response, or throws.
  Response await_resume();

  const Request& request() const noexcept { return request_; }
  Origin& origin() const noexcept { return origin_; }
  Phase phase() const noexcept { return phase_; }

 private:
  friend class Dispatcher;
  friend class Handle;
  friend class TransferList;

  static void on_given_up(detail::BoundedWait& wait, int why) noexcept;
  void end(End how, CURLcode code) noexcept;
  void end_by_curl(CURLcode code) noexcept;
  SendError error() const;
  const char* where() const noexcept;
  void keep_words(const char* words) noexcept;

  // What curl's callbacks bring, by way of the handle.
  bool on_header(std::string_view line);
  bool on_body(std::span<const std::byte> bytes);
  std::size_t on_source(std::span<std::byte> room);

  Dispatcher& dispatcher_;
  const Request request_;
  const Wait wait_;
  Origin& origin_;
  Response response_;
  std::unique_ptr<Handle> handle_;  ///< While it is under way.
  Transfer* next_ = nullptr;        ///< In the list of its phase.
  Transfer* previous_ = nullptr;
  Deadline checked_at_{};  ///< When it began to connect; once sent: when it was last checked.
  std::uint64_t bytes_moved_ = 0;  ///< As seen then.
  int still_checks_ = 0;           ///< Checks in a row that saw nothing move.
  int slow_checks_ = 0;            ///< Checks in a row that saw next to nothing.
  std::uint64_t source_bytes_left_ = 0;
  CURLcode code_ = CURLE_OK;
  Phase phase_ = Phase::made;
  Phase ended_in_ = Phase::made;
  End end_ = End::none;
  bool header_is_whole_ = false;
  bool abandoned_ = false;  ///< Ends as `end_` says as soon as curl returns.
  std::string curl_says_;
};

/// A list of transfers; each is in at most one.
class TransferList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  Transfer* front() const noexcept { return first_; }
  static Transfer* after(const Transfer& transfer) noexcept { return transfer.next_; }
  void push_back(Transfer& transfer) noexcept {
    transfer.next_ = nullptr;
    transfer.previous_ = last_;
    (last_ != nullptr ? last_->next_ : first_) = &transfer;
    last_ = &transfer;
  }
  void remove(Transfer& transfer) noexcept {
    (transfer.previous_ != nullptr ? transfer.previous_->next_ : first_) = transfer.next_;
    (transfer.next_ != nullptr ? transfer.next_->previous_ : last_) = transfer.previous_;
  }

 private:
  Transfer* first_ = nullptr;
  Transfer* last_ = nullptr;
};

}  // namespace unum::http
