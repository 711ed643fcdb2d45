// What the Redis store costs: processor time of a value read beside raw pipelined GETs through
// hiredis, of single commands beside hiredis' asynchronous API, of long values beside a plain SET
// and GET; values a second beside redis-benchmark; round trips of a fan-in's branch.
//
// UNUM_TEST_REDIS names a server (host:port); without it there is nothing to measure (exit code
// 77).
#include <hiredis/hiredis.h>

#include <array>
#include <cstdio>
#include <memory>

#include "ratio.hpp"
#include "raw_hiredis.hpp"
#include "reactor/redis/client.hpp"
#include "stores/redis/scripts.hpp"
#include "unum/store.hpp"
#include "unum/task_group.hpp"

namespace {

using namespace unum;
using namespace unum::bench;

constexpr std::size_t kValueBytes = 1024;
constexpr std::size_t kReadsAtOnce = 4;

void must(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::exit(1);
}

const char* server() { return std::getenv("UNUM_TEST_REDIS"); }
std::string host() {
  const std::string text = server();
  return text.substr(0, text.rfind(':'));
}
std::string port() {
  const std::string text = server();
  return text.substr(text.rfind(':') + 1);
}

struct Setup {
  Reactor reactor;
  std::unique_ptr<Store> store;
  std::string value = std::string(kValueBytes, 'v');
  std::size_t count = size(1'000, 20);
  std::vector<Pointer> pointers;
  std::vector<std::string> keys;
  SessionContext context;
  redisContext* raw = nullptr;

  static Setup& get() {
    static Setup setup;
    return setup;
  }
  /// Not by the destructor, which runs when this thread's pool of coroutine frames is gone.
  void end() {
    std::vector<ItemId> items;
    for (const ListedItem& item : reactor.run(store->list(context))) items.push_back(item.id);
    reactor.run(store->remove(context, items));
    reactor.run(store->close());
    ::redisFree(raw);
  }

  void read_all() {
    const std::vector<std::string> values = reactor.run(read_input(*store, context, pointers));
    must(values.back().size() == kValueBytes, "read_input");
  }
  /// As several aggregators of one process do, so that the server need not wait for us; the other
  /// side has 50 connections.
  void read_all_at_once(std::size_t rounds) {
    const auto one = [&](std::size_t) -> Task<void> {
      const std::vector<std::string> values = co_await read_input(*store, context, pointers);
      must(values.back().size() == kValueBytes, "read_input");
    };
    const auto all = [&]() -> Task<void> { co_await for_each_bounded(rounds, kReadsAtOnce, one); };
    reactor.run(all());
  }
  void get_all() {
    for (const std::string& key : keys)
      must(::redisAppendCommand(raw, "GET %b", key.data(), key.size()) == REDIS_OK, "append");
    for (std::size_t i = 0; i < keys.size(); ++i) {
      void* reply = nullptr;
      must(::redisGetReply(raw, &reply) == REDIS_OK, "reply");
      must(static_cast<redisReply*>(reply)->len == kValueBytes, "GET");
      ::freeReplyObject(reply);
    }
  }

 private:
  Setup()
      : store(reactor.run(open_store(reactor, "redis", server()))),
        context(create_session_context(*store)) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = "Count-unumIndex-" + std::to_string(i);
      pointers.push_back(pointer(context, name));
      keys.push_back("unum:{" + context.session() + "}:" + name + "-output");
    }
    const auto one = [&](std::size_t i) -> Task<void> {
      const SessionContext at = context.bound_to(pointers[i].name());
      co_await write_return_value(*store, at, value);
    };
    const auto all = [&]() -> Task<void> { co_await for_each_bounded(count, count, one); };
    reactor.run(all());
    raw = ::redisConnect(host().c_str(), std::stoi(port()));
    must(raw != nullptr && raw->err == 0, "redisConnect");
  }
};

/// One command again and again: by the client, and by hiredis alone.
struct SingleCommands {
  static constexpr std::size_t kAtOnce = 500;

  Setup& setup = Setup::get();
  redis::Client client{setup.reactor, redis::parse_address(server())};
  RawHiredis raw{setup.reactor, host(), std::stoi(port())};
  redis::Script commit{redis::commit_script({})};
  std::string index = "unum:{" + setup.context.session() + "}";
  std::string key = index + ":Single-output";
  std::string under_way = index + ":-under-way";
  std::string short_value = std::string(100, 'v');
  std::vector<std::string_view> get{"GET", key};
  std::vector<std::string_view> set{"SET", key, setup.value};
  std::vector<std::string_view> set_short{"SET", key, short_value};
  std::vector<std::string_view> run_commit;

  static SingleCommands& get_all() {
    static SingleCommands commands;
    return commands;
  }
  SingleCommands() {
    setup.reactor.run(client.load(commit));
    run_commit = {"EVALSHA",   commit.sha,      "3", key, index, under_way, "commit",
                  setup.value, "Single-output", "0"};
  }
  void run(const std::vector<std::string_view>& command, std::size_t count, std::size_t at_once) {
    const auto one = [&](std::size_t) -> Task<void> { co_await client.call(key, command); };
    const auto all = [&]() -> Task<void> { co_await for_each_bounded(count, at_once, one); };
    setup.reactor.run(all());
  }
};

void register_single_commands() {
  auto& c = SingleCommands::get_all();
  const auto beside = [&c](const std::string& name, const std::vector<std::string_view>& command,
                           const std::vector<std::string_view>& before) {
    for (const std::size_t at_once : {SingleCommands::kAtOnce, std::size_t{1}}) {
      const std::size_t count = at_once == 1 ? size(4'000, 10) : size(40'000, 50);
      compare(
          name + (at_once == 1 ? ", one at a time, processor" : ", pipelined, processor"),
          "hiredis' asynchronous API", 1.3, count, 15,
          [&c, &command, count, at_once] { c.run(command, count, at_once); },
          [&c, &command, count, at_once] { c.raw.run(command, count, at_once); },
          [&c, &before] { c.run(before, 1, 1); }, cpu_seconds_of);
    }
  };
  beside("GET of 100 bytes", c.get, c.set_short);
  beside("GET of 1 KB", c.get, c.set);
  beside("SET of 100 bytes", c.set_short, c.set_short);
  beside("SET of 1 KB", c.set, c.set);
  beside("commit script, 1 KB", c.run_commit, c.set);
}

/// Through the store, and by one blocking SET and one blocking GET.
void register_long_values() {
  Setup& s = Setup::get();
  for (const std::size_t megabytes : {std::size_t{1}, size(64, 2), size(256, 2)}) {
    const std::string name = std::to_string(megabytes) + " MB";
    const auto value = std::make_shared<std::string>(megabytes << 20, 'v');
    const std::string item = "Long" + std::to_string(megabytes);
    const ItemId id{item, ItemKind::outcome};
    const std::string key = "unum:{" + s.context.session() + "}:" + item + "-output";
    const auto remove = [&s, id] { s.reactor.run(s.store->remove(s.context, std::span(&id, 1))); };
    const auto write = [&s, id, value] { s.reactor.run(s.store->create(s.context, id, *value)); };
    const auto set = [&s, key, value] {
      ::freeReplyObject(
          ::redisCommand(s.raw, "SET %b %b", key.data(), key.size(), value->data(), value->size()));
    };
    const auto read = [&s, id, value] {
      must(s.reactor.run(s.store->get(s.context, id))->size() == value->size(), "get");
    };
    const auto get = [&s, key] {
      ::freeReplyObject(::redisCommand(s.raw, "GET %b", key.data(), key.size()));
    };
    const std::size_t turns = megabytes == 1 ? 101 : 5;
    compare("write of " + name + ", processor", "blocking SET", kNoGoal, 1, turns, write, set,
            remove, cpu_seconds_of);
    compare("read of " + name + ", processor", "blocking GET", kNoGoal, 1, turns, read, get, set,
            cpu_seconds_of);
  }
}

class Numbered final : public FanInSet {
 public:
  explicit Numbered(std::size_t size) : size_(size) {}
  std::size_t size() const noexcept override { return size_; }
  std::string name(std::size_t place) const override {
    return "B-unumIndex-" + std::to_string(place);
  }
  std::string digest() const override { return "B" + std::to_string(size_); }
  std::string summary() const override { return "B-unumIndex-*"; }
  std::string to_json() const override { return "{}"; }
  std::optional<std::size_t> place_of(std::string_view) const override { return std::nullopt; }

 private:
  std::size_t size_;
};

/// Round trips of all branches of a fan-in, one after the other, for each branch.
double requests_a_branch(std::size_t width) {
  Setup& s = Setup::get();
  const Numbered names(width);
  const SessionContext at = create_session_context(*s.store);
  const std::uint64_t before = s.store->counters().requests;
  const auto body = [&]() -> Task<void> {
    for (std::size_t i = 0; i < width; ++i) {
      const FanIn fan_in{"Sink", &names, i, FanInRole::contributor};
      co_await s.store->commit(at.bound_to(names.name(i)), "1", std::span(&fan_in, 1));
    }
  };
  s.reactor.run(body());
  const auto requests = static_cast<double>(s.store->counters().requests - before);
  std::vector<ItemId> items;
  for (const ListedItem& item : s.reactor.run(s.store->list(at))) items.push_back(item.id);
  s.reactor.run(s.store->remove(at, items));
  return requests / static_cast<double>(width);
}

/// What redis-benchmark says: requests a second of its GETs of 1 KB, 64 in a pipeline.
double benchmark_rate() {
  const std::string command = "redis-benchmark -h " + host() + " -p " + port() +
                              " -P 64 -t set,get -d 1024 --csv -n " +
                              std::to_string(size(400'000, 2'000)) + " 2>/dev/null";
  FILE* const pipe = ::popen(command.c_str(), "r");
  must(pipe != nullptr, "redis-benchmark");
  double rate = 0;
  std::array<char, 512> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr)
    std::sscanf(line.data(), "\"GET\",\"%lf\"", &rate);
  must(::pclose(pipe) == 0 && rate > 0, "redis-benchmark");
  ::freeReplyObject(::redisCommand(Setup::get().raw, "DEL key:__rand_int__"));
  return rate;
}

void register_all() {
  Setup& s = Setup::get();
  const std::size_t rounds = size(100, 1);
  const auto repeat = [rounds](auto run) {
    return [rounds, run] {
      for (std::size_t i = 0; i < rounds; ++i) run();
    };
  };
  compare("read_input of 1,000 x 1 KB, processor", "raw pipelined GET", 0.8, s.count * rounds, 21,
          repeat([&s] { s.read_all(); }), repeat([&s] { s.get_all(); }), {}, cpu_seconds_of);
  register_single_commands();
  register_long_values();
  const auto rate = [&s, rounds](benchmark::State& state) {
    for ([[maybe_unused]] auto once : state) {
      Result result{"read_input of 1,000 x 1 KB", "redis-benchmark -P 64", 1e300, 1e300, 0, 1.0};
      std::vector<double> ratios;
      for (std::size_t turn = 0; turn < size(5, 1); ++turn) {
        const double ours = seconds_of([&s, rounds] { s.read_all_at_once(rounds); }) * 1e9 /
                            static_cast<double>(rounds * s.count);
        const double other = 1e9 / benchmark_rate();
        result.ours_ns = std::min(result.ours_ns, ours);
        result.other_ns = std::min(result.other_ns, other);
        ratios.push_back(ours / other);
      }
      result.ratio = median(ratios);
      results().push_back(result);
    }
  };
  benchmark::RegisterBenchmark("rate", rate)->Iterations(1)->Unit(benchmark::kMillisecond);
  for (const std::size_t width : {std::size_t{1}, std::size_t{10}, size(1'000, 20)}) {
    const std::string name = "requests a branch, of " + std::to_string(width);
    const auto count = [name, width](benchmark::State& state) {
      for ([[maybe_unused]] auto once : state) {
        const double each = requests_a_branch(width);
        state.counters["requests"] = each;
        results().push_back({name, "one (a count, not ns)", each, 1, each, 1.0});
      }
    };
    benchmark::RegisterBenchmark(name.c_str(), count)->Iterations(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (server() == nullptr) {
    std::printf("UNUM_TEST_REDIS names no server\n");
    return 77;
  }
  const int code = run_all(argc, argv, &register_all);
  if (code == 0) Setup::get().end();
  return code;
}
