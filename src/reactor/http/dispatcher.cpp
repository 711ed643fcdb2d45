// Admission, fairness and the ends of transfers.
#include "reactor/http/dispatcher.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "reactor/descriptor_limit.hpp"
#include "unum/assert.hpp"

namespace unum::http {
namespace {

// Streams that curl opens on one HTTP/2 connection (CURLMOPT_MAX_CONCURRENT_STREAMS). More at once
// would each open another connection: libcurl 7.88 does not wait for one that is being opened.
constexpr std::size_t kStreamsPerConnection = 100;

/// Once a process; it is never undone, since others may use curl, too.
void start_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code == CURLE_OK) return;
  throw Error(ErrorKind::exhausted, "http", "CURLE_FAILED_INIT",
              std::string("libcurl cannot be used: ") + curl_easy_strerror(code));
}

CURLSH* make_share() {
  CURLSH* share = curl_share_init();
  if (share == nullptr) {
    throw Error(ErrorKind::exhausted, "http", "CURLE_OUT_OF_MEMORY",
                "no memory for an HTTP client");
  }
  // Without it each handle of libcurl before 8.12 has sessions of its own. One thread: no locks.
  curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  return share;
}

/// Of the descriptors that there may be a quarter is for connections: workers take half of them.
ClientOptions within_descriptors(ClientOptions options) {
  const std::size_t most = std::max<std::size_t>(2, descriptors_max() / 4);
  options.connections_per_origin_max = std::min(options.connections_per_origin_max, most);
  return options;
}

}  // namespace

Dispatcher::Dispatcher(Reactor& reactor, const ClientOptions& options)
    : reactor_(reactor),
      options_(within_descriptors(options)),
      settings_(settings_of(options)),
      gate_(reactor) {
  start_curl();
  share_ = make_share();
  try {
    multi_ = std::make_unique<Multi>(reactor, *this,
                                     static_cast<long>(options_.connections_per_origin_max),
                                     static_cast<long>(options_.in_flight_max));
  } catch (...) {
    curl_share_cleanup(share_);
    throw;
  }
  connect_timer_.dispatcher = this;
  connect_timer_.fire = [](Timer& timer) noexcept {
    static_cast<OwnTimer&>(timer).dispatcher->on_connect_timer();
  };
  stall_timer_.dispatcher = this;
  stall_timer_.fire = [](Timer& timer) noexcept {
    static_cast<OwnTimer&>(timer).dispatcher->on_stall_timer();
  };
}

Dispatcher::~Dispatcher() {
  UNUM_ASSERT(gate_.inside() == 0);
  tear_down();
}

ClientCounters Dispatcher::counters() const noexcept {
  return {requests_, connections_before_ + (multi_ != nullptr ? multi_->sockets_opened() : 0)};
}

Task<void> Dispatcher::close() {
  gate_.shut();
  if (multi_ != nullptr) end_all(End::closed);
  co_await gate_.close();
  tear_down();
}

void Dispatcher::tear_down() noexcept {
  if (multi_ == nullptr) return;
  reactor_.remove_timer(connect_timer_);
  reactor_.remove_timer(stall_timer_);
  origins_.clear();
  first_turn_ = last_turn_ = nullptr;
  connections_before_ = multi_->sockets_opened();
  multi_.reset();
  curl_share_cleanup(share_);
}

// --- Origins ----------------------------------------------------------------------------------

Origin& Dispatcher::enter(std::string_view name) {
  auto found = origins_.find(name);
  if (found == origins_.end()) {
    if (origins_.size() >= kHttpOriginsMax) {
      const auto unused = std::find_if(origins_.begin(), origins_.end(), [](const auto& entry) {
        return entry.second->users == 0 && !entry.second->has_turn;
      });
      if (unused != origins_.end()) origins_.erase(unused);
    }
    auto origin = std::make_unique<Origin>();
    origin->name = name;
    found = origins_.emplace(std::string(name), std::move(origin)).first;
  }
  ++found->second->users;
  return *found->second;
}

void Dispatcher::leave(Origin& origin) noexcept { --origin.users; }

std::size_t Dispatcher::limit_of(const Origin& origin) const noexcept {
  const std::size_t connections = options_.connections_per_origin_max;
  return origin.multiplexes ? std::max(connections, kStreamsPerConnection) : connections;
}

void Dispatcher::give_turn(Origin& origin) noexcept {
  if (origin.has_turn || origin.queue.empty() || origin.in_flight >= limit_of(origin)) return;
  origin.has_turn = true;
  origin.next_turn = nullptr;
  (last_turn_ != nullptr ? last_turn_->next_turn : first_turn_) = &origin;
  last_turn_ = &origin;
}

void Dispatcher::admit() noexcept {
  while (in_flight_ < options_.in_flight_max && first_turn_ != nullptr && !multi_->inside()) {
    Origin& origin = *first_turn_;
    first_turn_ = origin.next_turn;
    if (first_turn_ == nullptr) last_turn_ = nullptr;
    origin.has_turn = false;
    if (origin.queue.empty() || origin.in_flight >= limit_of(origin)) continue;
    Transfer& transfer = *origin.queue.front();
    origin.queue.remove(transfer);
    start(transfer);
    give_turn(origin);
  }
}

// --- A transfer's way -------------------------------------------------------------------------

void Dispatcher::submit(Transfer& transfer) noexcept {
  ++requests_;
  Origin& origin = transfer.origin_;
  if (in_flight_ < options_.in_flight_max && origin.in_flight < limit_of(origin) &&
      origin.queue.empty() && !multi_->inside()) {
    start(transfer);
    return;
  }
  transfer.phase_ = Transfer::Phase::queued;
  origin.queue.push_back(transfer);
  give_turn(origin);
}

std::unique_ptr<Handle> Dispatcher::take_handle(Origin& origin) {
  if (!origin.idle.empty()) {
    std::unique_ptr<Handle> handle = std::move(origin.idle.back());
    origin.idle.pop_back();
    return handle;
  }
  // So that giving it back cannot fail.
  if (origin.idle.capacity() <= origin.handles) origin.idle.reserve(2 * origin.handles + 8);
  auto handle = std::make_unique<Handle>(*multi_, settings_, share_, origin.name);
  ++origin.handles;
  return handle;
}

void Dispatcher::start(Transfer& transfer) noexcept {
  Origin& origin = transfer.origin_;
  transfer.phase_ = Transfer::Phase::connecting;
  transfer.checked_at_ = reactor_.now();
  connecting_.push_back(transfer);
  ++in_flight_;
  ++origin.in_flight;
  CURLcode code = CURLE_OUT_OF_MEMORY;
  try {
    transfer.handle_ = take_handle(origin);
    code = transfer.handle_->prepare(transfer);
    watch_connecting();
  } catch (const std::exception&) {
    code = CURLE_OUT_OF_MEMORY;
  }
  if (code == CURLE_OK && multi_->add(transfer.handle_->easy()) != CURLM_OK) {
    code = CURLE_OUT_OF_MEMORY;
  }
  if (code != CURLE_OK) finish(transfer, End::by_curl, code);
}

bool Dispatcher::on_request(Transfer& transfer) noexcept {
  if (transfer.phase_ == Transfer::Phase::connecting) {
    connecting_.remove(transfer);
    transfer.phase_ = Transfer::Phase::sent;
    transfer.checked_at_ = reactor_.now();
    sent_.push_back(transfer);
    try {
      watch_sent();
    } catch (const std::exception&) {
      transfer.end_ = End::out_of_memory;
      return false;
    }
    return true;
  }
  if (transfer.request_.source && transfer.source_bytes_left_ < transfer.request_.source_bytes) {
    transfer.end_ = End::source_was_read;
    return false;
  }
  log::debug(LogArea::http, "sent again to {}: the connection had been closed",
             transfer.request_.origin);
  transfer.response_.sent_again = true;
  return true;
}

void Dispatcher::give_up(Transfer& transfer, End how) noexcept {
  switch (transfer.phase_) {
    case Transfer::Phase::made:
    case Transfer::Phase::over: return;
    case Transfer::Phase::queued:
      transfer.origin_.queue.remove(transfer);
      transfer.end(how, CURLE_OK);
      return;
    case Transfer::Phase::connecting:
    case Transfer::Phase::sent: break;
  }
  if (!multi_->inside()) {
    finish(transfer, how, CURLE_OK);
    admit();
  } else if (!transfer.abandoned_) {
    transfer.abandoned_ = true;
    if (transfer.end_ == End::none) transfer.end_ = how;
    ++abandoned_;
  }
}

void Dispatcher::finish(Transfer& transfer, End how, CURLcode code) noexcept {
  (transfer.phase_ == Transfer::Phase::connecting ? connecting_ : sent_).remove(transfer);
  if (transfer.abandoned_) --abandoned_;
  Origin& origin = transfer.origin_;
  --in_flight_;
  --origin.in_flight;
  if (std::unique_ptr<Handle> handle = std::move(transfer.handle_)) {
    multi_->remove(handle->easy());
    handle->release();
    const bool sound = how == End::by_curl && code == CURLE_OK;
    if (sound) {
      origin.idle.push_back(std::move(handle));
    } else {
      // What a handle that broke off keeps inside is not worth knowing.
      transfer.keep_words(handle->message());
      --origin.handles;
    }
  }
  give_turn(origin);
  if (how == End::by_curl) {
    transfer.end_by_curl(code);
  } else {
    transfer.end(how, code);
  }
}

void Dispatcher::on_done(CURL* easy, CURLcode result) noexcept {
  Transfer& transfer = *Handle::of(easy).transfer();
  // Success wins over a request to stop.
  const bool broke_off = result != CURLE_OK && transfer.end_ != End::none;
  finish(transfer, broke_off ? transfer.end_ : End::by_curl, result);
}

void Dispatcher::on_turn_end() noexcept {
  if (abandoned_ > 0) end_abandoned();
  if (first_turn_ != nullptr) admit();
}

void Dispatcher::end_abandoned() noexcept {
  for (TransferList* list : {&connecting_, &sent_}) {
    for (Transfer* transfer = list->front(); transfer != nullptr;) {
      Transfer* after = TransferList::after(*transfer);
      if (transfer->abandoned_) finish(*transfer, transfer->end_, CURLE_OK);
      transfer = after;
    }
  }
}

void Dispatcher::on_out_of_memory() noexcept {
  for (TransferList* list : {&connecting_, &sent_}) {
    while (!list->empty()) finish(*list->front(), End::out_of_memory, CURLE_OUT_OF_MEMORY);
  }
}

void Dispatcher::end_all(End how) noexcept {
  for (TransferList* list : {&connecting_, &sent_}) {
    while (!list->empty()) finish(*list->front(), how, CURLE_OK);
  }
  for (const auto& [name, origin] : origins_) {
    while (!origin->queue.empty()) give_up(*origin->queue.front(), how);
  }
}

// --- Connecting takes its time ----------------------------------------------------------------

/// All have the same time to connect, so one timer for the first of them serves all.
void Dispatcher::watch_connecting() {
  if (connect_timer_.heap_index != Timer::kNotInHeap || connecting_.empty()) return;
  connect_timer_.when = connecting_.front()->checked_at_ + options_.connect_timeout;
  reactor_.add_timer(connect_timer_);
}

void Dispatcher::on_connect_timer() noexcept {
  const Deadline began_before = reactor_.now() - options_.connect_timeout;
  while (!connecting_.empty() && connecting_.front()->checked_at_ <= began_before) {
    finish(*connecting_.front(), End::connect_timeout, CURLE_OK);
  }
  try {
    watch_connecting();
  } catch (const std::exception&) {
    on_out_of_memory();
  }
  admit();
}

// --- What was sent keeps moving ---------------------------------------------------------------

/// Those that were sent are in the order in which they were last checked, so one timer serves
/// all of these, too. Checking several times within the allowed time notices its end sooner.
constexpr int kChecksPerStall = 4;
// A trickle is borne for longer than silence.
constexpr int kChecksPerTrickle = 3 * kChecksPerStall;

void Dispatcher::watch_sent() {
  if (options_.stall_timeout.count() == 0 || sent_.empty() ||
      stall_timer_.heap_index != Timer::kNotInHeap) {
    return;
  }
  stall_timer_.when = sent_.front()->checked_at_ + options_.stall_timeout / kChecksPerStall;
  reactor_.add_timer(stall_timer_);
}

void Dispatcher::on_stall_timer() noexcept {
  const Deadline checked_before = reactor_.now() - options_.stall_timeout / kChecksPerStall;
  while (!sent_.empty() && sent_.front()->checked_at_ <= checked_before) {
    Transfer& transfer = *sent_.front();
    const std::uint64_t moved = transfer.handle_->bytes_moved();
    const std::uint64_t gained = moved - transfer.bytes_moved_;
    const bool trickles = !transfer.request_.slow_answer && gained < kHttpTrickleBytes;
    transfer.still_checks_ = gained == 0 ? transfer.still_checks_ + 1 : 0;
    transfer.slow_checks_ = trickles ? transfer.slow_checks_ + 1 : 0;
    if (transfer.still_checks_ == kChecksPerStall || transfer.slow_checks_ == kChecksPerTrickle) {
      const bool silent = transfer.still_checks_ == kChecksPerStall;
      finish(transfer, silent ? End::stalled : End::trickles, CURLE_OK);
      continue;
    }
    transfer.bytes_moved_ = moved;
    transfer.checked_at_ = reactor_.now();
    sent_.remove(transfer);
    sent_.push_back(transfer);
  }
  try {
    watch_sent();
  } catch (const std::exception&) {
    on_out_of_memory();
  }
  admit();
}

}  // namespace unum::http
