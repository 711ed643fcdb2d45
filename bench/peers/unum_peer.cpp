// unum's side of the comparison with other SDKs: the same objects or keys through its stores.
//
// Usage: unum-peer OPERATION CONTAINER SESSION COUNT IN_FLIGHT ROUNDS
// where OPERATION is one of s3-get, s3-head, dynamodb-batch, dynamodb-fill. Prints
// {"cpu_us", "wall_us"} a request, as the other peers do. `dynamodb-fill` writes the values that
// the peers read.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "unum/error.hpp"
#include "unum/store.hpp"
#include "unum/task_group.hpp"

using namespace unum;

namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::vector<Pointer> pointers_of(const SessionContext& context, std::size_t count) {
  std::vector<Pointer> pointers;
  for (std::size_t i = 0; i < count; ++i) {
    pointers.push_back(pointer(context, "F-unumIndex-" + std::to_string(i)));
  }
  return pointers;
}

Task<void> fill(Store& store, const SessionContext& context, const std::vector<Pointer>& all) {
  const std::string value = "\"" + std::string(1022, 'x') + "\"";
  const auto write = [&](std::size_t i) -> Task<void> {
    co_await write_return_value(store, context.bound_to(all[i].name()), value);
  };
  co_await for_each_bounded(all.size(), 64, write);
}

/// By HEAD, value by value: of all at once the store would ask by listing, in one request.
Task<void> check(Store& store, const SessionContext& context, const std::vector<Pointer>& all,
                 std::size_t in_flight) {
  const auto one = [&](std::size_t i) -> Task<void> {
    const bool there = co_await check_value_exist(store, context, all[i]);
    if (!there) throw Error(ErrorKind::not_found, "peer", "Unum.Missing", all[i].name());
  };
  co_await for_each_bounded(all.size(), in_flight, one);
}

int compare(Reactor& reactor, Store& store, const SessionContext& context,
            const std::vector<Pointer>& all, std::string_view operation, std::size_t in_flight,
            std::size_t rounds) {
  const auto once = [&] {
    if (operation == "s3-head") {
      reactor.run(check(store, context, all, in_flight));
    } else {
      reactor.run(read_input(store, context, all));
    }
  };
  once();
  const StoreCounters before = store.counters();
  const double cpu = cpu_seconds();
  const auto wall = std::chrono::steady_clock::now();
  for (std::size_t round = 0; round < rounds; ++round) once();
  const double cpu_used = cpu_seconds() - cpu;
  const std::chrono::duration<double> wall_used = std::chrono::steady_clock::now() - wall;
  const auto requests = static_cast<double>(store.counters().requests - before.requests);
  std::printf("{\"cpu_us\": %.3f, \"wall_us\": %.3f, \"requests\": %.0f}\n",
              cpu_used * 1e6 / requests, wall_used.count() * 1e6 / requests, requests);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return std::fprintf(stderr, "usage: see the head of unum_peer.cpp\n"), 2;
  const std::string_view operation = argv[1];
  try {
    Reactor reactor;
    StoreOptions options;
    options.in_flight_max = std::strtoul(argv[5], nullptr, 10);
    const std::string_view type = operation.substr(0, operation.find('-'));
    const auto store = reactor.run(open_store(reactor, type, argv[2], options));
    const SessionContext context = session_context(argv[3]);
    const std::vector<Pointer> all = pointers_of(context, std::strtoul(argv[4], nullptr, 10));
    int code = 0;
    if (operation.ends_with("fill")) {
      reactor.run(fill(*store, context, all));
    } else {
      code = compare(reactor, *store, context, all, operation, options.in_flight_max,
                     std::strtoul(argv[6], nullptr, 10));
    }
    reactor.run(store->close());
    return code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "unum-peer: %s\n", error.what());
    return 1;
  }
}
