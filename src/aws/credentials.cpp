// Credentials that are kept, and fetched by one caller for all.
#include "aws/credentials.hpp"

#include <algorithm>
#include <utility>

#include "aws/credentials_provider.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/error.hpp"

namespace unum::aws {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// Before their end: from the first on one caller asks for newer ones, from the second on all wait
// for them (a request that is under way must not outlive its signature). As in the SDKs.
constexpr minutes kAdvisory{15};
constexpr minutes kMandatory{1};
// After a refresh that failed although what is in hand is still good.
constexpr minutes kRefreshAgain{1};
// For how long credentials that have ended go on where nothing newer is to be had.
constexpr minutes kStaticStability{10};

class FixedCredentials final : public CredentialsSource {
 public:
  explicit FixedCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  Task<const Credentials*> get(Wait) override { co_return &credentials_; }
  const Credentials* peek() noexcept override { return &credentials_; }
  void invalidate() noexcept override {}
  void use_clock(std::chrono::seconds) noexcept override {}

 private:
  Credentials credentials_;
};

class CachedCredentials final : public CredentialsSource {
 public:
  CachedCredentials(Reactor& reactor, std::vector<std::unique_ptr<CredentialsProvider>> places,
                    WallClock clock)
      : reactor_(reactor), places_(std::move(places)), clock_(std::move(clock)) {}

  const Credentials* peek() noexcept override {
    if (!current_) return nullptr;
    if (!current_->expiration) return &*current_;
    const WallTime now = wall_now();
    if (now < refresh_at_) return &*current_;
    // About to end: whoever comes first fetches, the others go on while they can.
    return fetching_ && now < useless_at_ ? &*current_ : nullptr;
  }

  Task<const Credentials*> get(Wait wait) override {
    for (;;) {
      if (const Credentials* credentials = peek()) co_return credentials;
      if (!fetching_) {
        co_await fetch(wait);
        if (current_) co_return &*current_;
        continue;  // invalidated meanwhile
      }
      const std::uint64_t awaited = fetches_;
      const int result = co_await fetched_.wait(reactor_, wait);
      if (result != 0) throw given_up(result);
      // What failed for the one who asked failed for those who waited for it, too; but if only his
      // own patience ended, the next one asks.
      if (!current_ && failed_ && failed_fetch_ == awaited) throw Error(*failed_);
    }
  }

  void invalidate() noexcept override {
    if (!fetching_) current_.reset();
  }

  void use_clock(std::chrono::seconds ahead) noexcept override {
    if (ahead == ahead_) return;
    ahead_ = ahead;
    if (current_ && current_->expiration) schedule();
  }

 private:
  /// Marks the fetch as under way, and its end, however it ends.
  struct Fetching {
    CachedCredentials& self;
    explicit Fetching(CachedCredentials& source) : self(source) {
      self.fetching_ = true;
      ++self.fetches_;
    }
    ~Fetching() {
      self.fetching_ = false;
      self.fetched_.wake_all();
    }
    Fetching(const Fetching&) = delete;
    Fetching& operator=(const Fetching&) = delete;
  };

  static Error given_up(int result) {
    return result == -ETIME ? Error(ErrorKind::timeout, "aws", "Unum.Timeout",
                                    "the deadline passed while credentials were being fetched")
                            : Error(ErrorKind::cancelled, "aws", "Unum.Cancelled",
                                    "stopped while credentials were being fetched");
  }

  Task<void> fetch(Wait wait) {
    const Fetching fetching(*this);
    failed_.reset();
    try {
      keep(co_await ask(wait));
      co_return;
    } catch (const Error& error) {
      failed_ = error;
    }
    const WallTime now = wall_now();
    if (current_ && current_->expiration) {
      if (now < useless_at_) {
        refresh_at_ = std::min(now + kRefreshAgain, useless_at_);
        co_return;
      }
      if (chosen_ != nullptr && chosen_->outlives_expiration()) {
        use_until(now + kStaticStability, now + kRefreshAgain);
        co_return;
      }
    }
    current_.reset();
    const Error error = *failed_;
    const bool own_patience =
        error.kind() == ErrorKind::cancelled ||
        (error.kind() == ErrorKind::timeout && wait.deadline <= reactor_.now());
    if (own_patience) {
      failed_.reset();
    } else {
      failed_fetch_ = fetches_;
    }
    throw Error(error);
  }

  void keep(Credentials credentials) {
    current_ = std::move(credentials);
    if (current_->expiration) schedule();
  }

  void schedule() noexcept {
    const WallTime now = wall_now();
    const WallTime end = *current_->expiration;
    if (end <= now) {
      use_until(now + kStaticStability, now + kRefreshAgain);
      return;
    }
    // Short-lived ones are not asked for again at once.
    const auto life = end - now;
    use_until(end - std::min<WallTime::duration>(kMandatory, life / 10),
              end - std::min<WallTime::duration>(kAdvisory, life / 2));
  }

  /// By the clock of the services, where one has said that ours is wrong.
  WallTime wall_now() const { return (clock_ ? clock_() : reactor_.wall_time()) + ahead_; }

  void use_until(WallTime end, WallTime refresh) noexcept {
    useless_at_ = end;
    refresh_at_ = refresh;
  }

  Task<Credentials> ask(Wait wait) {
    if (chosen_ != nullptr) {
      Finding finding = co_await chosen_->fetch(wait);
      if (finding.credentials) co_return std::move(*finding.credentials);
      throw Error(ErrorKind::denied, "aws", "Unum.NoCredentials",
                  "the credentials of " + chosen_->name() + " have gone: " + finding.nothing);
    }
    std::string looked_at;
    for (const std::unique_ptr<CredentialsProvider>& place : places_) {
      Finding finding = co_await place->fetch(wait);
      if (finding.credentials) {
        chosen_ = place.get();
        co_return std::move(*finding.credentials);
      }
      looked_at += "\n  " + place->name() + ": " + finding.nothing;
    }
    throw Error(ErrorKind::denied, "aws", "Unum.NoCredentials",
                "no credentials for AWS; looked at" + looked_at);
  }

  Reactor& reactor_;
  const std::vector<std::unique_ptr<CredentialsProvider>> places_;
  const WallClock clock_;
  std::chrono::seconds ahead_{0};
  CredentialsProvider* chosen_ = nullptr;
  std::optional<Credentials> current_;
  WallTime refresh_at_{};
  WallTime useless_at_{};
  bool fetching_ = false;
  std::uint64_t fetches_ = 0;
  std::optional<Error> failed_;
  std::uint64_t failed_fetch_ = 0;
  detail::WaitList fetched_;
};

}  // namespace

std::unique_ptr<CredentialsSource> fixed_credentials(Credentials credentials) {
  return std::make_unique<FixedCredentials>(std::move(credentials));
}

std::unique_ptr<CredentialsSource> cached_credentials(
    Reactor& reactor, std::vector<std::unique_ptr<CredentialsProvider>> places, WallClock clock) {
  return std::make_unique<CachedCredentials>(reactor, std::move(places), std::move(clock));
}

}  // namespace unum::aws
