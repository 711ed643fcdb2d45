// Lists of instance names in runs.
#include <algorithm>
#include <random>

#include "catch.hpp"
#include "unum/error.hpp"
#include "workflow/values.hpp"

using unum::InstanceName;
using unum::NameList;

namespace {

NameList listed(const std::vector<InstanceName>& names) {
  NameList list;
  for (const InstanceName& name : names) list.append(name);
  return list;
}

}  // namespace

TEST_CASE("names that count up along one index are one run") {
  NameList list =
      listed({{"G", {0, 5}}, {"G", {1, 5}}, {"G", {2, 5}}, {"G", {2, 6}}, {"H", {}}, {"H", {}}});
  CHECK(list.size() == 6);
  REQUIRE(list.runs().size() == 4);
  CHECK(list.runs()[0].length == 3);
  CHECK(list.name(2) == "G-unumIndex-2.5");
  CHECK(list.name(3) == "G-unumIndex-2.6");
  CHECK(list.name(4) == "H");
  CHECK(list.names() == std::vector<std::string>{"G-unumIndex-0.5", "G-unumIndex-1.5",
                                                 "G-unumIndex-2.5", "G-unumIndex-2.6", "H", "H"});
  CHECK_THROWS_AS(list.name(6), unum::Error);
}

TEST_CASE("case 13: a name's place is found by the whole name, never by a prefix") {
  NameList list =
      listed({{"Bob", {0}}, {"B", {0}}, {"F10", {1}}, {"F1", {0}}, {"F1", {1}}, {"B", {}}});
  CHECK(list.place_of({"B", {0}}) == 1u);
  CHECK(list.place_of({"B", {}}) == 5u);
  CHECK(list.place_of({"F1", {1}}) == 4u);
  CHECK(list.place_of({"F1", {10}}) == std::nullopt);
  CHECK(list.place_of({"F", {1}}) == std::nullopt);
  CHECK(list.place_of({"Bob", {}}) == std::nullopt);
  CHECK(list.place_of({"B", {0, 0}}) == std::nullopt);
}

TEST_CASE("case 14: one function listed with literal indexes has a place for each") {
  const NameList list = listed({{"G", {3}}, {"G", {1}}, {"G", {2}}, {"G", {7}}});
  CHECK(list.place_of({"G", {3}}) == 0u);
  CHECK(list.place_of({"G", {1}}) == 1u);
  CHECK(list.place_of({"G", {2}}) == 2u);
  CHECK(list.place_of({"G", {7}}) == 3u);
}

TEST_CASE("a wide run costs one run, whatever its length") {
  NameList list;
  list.append_run({"G", {0, 4}}, 0, 1000000);
  CHECK(list.runs().size() == 1);
  CHECK(list.size() == 1000000);
  CHECK(list.name(999999) == "G-unumIndex-999999.4");
  CHECK(list.place_of({"G", {123456, 4}}) == 123456u);
  CHECK(list.summary() == "G-unumIndex-0.4 .. G-unumIndex-999999.4 (1000000 names)");
  CHECK_THROWS_AS(list.append_run({"G", {INT64_MAX}}, 0, 2), unum::Error);
  CHECK_THROWS_AS(list.append_run({"G", {}}, 0, 2), unum::Error);
  list.append_run({"G", {0}}, 0, 0);
  CHECK(list.size() == 1000000);
}

TEST_CASE("a run appended is the same as its names appended, on random lists") {
  std::mt19937 random(42);
  const auto below = [&](unsigned bound) { return static_cast<std::int64_t>(random() % bound); };
  for (int round = 0; round < 20000; ++round) {
    NameList by_runs;
    NameList by_names;
    std::vector<std::string> expected;
    const auto pieces = 1 + below(6);
    for (int piece = 0; piece < pieces; ++piece) {
      InstanceName first{below(8) == 0 ? "H" : "G", {below(3), below(3)}};
      const auto axis = static_cast<std::size_t>(below(2));
      const std::int64_t length = below(7);
      by_runs.append_run(first, axis, length);
      for (std::int64_t i = 0; i < length; ++i, ++first.indexes[axis]) {
        by_names.append(first);
        expected.push_back(first.function + "-unumIndex-" + std::to_string(first.indexes[0]) + "." +
                           std::to_string(first.indexes[1]));
      }
    }
    REQUIRE(by_runs == by_names);
    REQUIRE(by_runs.names() == expected);
    REQUIRE(by_runs.digest() == by_names.digest());
    for (std::size_t place = 0; place < expected.size(); ++place) {
      REQUIRE(by_runs.name(place) == expected[place]);
      const auto first_place = std::find(expected.begin(), expected.end(), expected[place]);
      REQUIRE(by_runs.place_of(*unum::parse_instance_name(expected[place])) ==
              static_cast<std::size_t>(first_place - expected.begin()));
    }
  }
}

TEST_CASE("case 17: unequal lists have unequal digests, equal ones the same for ever") {
  const NameList one = listed({{"G", {0}}, {"G", {1}}});
  CHECK(one.digest() == listed({{"G", {0}}, {"G", {1}}}).digest());
  const std::vector<NameList> others = {listed({{"G", {1}}, {"G", {0}}}),
                                        listed({{"G", {0}}}),
                                        listed({{"G", {0}}, {"G", {2}}}),
                                        listed({{"G", {0}}, {"G", {1}}, {"G", {2}}}),
                                        listed({{"G", {0, 1}}}),
                                        listed({{"G", {0}}, {"H", {1}}}),
                                        listed({{"H", {0}}, {"G", {1}}}),
                                        listed({{"G", {}}, {"G", {}}}),
                                        listed({{"G0", {}}, {"G", {1}}}),
                                        listed({}),
                                        listed({{"G", {0, 0}}, {"G", {1, 0}}}),
                                        listed({{"G", {0, 0}}, {"G", {0, 1}}})};
  for (const NameList& other : others) {
    INFO(other.summary());
    CHECK(one.digest() != other.digest());
    CHECK_FALSE(one == other);
  }
  CHECK(others[10].digest() != others[11].digest());
  CHECK(one.digest() ==
        "a06eadfb1f74b5a5d63a406197c8f46d");  // stored beside fan-ins: it must never change
}

TEST_CASE("a summary stays short") {
  NameList list;
  CHECK(list.summary() == "(no names)");
  list = listed({{"A", {}}, {"G", {0}}, {"G", {1}}, {"C", {}}});
  CHECK(list.summary() == "A, G-unumIndex-0, G-unumIndex-1, C (4 names)");
  for (std::int64_t i = 0; i < 1000; ++i) list.append({"G", {i * 2}});
  CHECK(list.summary().size() < 300);
  CHECK(list.summary().find(", ... (1004 names)") != std::string::npos);
}

TEST_CASE("case 17: every place of a name that a list repeats is found, and each place's pieces") {
  NameList list;
  list.append({"F", {3, 1}});
  list.append_run({"F", {0, 1}}, 0, 5);
  list.append({"G", {}});
  CHECK(list.places_of({"F", {3, 1}}) == std::vector<std::size_t>{0, 4});
  CHECK(list.places_of({"F", {4, 1}}) == std::vector<std::size_t>{5});
  CHECK(list.places_of({"F", {5, 1}}).empty());
  for (std::size_t place = 0; place < list.size(); ++place) {
    const InstanceName name = list.at(place);
    const std::vector<std::size_t> places = list.places_of(name);
    CHECK(std::count(places.begin(), places.end(), place) == 1);
  }
  CHECK(list.at(6).function == "G");
  CHECK_THROWS_AS(list.at(7), unum::Error);
}
