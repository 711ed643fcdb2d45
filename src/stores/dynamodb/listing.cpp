// Listings, which are scans of the whole table, and the collection of what nobody owns any more.
//
// With the hash key alone there is no cheaper way: a scan reads every item of the table, and its
// filter saves only the transfer. Whoever pays for that also takes orphans away: parts of values
// whose writer died before it wrote the head, and nodes of trees whose session was removed.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "base/wall_time.hpp"
#include "stores/dynamodb/dynamodb_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::dynamodb {
namespace {

// One walk more for each so many bytes of the table, up to a bound.
constexpr std::uint64_t kBytesASegment = 32u * 1024 * 1024;
constexpr std::uint64_t kSegmentsMax = 16;
constexpr std::size_t kDeletesAtOnce = 16;
constexpr std::array<std::string_view, 1> kFailedCondition = {kConditionFailed};

}  // namespace

/// Parts and nodes met by a scan, and what they could belong to.
///
/// A scan is no snapshot: what is written meanwhile may be seen in part. So only what is old counts
/// as an orphan. A part's head is written kPartsTimeMax after it at the latest: it was there when
/// the scan began, if ever. A node is deleted only if nobody has marked it since it was seen.
class Orphans {
 public:
  explicit Orphans(std::int64_t older_than_ns) : older_than_ns_(older_than_ns) {}

  /// Takes note of an item; true if it is an item of a session and not only a part or node.
  bool see(const Item& item) {
    const std::optional<KeyParts> key = split_key(item.name);
    if (!key) return false;
    const bool node = item.marked_ns && !item.bytes;
    if (key->inner.empty() && !node) {
      sessions_.emplace(key->session);
      if (item.parts > 0) writers_.emplace(item.writer);
      return true;
    }
    if (node && *item.marked_ns < older_than_ns_) {
      nodes_.push_back({std::string(item.name), *item.marked_ns});
    } else if (!node && item.written_ns && *item.written_ns < older_than_ns_) {
      parts_.emplace_back(item.name);
    }
    return false;
  }

  struct Node {
    std::string key;
    std::int64_t marked_ns;
  };
  std::vector<Node> nodes() const {
    std::vector<Node> orphans;
    for (const Node& node : nodes_) {
      if (!sessions_.contains(std::string(split_key(node.key)->session))) orphans.push_back(node);
    }
    return orphans;
  }
  std::vector<std::string_view> parts() const {
    std::vector<std::string_view> orphans;
    for (const std::string& part : parts_) {
      const std::string_view inner = split_key(part)->inner;
      if (!writers_.contains(std::string(inner.substr(0, inner.find('.'))))) {
        orphans.push_back(part);
      }
    }
    return orphans;
  }

 private:
  const std::int64_t older_than_ns_;
  std::unordered_set<std::string> sessions_;  ///< Encoded; they have items.
  std::unordered_set<std::string> writers_;   ///< Of heads.
  std::vector<Node> nodes_;
  std::vector<std::string> parts_;
};

std::size_t DynamoDbStore::scan_segments() const noexcept {
  return std::clamp(settings_.table_bytes / kBytesASegment, std::uint64_t{1}, kSegmentsMax);
}

Task<void> DynamoDbStore::collect_orphans(const Orphans& orphans, Wait wait) {
  const std::vector<std::string_view> parts = orphans.parts();
  const std::vector<Orphans::Node> nodes = orphans.nodes();
  const auto remove = [&](std::size_t i) -> Task<void> {
    co_await table_.call(Operation::delete_item,
                         delete_node_body(table_.name(), nodes[i].key, nodes[i].marked_ns),
                         nodes[i].key, kFailedCondition, wait);
  };
  try {
    co_await table_.delete_keys(parts, wait);
    co_await for_each_bounded(nodes.size(), kDeletesAtOnce, remove);
  } catch (const Error& error) {
    // Who may only read can list all the same, and the next one who lists collects.
    const bool minor = error.kind() == ErrorKind::denied || error.kind() == ErrorKind::throttled;
    if (!minor) throw;
  }
}

Task<std::vector<ListedItem>> DynamoDbStore::list(const SessionContext& context, Wait wait) {
  const std::string prefix = session_prefix(context.session());
  Orphans orphans(unix_ns(reactor().wall_time()) -
                  std::chrono::nanoseconds(settings_.tuning.orphan_age).count());
  std::vector<ListedItem> listed;
  std::vector<std::size_t> unsized;  // written by others, who do not note how many bytes
  const ResponseParser::OnItem take = [&](Item& item) {
    if (!orphans.see(item)) return;
    std::optional<ParsedKey> key = parse_key(item.name, item.full_name);
    if (!key) return;
    if (!item.bytes) unsized.push_back(listed.size());
    listed.push_back({std::move(key->item), item.bytes.value_or(0), item.written_ns.value_or(0)});
  };
  co_await table_.scan(prefix, scan_segments(), take, wait);
  const auto measure = [&](std::size_t i) -> Task<void> {
    ListedItem& item = listed[unsized[i]];
    const std::string key = item_key(context.session(), item.id);
    const std::optional<std::string> value = co_await read_value(key, wait);
    item.bytes = value ? value->size() : 0;
  };
  co_await for_each_bounded(unsized.size(), settings_.options.in_flight_max, measure);
  co_await collect_orphans(orphans, wait);
  co_return listed;
}

Task<std::vector<std::string>> DynamoDbStore::list_sessions(Wait wait) {
  Orphans orphans(unix_ns(reactor().wall_time()) -
                  std::chrono::nanoseconds(settings_.tuning.orphan_age).count());
  std::set<std::string> sessions;
  const ResponseParser::OnItem take = [&](Item& item) {
    if (!orphans.see(item)) return;
    if (auto session = parse_session(item.name, item.full_name)) {
      sessions.insert(std::move(*session));
    }
  };
  co_await table_.scan({}, scan_segments(), take, wait);
  co_await collect_orphans(orphans, wait);
  co_return std::vector<std::string>(sessions.begin(), sessions.end());
}

}  // namespace unum::dynamodb
