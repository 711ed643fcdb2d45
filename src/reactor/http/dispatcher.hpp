// Who may send, and when: the bounds on requests and connections, each origin's queue, and the
// ends of transfers.
//
// A transfer is in one list: its origin's queue, those that connect, or those that were sent. It
// leaves curl only while curl is not on the stack; what is to end meanwhile is marked and ends when
// curl has returned.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "reactor/gate.hpp"
#include "reactor/http/handle.hpp"
#include "reactor/http/multi.hpp"
#include "reactor/http/settings.hpp"
#include "reactor/http/transfer.hpp"

namespace unum::http {

struct Origin {
  std::string name;
  TransferList queue;
  std::vector<std::unique_ptr<Handle>> idle;
  std::size_t handles = 0;  ///< Idle or under way.
  std::size_t in_flight = 0;
  std::size_t users = 0;     ///< Transfers that refer to it.
  bool multiplexes = false;  ///< It answered with HTTP/2 last.
  bool has_turn = false;     ///< It is in the round of those that may send next.
  Origin* next_turn = nullptr;
};

class Dispatcher final : public Multi::Owner {
 public:
  Dispatcher(Reactor& reactor, const ClientOptions& options);
  ~Dispatcher();

  Reactor& reactor() const noexcept { return reactor_; }
  const ClientOptions& options() const noexcept { return options_; }
  ClientCounters counters() const noexcept;
  std::string connect_timeout_text() const {
    return std::to_string(options_.connect_timeout.count()) + " ms";
  }
  std::string stall_timeout_text() const {
    return std::to_string(options_.stall_timeout.count()) + " ms";
  }
  /// For each request: before its transfer is made, and until that is gone.
  Gate::Pass enter() noexcept { return gate_.enter(); }
  Task<void> close();

 private:
  friend class Handle;
  friend class Transfer;

  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  // For transfers.
  Origin& enter(std::string_view origin);
  void leave(Origin& origin) noexcept;
  void submit(Transfer& transfer) noexcept;
  void give_up(Transfer& transfer, End how) noexcept;
  bool on_request(Transfer& transfer) noexcept;

  // For the multi handle.
  void on_done(CURL* easy, CURLcode result) noexcept override;
  void on_turn_end() noexcept override;
  void on_out_of_memory() noexcept override;

  std::size_t limit_of(const Origin& origin) const noexcept;
  void give_turn(Origin& origin) noexcept;
  void admit() noexcept;
  void start(Transfer& transfer) noexcept;
  void finish(Transfer& transfer, End how, CURLcode code) noexcept;
  std::unique_ptr<Handle> take_handle(Origin& origin);
  void tear_down() noexcept;
  void end_all(End how) noexcept;
  void end_abandoned() noexcept;
  void watch_connecting();
  void on_connect_timer() noexcept;
  void watch_sent();
  void on_stall_timer() noexcept;

  Reactor& reactor_;
  const ClientOptions options_;
  const Settings settings_;
  CURLSH* share_ = nullptr;  ///< TLS sessions.
  std::unique_ptr<Multi> multi_;
  std::unordered_map<std::string, std::unique_ptr<Origin>, TextHash, std::equal_to<>> origins_;
  TransferList connecting_;  ///< In the order in which they began.
  TransferList sent_;
  std::size_t in_flight_ = 0;
  std::size_t abandoned_ = 0;
  Origin* first_turn_ = nullptr;
  Origin* last_turn_ = nullptr;
  Gate gate_;
  std::uint64_t requests_ = 0;
  std::uint64_t connections_before_ = 0;

  struct OwnTimer final : Timer {
    Dispatcher* dispatcher = nullptr;
  };
  OwnTimer connect_timer_;
  OwnTimer stall_timer_;
};

}  // namespace unum::http
