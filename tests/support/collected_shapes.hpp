// Workflows of every shape that collection meets, and what is left of their sessions.
#pragma once

#include <algorithm>
#include <set>
#include <string>

#include "unit/hosts/workflow_testing.hpp"

namespace unum::test {

inline LocalHostTuning collecting() {
  LocalHostTuning options;
  options.runtime.collects_garbage = true;
  return options;
}

/// All that the session holds, but for what stands beside its results: "F-output ~".
inline std::set<std::string> left_in(Reactor& reactor, Store& store,
                                     const std::string& session = "s") {
  const SessionContext context = session_context(session);
  std::set<std::string> left;
  for (const ListedItem& item : reactor.run(store.list(context))) {
    if (item.id.kind == ItemKind::garbage) continue;
    const std::string value = *reactor.run(store.get(context, item.id));
    left.insert(item_name(item.id.name, item.id.kind) + " " + value);
  }
  return left;
}

/// The instances whose outcomes are not collected, with what stands beside them.
inline std::set<std::string> uncollected(Reactor& reactor, Store& store,
                                         const std::string& session = "s") {
  const SessionContext context = session_context(session);
  std::set<std::string> names;
  for (const ListedItem& item : reactor.run(store.list(context))) {
    if (item.id.kind == ItemKind::outcome) {
      const auto value = reactor.run(store.get(context, item.id));
      if (*value != kTombstone) names.insert(item.id.name);
    } else if (item.id.kind != ItemKind::input) {
      names.insert(item_name(item.id.name, item.id.kind));
    }
  }
  return names;
}

/// Tells of the bytes that the session holds each time something is stored.
struct MeasuringStore final : ForwardingStore {
  using ForwardingStore::ForwardingStore;
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    CommitResult result = co_await inner().commit(context, value, fan_ins, wait);
    std::uint64_t bytes = 0;
    const std::vector<ListedItem> items = co_await inner().list(context, wait);
    for (const ListedItem& item : items) bytes += item.bytes;
    peak = std::max(peak, bytes);
    co_return result;
  }
  std::uint64_t peak = 0;
};

struct Shape {
  const char* name;
  NativeApp app;
  std::string input;
  std::string result;
  std::set<std::string> finals;
};

inline Shape chain() {
  Shape shape{"a chain", {}, "1", "1", {"C"}};
  shape.app.add(scalar("A", "B", R"("Start": true, )"));
  shape.app.add(scalar("B", "C"));
  shape.app.add(terminal("C"));
  return shape;
}

inline Shape chain_without_checkpoints() {
  Shape shape{"a chain whose middle is not checkpointed", {}, "1", "1", {"D"}};
  shape.app.add(scalar("A", "B", R"("Start": true, )"));
  shape.app.add(scalar("B", "C", R"("Checkpoint": false, )"));
  shape.app.add(scalar("C", "D", R"("Checkpoint": false, )"));
  shape.app.add(terminal("D"));
  return shape;
}

inline Shape map_then_fan_in() {
  return {"a map and its fan-in", map_and_fan_in(), "[1,2,3]", "[1,2,3]", {"A"}};
}

inline Shape maps_behind_each_other() {
  return {"two maps behind each other", two_fan_ins(), "[1,2]", "[1,2]", {"B"}};
}

inline Shape chains_in_a_map() {
  Shape shape{"chains in a map", {}, "[1,2,3]", "[1,2,3]", {"A"}};
  shape.app.add(map_to("M", "F", R"("Start": true, )"));
  shape.app.add(scalar("F", "G"));
  shape.app.add(fan_in("G", "A", R"("G-unumIndex-*")", kPop));
  shape.app.add(terminal("A"));
  return shape;
}

inline Shape map_that_ends() {
  Shape shape{"a map without a fan-in",
              {},
              "[1,2]",
              R"({"F-unumIndex-0":1,"F-unumIndex-1":2})",
              {"F-unumIndex-0", "F-unumIndex-1"}};
  shape.app.add(map_to("M", "F", R"("Start": true, )"));
  shape.app.add(terminal("F"));
  return shape;
}

inline Shape parallel() {
  Shape shape{"parallel branches", {}, "1", "[1,1]", {"A"}};
  shape.app.add(one_of(
      "S", R"({"Name": "B", "InputType": "Scalar"}, {"Name": "C", "InputType": "Scalar"})", true));
  shape.app.add(fan_in("B", "A", R"("B-unumIndex-0", "C-unumIndex-1")", kPop));
  shape.app.add(fan_in("C", "A", R"("B-unumIndex-0", "C-unumIndex-1")", kPop));
  shape.app.add(terminal("A"));
  return shape;
}

inline Shape nested_maps() {
  Shape shape{"a map in a map", {}, "[[1,2],[3]]", "[[1,2],[3]]", {"B"}};
  shape.app.add(map_to("M", "R", R"("Start": true, )"));
  shape.app.add(map_to("R", "F"));
  shape.app.add(fan_in("F", "A", R"("F-unumIndex-*.$1")", kPop));
  shape.app.add(fan_in("A", "B", R"("A-unumIndex-*")", kPop));
  shape.app.add(terminal("B"));
  return shape;
}

inline Shape ancestor_that_is_read() {
  Shape shape{"an ancestor that is only read", {}, "[1,2]", "[[1,2],1,2]", {"A"}};
  shape.app.add(map_to("M", "F", R"("Start": true, )"));
  shape.app.add(fan_in("F", "A", R"("M", "F-unumIndex-*")", kPop));
  shape.app.add(terminal("A"));
  return shape;
}

inline Shape neighbours() {
  Shape shape{"neighbours",
              {},
              "[1,2,3]",
              R"({"A-unumIndex-0":[1,2],"A-unumIndex-1":[2,3]})",
              {"A-unumIndex-0", "A-unumIndex-1"}};
  shape.app.add(map_to("M", "G", R"("Start": true, )"));
  shape.app.add(fan_in("G", "A", R"v("G-unumIndex-$0", "G-unumIndex-($0+1)")v",
                       R"(, "Conditional": "$0 < $size - 1")"));
  shape.app.add(terminal("A"));
  return shape;
}

inline Shape named_twice() {
  return {"a fan-in that names an input twice",
          map_and_fan_in(R"("F-unumIndex-*", "F-unumIndex-0")"),
          "[1,2]",
          "[1,2,1]",
          {"A"}};
}

inline Shape requested_by_one() {
  Shape shape{"a fan-in that one branch asks for", {}, "[1,2,3]", "[1,2,3]", {"A"}};
  shape.app.add(map_to("M", "F", R"("Start": true, )"));
  shape.app.add(fan_in("F", "A", R"("F-unumIndex-*")",
                       R"(, "Conditional": "$ret == 2", "Payload Modifiers": ["Pop"])"));
  shape.app.add(terminal("A"));
  return shape;
}

inline Shape not_requested() {
  Shape shape{"a fan-in that nobody asks for",
              {},
              "[1,2]",
              R"({"F-unumIndex-0":1,"F-unumIndex-1":2})",
              {"F-unumIndex-0", "F-unumIndex-1"}};
  shape.app.add(map_to("M", "F", R"("Start": true, )"));
  shape.app.add(fan_in("F", "A", R"("F-unumIndex-*")",
                       R"(, "Conditional": "$ret == 7", "Payload Modifiers": ["Pop"])"));
  shape.app.add(terminal("A"));
  return shape;
}

inline Shape empty_map() {
  Shape shape{"a map over nothing", {}, "[]", "[]", {"A"}};
  shape.app = map_and_fan_in();
  return shape;
}

inline Shape empty_map_in_a_map() {
  Shape shape{"a map over nothing in a map", {}, "[[],[3]]", "[[],[3]]", {"B"}};
  shape.app = nested_maps().app;
  return shape;
}

inline Shape read_and_passed_on() {
  Shape shape{"a value that goes to a child and into a fan-in",
              {},
              "[1,2]",
              R"({"A":[1,2],"G-unumIndex-0":1,"G-unumIndex-1":2})",
              {"A", "G-unumIndex-0", "G-unumIndex-1"}};
  shape.app.add(map_to("M", "F", R"("Start": true, )"));
  shape.app.add(one_of("F", R"({"Name": "G", "InputType": "Scalar"},
      {"Name": "A", "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}},
       "Payload Modifiers": ["Pop"]})"));
  shape.app.add(terminal("G"));
  shape.app.add(terminal("A"));
  return shape;
}

inline Shape loop() {
  Shape shape{"a loop", {}, "0", "3", {"E"}};
  shape.app.add(scalar("S", "L", R"("Start": true, "Next Payload Modifiers": ["Push"], )"));
  shape.app.add(
      one_of("L", R"(
      {"Name": "L", "InputType": "Scalar", "Exclusive": true, "Conditional": "$ret < 3",
       "Payload Modifiers": ["$0 = $0 + 1"]},
      {"Name": "E", "InputType": "Scalar", "Exclusive": true, "Payload Modifiers": ["Pop"]})"),
      [](const UserCall& call) { return std::to_string(std::stoi(std::string(call.input)) + 1); });
  shape.app.add(terminal("E"));
  return shape;
}

inline Shape entry_that_loops() {
  Shape shape{"an entry that invokes itself", {}, "0", "3", {"E-unumIndex-0"}};
  shape.app.add(
      one_of("L", R"(
      {"Name": "L", "InputType": "Scalar", "Exclusive": true, "Conditional": "$ret < 2",
       "Payload Modifiers": ["Push"]},
      {"Name": "E", "InputType": "Scalar", "Exclusive": true})",
             true),
      [](const UserCall& call) { return std::to_string(std::stoi(std::string(call.input)) + 1); });
  shape.app.add(terminal("E"), [](const UserCall&) { return "3"; });
  return shape;
}

inline Shape caught_failure() {
  Shape shape{"a failure that is caught", {}, "1", R"({"Error":"Oops","Cause":"it broke"})", {"E"}};
  shape.app.add(scalar("S", "F", R"("Start": true, )"));
  shape.app.add(R"({"Name": "F", "Next": {"Name": "E", "InputType": "Error"}})",
                [](const UserCall&) -> std::string {
                  throw CodeFailure{"Oops", "it broke"};
                });
  shape.app.add(terminal("E"));
  return shape;
}

/// A loop of so many steps, each with a result of so many bytes.
inline Shape long_chain(int steps, std::size_t value_bytes) {
  Shape shape{"a long chain", {}, "1", "1", {"E"}};
  shape.app.add(scalar("S", "L", R"("Start": true, "Next Payload Modifiers": ["Push"], )"));
  const std::string edges = fmt::format(R"(
      {{"Name": "L", "InputType": "Scalar", "Exclusive": true, "Conditional": "$0 < {}",
       "Payload Modifiers": ["$0 = $0 + 1"]}},
      {{"Name": "E", "InputType": "Scalar", "Exclusive": true, "Payload Modifiers": ["Pop"]}})",
                                        steps - 1);
  shape.app.add(one_of("L", edges.c_str()),
                [=](const UserCall&) { return '"' + std::string(value_bytes - 2, 'x') + '"'; });
  shape.app.add(terminal("E"), [](const UserCall&) { return "1"; });
  return shape;
}

using MakeShape = Shape (*)();
inline constexpr MakeShape kShapes[] = {
    &chain,
    &chain_without_checkpoints,
    &map_then_fan_in,
    &maps_behind_each_other,
    &chains_in_a_map,
    &map_that_ends,
    &parallel,
    &nested_maps,
    &ancestor_that_is_read,
    &neighbours,
    &named_twice,
    &requested_by_one,
    &not_requested,
    &empty_map,
    &empty_map_in_a_map,
    &read_and_passed_on,
    &loop,
    &entry_that_loops,
    &caught_failure,
};

inline RunResult run(Reactor& reactor, Store& store, Shape& shape,
                     const std::string& session = "s") {
  return reactor.run(shape.app.run(reactor, store, session, shape.input, collecting()));
}

inline void require_only_finals(Reactor& reactor, Store& store, const Shape& shape,
                                const std::string& session = "s") {
  std::set<std::string> expected = shape.finals;
  for (const std::string& instance : uncollected(reactor, store, session)) {
    if (instance.ends_with("-gc")) {
      CHECK(shape.finals.contains(instance.substr(0, instance.size() - 3)));  // beside a result
    } else {
      INFO(instance << " is left");
      CHECK(expected.erase(instance) == 1);
    }
  }
  for (const std::string& instance : expected) FAIL_CHECK(instance << " is gone");
}

}  // namespace unum::test
