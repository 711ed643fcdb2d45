// The S3 store: opening, addresses, listing and closing.
#include "stores/s3/s3_store.hpp"

#include <algorithm>
#include <chrono>
#include <exception>

#include "stores/s3/s3_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::s3 {
namespace {

// A bucket of another region is met once; a second time is left for a bucket that is being moved.
constexpr int kRedirectsMax = 2;
// Buckets, sessions and items that listings resolve at once.
constexpr std::size_t kTargetsKept = 64;

constexpr std::array<std::string_view, 7> kProbeOutcomes = {"NotImplemented",
                                                            "NoSuchBucket",
                                                            "AccessDenied",
                                                            "PermanentRedirect",
                                                            "TemporaryRedirect",
                                                            "AuthorizationHeaderMalformed",
                                                            "IllegalLocationConstraintException"};
constexpr std::array<std::string_view, 5> kHeadBucketOutcomes = {"301", "307", "400", "403", "404"};
constexpr std::array<std::string_view, 2> kBucketThere = {"BucketAlreadyOwnedByYou",
                                                          "BucketAlreadyExists"};
constexpr std::array<std::string_view, 1> kBeingMade = {"OperationAborted"};

}  // namespace

// --- Opening and making -------------------------------------------------------------------------

S3Store::S3Store(Reactor& reactor_of_store, std::string_view name, Location location,
                 aws::OpenService opened, const StoreOptions& options)
    : reactor_(reactor_of_store),
      name_(name),
      location_(std::move(location)),
      in_flight_max_(std::max<std::size_t>(1, options.in_flight_max)),
      aws_(std::move(opened)) {
  targets_.reserve(std::max(in_flight_max_, kTargetsKept));
  set_address(aws_.service->endpoint());
}

S3Store::~S3Store() = default;

/// Names the bucket in the host, as AWS wants it, unless its name does not fit there (a dot is in
/// no wildcard certificate) or somebody named an endpoint of their own.
void S3Store::set_address(const aws::Endpoint& endpoint) {
  service_endpoint_ = endpoint;
  bucket_in_host_ = !endpoint.custom && fits_host_name(location_.bucket);
  aws::Endpoint address = endpoint;
  if (bucket_in_host_) {
    const std::size_t host = address.origin.find("://") + 3;
    address.origin.insert(host, location_.bucket + ".");
    root_path_ = "/";
  } else {
    root_path_ = "/" + location_.bucket + "/";
  }
  items_path_ = root_path_;
  append_url(items_path_, location_.prefix, true);
  aws_.service->set_endpoint(std::move(address));
}

Task<aws::ServiceAnswer> S3Store::put_probe(Wait wait) {
  const std::array<std::string, 1> headers = {"if-none-match: *"};
  Target target(targets_);
  name_key(target, "PutObject", location_.prefix + std::string(kProbe));
  aws::Call call;
  call.method = http::Method::put;
  call.path = target.path();
  call.headers = headers;
  call.body = kProbeText;
  call.expected = kProbeOutcomes;
  call.expects = &is_lost_write;
  call.what = target.what();
  co_return co_await aws_.service->send(call, wait);
}

/// Writes an object on condition that it is absent. It is there if the store was ever opened: then
/// one answer shows that the bucket exists, may be written and respects the condition. Else a
/// second write must be refused.
Task<void> S3Store::examine(Wait wait) {
  int redirects = 0;
  for (bool written = false;;) {
    aws::ServiceAnswer answer = co_await put_probe(wait);
    const int status = answer.response.status;
    if (is_lost_write(status, answer.error_code, answer.response.body)) co_return;
    if (answer.error_code.empty()) {
      if (written)
        throw_not_conditional("overwrote an object that was to be created only if absent");
      written = true;
      continue;
    }
    ErrorAnswer refusal = parse_error(answer.response.body);
    if (const std::string_view id = answer.response.header("x-amz-request-id"); !id.empty())
      refusal.request_id = id;
    if (redirects++ < kRedirectsMax && follow_region(answer, refusal.region)) continue;
    throw_unusable(answer, refusal);
  }
}

/// Goes on in the region where the bucket is, if the answer names another one than was asked.
bool S3Store::follow_region(const aws::ServiceAnswer& answer, const std::string& region_in_body) {
  std::string region(answer.response.header("x-amz-bucket-region"));
  if (region.empty()) region = region_in_body;
  if (region.empty() || region == service_endpoint_.region) return false;
  set_address(aws::endpoint_in_region(service_endpoint_, region));
  return true;
}

void S3Store::throw_unusable(const aws::ServiceAnswer& answer, const ErrorAnswer& refusal) const {
  const std::string& code = answer.error_code;
  if (code == "NotImplemented") throw_not_conditional("answered \"" + refusal.message + "\"");
  if (code == "NoSuchBucket") {
    throw Error(ErrorKind::not_found, "s3", "Unum.NoSuchStore",
                "the data store s3:" + name_ + " does not exist: there is no bucket " +
                    location_.bucket + " at " + service_endpoint_.origin +
                    "; `unum store create s3:" + name_ + "` makes it");
  }
  if (code == "AccessDenied") {
    throw Error(ErrorKind::denied, "s3", code,
                "the data store s3:" + name_ + " cannot be written: " + refusal.message +
                    " (PutObject needs s3:PutObject on the bucket's objects; request " +
                    refusal.request_id + ", region " + service_endpoint_.region + " at " +
                    service_endpoint_.origin + ")");
  }
  throw Error(ErrorKind::invalid, "s3", code,
              "the bucket " + location_.bucket + " cannot be reached at " +
                  service_endpoint_.origin + " in region " + service_endpoint_.region + ": " +
                  refusal.message +
                  "; it is probably in another region, which AWS_REGION should name");
}

void S3Store::throw_not_conditional(std::string_view how) const {
  throw Error(
      ErrorKind::invalid, "s3", "Unum.NoConditionalWrites",
      "the bucket " + location_.bucket + " at " + service_endpoint_.origin +
          " cannot write on condition (If-None-Match: *): it " + std::string(how) +
          ". A step that runs twice could then overwrite its result after others went on "
          "from the first one, and a fan-in could be invoked by several; use a service that "
          "supports conditional writes, or a store of another type");
}

Task<std::unique_ptr<Store>> open_s3_store(Reactor& reactor, std::string_view given,
                                           const StoreOptions& given_options, Wait wait) {
  const std::string name(given);
  const StoreOptions options = given_options;
  Location location = parse_location(name);
  wait.deadline = aws::opening_deadline(reactor, options, wait);
  aws::ServiceOptions service_options = aws::service_options(options, "s3:" + name);
  aws::OpenService opened = co_await aws::open_service(reactor, "s3", aws::Protocol::rest_xml,
                                                       std::move(service_options), wait);
  auto store =
      std::make_unique<S3Store>(reactor, name, std::move(location), std::move(opened), options);
  std::exception_ptr error;
  try {
    co_await store->examine(wait);
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    co_await store->close();
    std::rethrow_exception(error);
  }
  store->opened();
  co_return std::unique_ptr<Store>(std::move(store));
}

namespace {

Task<bool> make_bucket(aws::ServiceClient& service, const std::string& bucket, Wait wait) {
  const std::string path = "/" + bucket;
  const std::string what = "CreateBucket " + bucket;
  aws::Call call;
  call.path = path;
  call.what = what;
  call.method = http::Method::head;
  call.expected = kHeadBucketOutcomes;
  const aws::ServiceAnswer there = co_await service.send(call, wait);
  // Also one of another region, which opening finds. Without a region, a refusal says nothing of
  // the bucket (400: of the token, perhaps): the answer to the next request has a reason with it.
  if (there.error_code.empty()) co_return false;
  const bool of_a_region = !there.response.header("x-amz-bucket-region").empty();
  if (of_a_region && there.error_code != "404" && there.error_code != "403") co_return false;
  std::string body;
  // Amazon's first region is named by no constraint; others of one endpoint take theirs or none.
  const std::string& region = service.endpoint().region;
  if (region != "us-east-1" && !service.endpoint().custom) {
    body =
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<LocationConstraint>" +
        region + "</LocationConstraint></CreateBucketConfiguration>";
  }
  call.method = http::Method::put;
  call.body = body;
  call.expected = kBucketThere;
  call.retried = kBeingMade;
  const aws::ServiceAnswer made = co_await service.send(call, wait);
  if (made.error_code == "BucketAlreadyExists") {
    throw Error(ErrorKind::denied, "s3", made.error_code,
                "the bucket " + bucket +
                    " belongs to somebody else: names of buckets are unique among all accounts; "
                    "choose another name");
  }
  co_return made.error_code.empty();
}

}  // namespace

Task<bool> create_s3_store(Reactor& reactor, std::string_view given, Wait wait) {
  const Location location = parse_location(given);
  StoreOptions options;
  options.in_flight_max = 1;
  wait.deadline = aws::opening_deadline(reactor, options, wait);
  aws::ServiceOptions service_options = aws::service_options(options, "s3:" + std::string(given));
  aws::OpenService opened = co_await aws::open_service(reactor, "s3", aws::Protocol::rest_xml,
                                                       std::move(service_options), wait);
  std::exception_ptr error;
  bool made = false;
  try {
    made = co_await make_bucket(*opened.service, location.bucket, wait);
  } catch (...) {
    error = std::current_exception();
  }
  co_await opened.close();
  if (error) std::rethrow_exception(error);
  co_return made;
}

Task<void> S3Store::close() { return aws_.close(); }

StoreCounters S3Store::counters() const noexcept {
  StoreCounters counters;
  counters.requests = aws_.service->counters().requests;
  counters.connections = aws_.http->counters().connections;
  return counters;
}

// --- Addresses ----------------------------------------------------------------------------------

void S3Store::name_item(Target& target, std::string_view operation, std::string_view session,
                        std::string_view item, ItemKind kind) const {
  std::string& text = target.text();
  text.assign(operation) += ' ';
  if (bucket_in_host_) text += location_.bucket;
  target.begin_path();
  text += items_path_;
  append_session_url(text, session);
  text += '/';
  append_item_url(text, item, kind);
}

void S3Store::name_key(Target& target, std::string_view operation, std::string_view key) const {
  std::string& text = target.text();
  text.assign(operation) += ' ';
  if (bucket_in_host_) text += location_.bucket;
  target.begin_path();
  text += root_path_;
  append_url(text, key, true);
}

void S3Store::name_bucket(Target& target, std::string_view operation) const {
  name_key(target, operation, {});
  if (!bucket_in_host_) target.text().pop_back();  // "/bucket", as the SDKs write it
}

std::string S3Store::session_prefix(std::string_view session) const {
  std::string prefix = location_.prefix;
  append_session(prefix, session);
  prefix += '/';
  return prefix;
}

std::string S3Store::key_of(std::string_view session, const ItemId& item) const {
  std::string key = session_prefix(session);
  append_item(key, item.name, item.kind);
  return key;
}

// --- Listing ------------------------------------------------------------------------------------

Task<ListPage> S3Store::list_page(const ListQuery& asked, Wait wait) {
  Target target(targets_);
  name_bucket(target, "ListObjectsV2");
  std::string query;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!query.empty()) query += '&';
    query.append(name) += '=';
    append_url(query, value, false);
  };
  // Sorted by name, as the signature wants them.
  if (!asked.continuation.empty()) add("continuation-token", asked.continuation);
  if (asked.by_session) add("delimiter", "/");
  add("encoding-type", "url");
  add("list-type", "2");
  add("max-keys", std::to_string(asked.keys_max));
  add("prefix", asked.prefix);
  if (asked.continuation.empty() && !asked.start_after.empty()) {
    add("start-after", asked.start_after);
  }
  aws::Call call;
  call.path = target.path();
  call.query = query;
  call.may_hedge = true;
  call.what = target.what();
  aws::ServiceAnswer answer = co_await aws_.service->send(call, wait);
  ListPage page = parse_list_page(answer.response.body);
  const auto belongs = [&](const std::string& key) { return key.starts_with(asked.prefix); };
  if (!std::all_of(page.prefixes.begin(), page.prefixes.end(), belongs) ||
      !std::all_of(page.objects.begin(), page.objects.end(),
                   [&](const ListedObject& object) { return belongs(object.key); })) {
    throw Error(ErrorKind::corrupt, "s3", "Unum.BadAnswer",
                std::string(target.what()) + ": the listing of " + asked.prefix +
                    " holds keys that do not begin so");
  }
  co_return page;
}

Task<std::vector<ListedObject>> S3Store::list_objects(const std::string& prefix, Wait wait) {
  ListQuery query;
  query.prefix = prefix;
  std::vector<ListedObject> objects;
  do {
    ListPage page = co_await list_page(query, wait);
    std::move(page.objects.begin(), page.objects.end(), std::back_inserter(objects));
    query.continuation = std::move(page.continuation);
  } while (!query.continuation.empty());
  co_return objects;
}

Task<std::optional<FullName>> S3Store::read_companion(std::string key, Wait wait) {
  Target target(targets_);
  key += kCompanionSuffix;
  name_key(target, "GetObject", key);
  const std::optional<std::string> text = co_await read(target, wait);
  co_return text ? parse_companion(*text) : std::nullopt;
}

Task<std::vector<ListedItem>> S3Store::list(const SessionContext& context, Wait wait) {
  const std::string prefix = session_prefix(context.session());
  std::vector<ListedObject> objects = co_await list_objects(prefix, wait);
  std::vector<ListedItem> items;
  std::vector<const ListedObject*> shortened;
  for (const ListedObject& object : objects) {
    const std::string_view component = std::string_view(object.key).substr(prefix.size());
    if (shortened_kind(component)) {
      shortened.push_back(&object);
    } else if (std::optional<ItemId> id = decode_item(component)) {
      items.push_back({std::move(*id), object.bytes, object.modified_unix_ns});
    }
  }
  const auto name_one = [&](std::size_t i) -> Task<void> {
    const ListedObject& object = *shortened[i];
    std::optional<FullName> full = co_await read_companion(object.key, wait);
    if (!full) co_return;  // removed meanwhile
    ItemId id{std::move(full->name),
              *shortened_kind(std::string_view(object.key).substr(prefix.size()))};
    if (key_of(context.session(), id) != object.key) co_return;
    items.push_back({std::move(id), object.bytes, object.modified_unix_ns});
  };
  co_await for_each_bounded(shortened.size(), in_flight_max_, name_one);
  co_return items;
}

/// The id of a session whose prefix is shortened, out of a companion of any of its items.
Task<std::optional<std::string>> S3Store::resolve_session(std::string prefix, Wait wait) {
  ListQuery query;
  query.prefix = prefix;
  do {
    const ListPage page = co_await list_page(query, wait);
    for (const ListedObject& object : page.objects) {
      const std::string_view component = std::string_view(object.key).substr(prefix.size());
      if (!shortened_kind(component) && !decode_item(component)) continue;
      std::optional<FullName> full = co_await read_companion(object.key, wait);
      if (full && session_prefix(full->session) == prefix) co_return std::move(full->session);
    }
    query.continuation = page.continuation;
  } while (!query.continuation.empty());
  co_return std::nullopt;
}

Task<std::vector<std::string>> S3Store::list_sessions(Wait wait) {
  ListQuery query;
  query.prefix = location_.prefix;
  query.by_session = true;
  std::vector<std::string> ids;
  std::vector<std::string> shortened;
  do {
    ListPage page = co_await list_page(query, wait);
    for (std::string& prefix : page.prefixes) {
      std::string_view component = std::string_view(prefix).substr(location_.prefix.size());
      if (component.ends_with('/')) component.remove_suffix(1);
      if (is_shortened(component)) {
        shortened.push_back(std::move(prefix));
      } else if (std::optional<std::string> id = decode_session(component)) {
        ids.push_back(std::move(*id));
      }
    }
    query.continuation = std::move(page.continuation);
  } while (!query.continuation.empty());
  const auto resolve = [&](std::size_t i) -> Task<void> {
    std::optional<std::string> id = co_await resolve_session(shortened[i], wait);
    if (id) ids.push_back(std::move(*id));
  };
  co_await for_each_bounded(shortened.size(), in_flight_max_, resolve);
  co_return ids;
}

}  // namespace unum::s3
