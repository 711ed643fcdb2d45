// Opening: is there a server, can it be written, will it keep what is written?
#include <algorithm>

#include "base/limits.hpp"
#include "reactor/redis/address.hpp"
#include "stores/redis/keys.hpp"
#include "stores/redis/redis_store.hpp"
#include "stores/redis/redis_store_impl.hpp"
#include "stores/redis/scripts.hpp"
#include "stores/time_to_live.hpp"
#include "unum/task_group.hpp"

namespace unum::redis {
namespace {

// Scripts that replicate what they changed, ZADD within one that asked for the time, UNLINK.
constexpr int kOldestMajor = 5;
// Chunks of a read of many under way at once, whatever the options say: more wait in the server.
constexpr std::size_t kChunksInFlightMax = 16;
// A session that no workflow has: only its keys' names are looked at.
constexpr std::string_view kProbeSession = "unum-probe";
constexpr const char* kTimeToLive = "UNUM_REDIS_TTL_SECONDS";

ClientOptions client_options(const StoreOptions& options, std::string_view name) {
  ClientOptions chosen;
  chosen.request_timeout = options.request_timeout;
  chosen.patience = options.patience;
  if (options.waiting) {
    chosen.waiting = [tell = options.waiting, name = without_secret(name)](std::string_view why) {
      tell("redis:" + name + ": " + std::string(why));
    };
  }
  chosen.read_replicas = options.read_consistency == ReadConsistency::eventual;
  return chosen;
}

std::vector<Address> addresses_of(std::string_view name) {
  std::vector<Address> addresses = parse_addresses(name);
  for (Address& address : addresses) add_environment(address);
  return addresses;
}

/// What would be right, as far as the error tells.
std::string_view advice(const Error& error, bool tls) {
  const std::string& code = error.code();
  if (code == "NOAUTH" || code == "WRONGPASS") {
    return "; UNUM_REDIS_USERNAME and UNUM_REDIS_PASSWORD give user and password, or "
           "redis://USER:PASSWORD@HOST does";
  }
  if (code == "Unum.TlsNotTrusted") {
    return "; it must be for this host and from a CA that the system or the file of UNUM_REDIS_CA "
           "(or ?ca=FILE) vouches for";
  }
  if (error.kind() != ErrorKind::disconnected) return "";
  // Something listens there and hangs up at what it was told.
  const bool was_cut = code == "Unum.Disconnected";
  return was_cut && !tls ? "; start the server or correct the name (rediss://HOST if it speaks TLS)"
                         : "; start the server or correct the name";
}

}  // namespace

RedisStore::RedisStore(Reactor& reactor, std::string_view name, std::vector<Address> addresses,
                       const StoreOptions& options, Expiry expiry)
    : reactor_(reactor),
      name_(without_secret(name)),
      client_(reactor, std::move(addresses), client_options(options, name)),
      chunks_in_flight_(std::clamp<std::size_t>(options.in_flight_max, 1, kChunksInFlightMax)),
      eventual_(options.read_consistency == ReadConsistency::eventual),
      expiry_(expiry),
      commit_{commit_script(expiry)},
      put_{put_script(expiry)},
      part_{part_script()},
      remove_{remove_script(expiry)},
      collect_{collect_script(expiry)},
      list_{list_script()},
      writer_(create_session_context(*this).session()) {}

Task<void> RedisStore::open(const StoreOptions& options, Wait wait) {
  const std::string store = "the data store redis:" + name_;
  std::string save;
  try {
    co_await client_.open(wait);
    // Nothing that follows has values: what is long comes from no server of ours.
    client_.expect_values(false);
    if (client_.info("role") == "slave" && !client_.cluster()) {
      throw Error(ErrorKind::denied, "redis", "READONLY",
                  "it is a read-only replica of " + std::string(client_.info("master_host")) + ":" +
                      std::string(client_.info("master_port")) + "; name the primary");
    }
    const std::string version(client_.info("redis_version"));
    if (!version.empty() && std::atoi(version.c_str()) < kOldestMajor) {
      throw Error(ErrorKind::invalid, "redis", "Unum.RedisVersion",
                  "its version is " + version + "; 5.0 or newer is needed");
    }
    co_await load_scripts(wait);
    co_await check_writable(wait);
    save = co_await save_schedule(wait);
  } catch (const Error& error) {
    const bool absent = error.kind() == ErrorKind::disconnected;
    throw Error(absent ? ErrorKind::not_found : error.kind(), "redis",
                absent ? "Unum.NoSuchStore" : error.code(),
                store +
                    (absent ? " does not exist or cannot be reached: " : " cannot be opened: ") +
                    error.message() + std::string(advice(error, client_.address().tls)));
  }
  client_.expect_values(true);
  warn(options, save);
}

Task<void> RedisStore::load_scripts(Wait wait) {
  const std::array<Script*, 6> scripts{&commit_, &put_, &part_, &remove_, &collect_, &list_};
  const auto load = [&](std::size_t i) { return client_.load(*scripts[i], wait); };
  co_await for_each_bounded(scripts.size(), scripts.size(), load);
}

/// Removes nothing from a session that does not exist, and does in one script what long values
/// need: all permissions are seen, and no trace is left.
Task<void> RedisStore::check_writable(Wait wait) {
  const std::string index = index_key(kProbeSession);
  const std::array<std::string, 2> others{index + ":-under-way", index + ":probe-output"};
  const std::array<std::string_view, 3> keys{index, others[0], others[1]};
  const std::array<std::string_view, 2> values{index, "probe-output"};
  const std::string parts = parts_key(index, writer_, 0);
  const std::string script = check_parts_script();
  const std::array<std::string_view, 4> long_values{"EVAL", script, "1", parts};
  const auto check = [&](std::size_t i) -> Task<void> {
    if (i == 0) {
      co_await client_.run(remove_, keys, values, wait);
    } else {
      co_await client_.call(parts, long_values, wait);
    }
  };
  co_await for_each_bounded(2, 2, check);
}

/// When the server saves snapshots; "?" where it does not tell (CONFIG is often forbidden).
Task<std::string> RedisStore::save_schedule(Wait wait) {
  static constexpr std::array<std::string_view, 3> kCommand{"CONFIG", "GET", "save"};
  try {
    const Reply reply = co_await client_.call({}, kCommand, wait);
    if (reply.elements.size() == 2) co_return reply.elements[1].text;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::denied && error.kind() != ErrorKind::bug) throw;
  }
  co_return "?";
}

void RedisStore::warn(const StoreOptions& options, std::string_view save) const {
  if (!options.warn) return;
  std::string lost;
  const std::string policy(client_.info("maxmemory_policy"));
  if (!policy.empty() && policy != "noeviction") {
    lost += "it may evict keys when its memory is full (maxmemory-policy " + policy +
            "): checkpoints and claims would vanish while workflows run, and steps would run twice "
            "or wait for ever; set maxmemory-policy noeviction";
  }
  if (client_.info("aof_enabled") == "0" && save.empty()) {
    if (!lost.empty()) lost += "; and ";
    lost +=
        "it does not persist (appendonly no, save \"\"): all sessions and results are lost "
        "when it restarts; set appendonly yes";
  }
  if (!lost.empty()) options.warn("redis:" + name_ + ": " + lost);
  if (expiry_) options.warn(time_to_live_warning("redis:" + name_, *expiry_, kTimeToLive));
}

Task<std::unique_ptr<Store>> open_redis_store(Reactor& reactor, std::string_view name,
                                              const StoreOptions& options, Wait wait) {
  auto store = std::make_unique<RedisStore>(reactor, name, addresses_of(name), options,
                                            time_to_live(kTimeToLive));
  co_await store->open(options, wait);
  co_return std::unique_ptr<Store>(std::move(store));
}

Task<bool> create_redis_store(Reactor& reactor, std::string_view name, Wait wait) {
  const std::string text(name);
  const StoreOptions options;
  const std::unique_ptr<Store> store = co_await open_redis_store(reactor, text, options, wait);
  co_await store->close();
  co_return false;
}

}  // namespace unum::redis
