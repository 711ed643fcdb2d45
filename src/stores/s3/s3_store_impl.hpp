// The S3 store's class, shared by its sources: s3_store (open, list, remove), s3_read, s3_write and
// s3_multipart.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/open_service.hpp"
#include "stores/s3/answers.hpp"
#include "stores/s3/keys.hpp"
#include "unum/scan_and_claim.hpp"
#include "unum/store.hpp"

namespace unum::s3 {

/// From here on a value is uploaded in parts, and what was read is compared with the checksum that
/// S3 keeps. Below, one request is cheaper than the four or more that an upload in parts takes; at
/// 100 MB/s it lasts a sixth of a second, which a broken connection may cost once more.
inline constexpr std::size_t kPartsFromBytes = 16u * 1024 * 1024;
/// A part: at least 5 MiB (S3's limit), and few enough parts for the largest value.
inline constexpr std::size_t kPartBytes = 8u * 1024 * 1024;
/// Parts of one value on their way at once: what fills a network of 10 Gbit/s at S3's 85 to 90 MB/s
/// a connection, as its performance guidelines say.
inline constexpr std::size_t kPartsAtOnce = 12;
/// A page of the listing costs as much as 12.5 HEADs (us-east-1: 0.005 beside 0.0004 USD for 1,000)
/// and 1,000 keys at most. So fewer names than this are looked at one by one, and a page that finds
/// fewer of them is the last one.
inline constexpr std::size_t kPageWorth = 16;
/// How often a write is tried that lost against one which was not there when looked at: five
/// seconds in all.
inline constexpr int kRacesMax = 8;

/// The object that is written on condition to find out whether that works, below the prefix. It
/// stays: one that is there needs one request to show it.
inline constexpr std::string_view kProbe = ".unum-probe";
inline constexpr std::string_view kProbeText =
    "unum writes this object on condition that it is absent, to see whether the bucket can do "
    "so.\n";

/// The text of a request's target, reused. It begins with what messages call it, and its end is the
/// path: "GetObject bucket/prefix/session/item".
class Target {
 public:
  using Pool = std::vector<std::string>;
  explicit Target(Pool& pool) : pool_(pool) {
    if (pool_.empty()) return;
    text_ = std::move(pool_.back());
    pool_.pop_back();
    text_.clear();
  }
  ~Target() {
    if (pool_.size() < pool_.capacity()) pool_.push_back(std::move(text_));
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  std::string& text() noexcept { return text_; }
  void begin_path() noexcept { path_at_ = text_.size(); }
  std::string_view what() const noexcept { return text_; }
  std::string_view path() const noexcept { return std::string_view(text_).substr(path_at_); }
  /// What is kept in the object's metadata when it is written; must outlive the target.
  void keep(std::string_view text) noexcept { kept_ = text; }
  std::string kept_header() const { return std::string(kKeptHeader).append(": ").append(kept_); }
  bool keeps() const noexcept { return !kept_.empty(); }

  static constexpr std::string_view kKeptHeader = "x-amz-meta-unum-gc";

 private:
  Pool& pool_;
  std::string text_;
  std::size_t path_at_ = 0;
  std::string_view kept_;
};

class S3Store final : public Store {
 public:
  S3Store(Reactor& reactor, std::string_view name, Location location, aws::OpenService opened,
          const StoreOptions& options);
  ~S3Store() override;

  std::string_view type() const noexcept override { return "s3"; }
  const std::string& name() const noexcept override { return name_; }
  Reactor& reactor() const noexcept override { return reactor_; }
  StoreCounters counters() const noexcept override;
  bool is_held_back() const noexcept override { return aws_.service->is_held_back(); }

  /// From now on requests have the whole patience.
  void opened() noexcept { aws_.service->set_opening(false); }
  /// Makes sure that the bucket is there, can be written, and writes on condition.
  Task<void> examine(Wait wait);

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override;
  Task<std::optional<std::string>> get_range(const SessionContext& context, const ItemId& item,
                                             ByteRange range, Wait wait) override;
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override;
  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait wait) override;
  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override;
  Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait) override;
  Task<std::vector<std::string>> list_sessions(Wait wait) override;
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override;
  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait wait) override;
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    return write_then_join(*this, context, value, fan_ins, wait);
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    return fan_in_.join(context, fan_ins, wait);
  }
  Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                     std::span<const ItemId> items, Wait wait) override;
  Task<std::optional<std::string>> redelivery_of(const SessionContext& context,
                                                 const std::string& instance, Wait wait) override;
  Task<void> close() override;

 private:
  /// What a page of the listing is asked for.
  struct ListQuery {
    std::string prefix;
    std::string start_after;
    std::string continuation;
    bool by_session = false;  ///< Rolls up what is below the next slash.
    std::size_t keys_max = 1000;
  };
  /// An upload in parts that has begun.
  struct Upload {
    std::string id;
    std::vector<std::string> parts;  ///< Of the request that completes it.
    std::uint32_t checksum = 0;      ///< Of the whole value.
  };

  // Targets and keys.
  void set_address(const aws::Endpoint& endpoint);
  void name_item(Target& target, std::string_view operation, std::string_view session,
                 std::string_view item, ItemKind kind) const;
  void name_key(Target& target, std::string_view operation, std::string_view key) const;
  void name_bucket(Target& target, std::string_view operation) const;
  std::string session_prefix(std::string_view session) const;
  std::string key_of(std::string_view session, const ItemId& item) const;

  // Requests.
  Task<aws::ServiceAnswer> put_probe(Wait wait);
  bool follow_region(const aws::ServiceAnswer& answer, const std::string& region);
  [[noreturn]] void throw_unusable(const aws::ServiceAnswer& answer,
                                   const ErrorAnswer& refusal) const;
  Task<std::optional<std::string>> read(const Target& target, Wait wait);
  Task<void> verify(const Target& target, const http::Response& response, Wait wait);
  Task<aws::ServiceAnswer> head(const Target& target, Wait wait);
  Task<bool> exists(const SessionContext& context, std::string_view item, ItemKind kind, Wait wait);
  Task<bool> exist_one_by_one(const SessionContext& context, std::span<const Pointer*> pointers,
                              Wait wait);
  Task<bool> exist_by_pages(const SessionContext& context, std::span<const Pointer*> pointers,
                            Wait wait);
  Task<ListPage> list_page(const ListQuery& query, Wait wait);
  Task<std::vector<ListedObject>> list_objects(const std::string& prefix, Wait wait);
  Task<std::optional<FullName>> read_companion(std::string key, Wait wait);
  Task<std::optional<std::string>> resolve_session(std::string prefix, Wait wait);
  Task<void> write_companion(const SessionContext& context, const ItemId& item, Wait wait);
  Task<std::string> put_object(const Target& target, std::string_view value, bool if_absent,
                               Wait wait);
  Task<void> pause(std::chrono::milliseconds time, Wait wait);
  Task<void> remove_keys(std::span<const std::string> keys, Wait wait);

  // Uploads in parts.
  Task<std::string> put_in_parts(const Target& target, std::string_view value, bool if_absent,
                                 Wait wait);
  Task<void> require_conditional_parts(Wait wait);
  Task<std::string> begin_upload(const Target& target, Wait wait);
  Task<void> upload_parts(const Target& target, Upload& upload, std::string_view value, Wait wait);
  Task<std::string> complete_upload(const Target& target, const Upload& upload, bool if_absent,
                                    Wait wait);
  Task<void> abort_upload(const Target& target, const Upload& upload);
  Task<std::string> run_upload(const Target& target, std::string_view value, bool if_absent,
                               Wait wait);

  [[noreturn]] void throw_not_conditional(std::string_view how) const;

  Reactor& reactor_;
  const std::string name_;
  const Location location_;
  const std::size_t in_flight_max_;
  aws::OpenService aws_;
  aws::Endpoint service_endpoint_;  ///< Of the service; the bucket may be put before its host.
  bool bucket_in_host_ = false;
  std::string root_path_;               ///< "/bucket/", or "/" if the host names the bucket.
  std::string items_path_;              ///< The same and the prefix, encoded.
  bool parts_are_conditional_ = false;  ///< Found out before the first upload in parts.
  Target::Pool targets_;
  ScanAndClaim fan_in_{*this, {.shared_from = 1}};  // a check is a request
};

}  // namespace unum::s3
