// `unum check` over whole applications: what it refuses, what it accepts, and what it says.
#include "application/check.hpp"

#include "application_dir.hpp"
#include "catch.hpp"
#include "check_texts.hpp"

using namespace unum;

TEST_CASE("a map and its fan-in pass") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", kAll)));
  dir.function("H");
  CHECK(check(dir) == "");
  CHECK(g_lines.empty());
}

TEST_CASE("unknown targets are refused with the name that was meant") {
  ApplicationDir dir;
  dir.function("Split", next(map("Cuont", R"(, "OnEmpty": {"Name": "Nil"})")));
  dir.function("Count", next(fan_in("Sum", R"("Split", "Clunt-unumIndex-*")")));
  dir.function("Sum");
  CHECK(check(dir) == "unknown-function unknown-function unknown-function");
  CHECK(says(
      "error unknown-function Split/unum_config.json:1: the edge from Split names Cuont in Name, "
      "which is not a function of unum-template.yaml (did you mean \"Count\"?)"));
  CHECK(says("names Clunt in Values"));
  CHECK(says("names Nil in OnEmpty.Name"));
}

TEST_CASE("a function that could not be read does not make its name unknown") {
  ApplicationDir dir;
  dir.function("F", next(scalar("G")));
  dir.function("G", ", 3");
  CHECK(check(dir) == "ir");
}

TEST_CASE("functions that no path reaches are a warning") {
  ApplicationDir dir;
  dir.function("F", next(scalar("G", R"(, "Conditional": "1 == 2")")));
  dir.function("G", next(scalar("H")));
  dir.function("H");
  CHECK(check(dir) == " | unreachable unreachable");
  CHECK(says(
      "warning unreachable unum-template.yaml:9: function G is never invoked: no path of edges "
      "leads to it from the entry, F"));
}

TEST_CASE("case 19: a missing Pop is refused, and the message says what to add") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", kAll, kNoList)));
  dir.function("H");
  CHECK(check(dir) == "missing-pop | empty-map");
  CHECK(says(
      "every branch of G would fan in to an aggregator of its own (H-unumIndex-0, ...), though "
      "their Values are one list. Add \"Payload Modifiers\": [\"Pop\"]"));
}

TEST_CASE("case 19: other modifiers than Pop do not say that all-to-all is meant") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", kAll, R"(, "Payload Modifiers": ["$size = 1"])")));
  dir.function("H");
  CHECK(check(dir) == "missing-pop | empty-map");
}

TEST_CASE("case 19: an empty list of modifiers says that all-to-all is meant") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", kAll, R"(, "Payload Modifiers": [])")));
  dir.function("H", next(fan_in("I", R"("H-unumIndex-*")")));
  dir.function("I");
  CHECK(check(dir) == "");
}

TEST_CASE("case 19: parallel branches without Pop are refused too, at any depth") {
  ApplicationDir dir;
  dir.function("F", next(map("P")));
  dir.function("P", next(scalar("A"), scalar("B")));
  const std::string values = R"("A-unumIndex-0.$1", "B-unumIndex-1.$1")";
  dir.function("A", next(fan_in("J", values, kNoList)));
  dir.function("B", next(fan_in("J", values, kNoList)));
  dir.function("J");
  CHECK(check(dir) == "missing-pop missing-pop | empty-map");
}

TEST_CASE("case 18: a contributor that its own list cannot name is refused") {
  {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(fan_in("H", R"("F")")));
    dir.function("H");
    CHECK(check(dir) == "no-place");
    CHECK(says("its Values name only other functions; add G's own instances"));
  }
  {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(fan_in("H", R"("G-unumIndex-*.$1")")));
    dir.function("H");
    CHECK(check(dir) == "no-place");
    CHECK(says("its instances have 1 index, and no entry of Values for it has as many"));
  }
  ApplicationDir dir;
  dir.function("F", next(scalar("A"), scalar("B")));
  dir.function("A", next(fan_in("H", R"("A-unumIndex-1", "B-unumIndex-1")")));
  dir.function("B", next(fan_in("H", R"("A-unumIndex-1", "B-unumIndex-1")")));
  dir.function("H");
  CHECK(check(dir) == "no-place");
  CHECK(says(
      "A/unum_config.json:1: the fan-in of A-unumIndex-0 into H has no place for A-unumIndex-0 "
      "itself: its Values stand for "));
}

TEST_CASE("case 18: a list for a map of one width is a warning for others") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", R"("G-unumIndex-2", "G-unumIndex-0", "G-unumIndex-1")")));
  dir.function("H");
  CHECK(check(dir) == " | incomplete");
  CHECK(says("so it is with 2 elements in the Map to G, other lengths may be right"));
}

TEST_CASE("unequal lists of one aggregator are refused and both are shown") {
  ApplicationDir dir;
  dir.function("F", next(scalar("A"), scalar("B")));
  dir.function("A", next(fan_in("H", R"("A-unumIndex-0", "B-unumIndex-1")")));
  dir.function("B", next(fan_in("H", R"("B-unumIndex-1", "A-unumIndex-0")")));
  dir.function("H");
  CHECK(check(dir) == "unequal-lists");
  CHECK(says("two contributors of H, A-unumIndex-0 and B-unumIndex-1, disagree about its list: "));
}

TEST_CASE("a list of its own for each branch but one aggregator is an unequal list") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", R"("G-unumIndex-$0")")));
  dir.function("H");
  CHECK(check(dir) == "unequal-lists");
}

TEST_CASE("lists of two ways of a choice may differ") {
  ApplicationDir dir;
  dir.function("F", next(map("A", R"(, "Exclusive": true, "Conditional": "$ret == []")"),
                         map("B", R"(, "Exclusive": true)")));
  dir.function("A", next(fan_in("H", R"("A-unumIndex-*")")));
  dir.function("B", next(fan_in("H", R"("B-unumIndex-*")")));
  dir.function("H");
  CHECK(check(dir) == "");
}

TEST_CASE("contributors that give one aggregator different frames are refused") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  const std::string values = R"("G-unumIndex-$0", "K-unumIndex-$0")";
  dir.function("G", next(fan_in("H", values, R"(, "Payload Modifiers": ["$size = $size - 1"])"),
                         scalar("K")));
  dir.function("K", next(fan_in("H", values, kNoList)));
  dir.function("H");
  CHECK(check(dir) == "unequal-lists | empty-map");
  CHECK(says("give it different frames"));
}

TEST_CASE("a contributor of another function needs the edge unless it lies before all others") {
  {
    ApplicationDir dir;
    dir.function("F", next(scalar("A"), scalar("B")));
    dir.function("A", next(fan_in("H", R"("A-unumIndex-0", "B-unumIndex-1")")));
    dir.function("B");
    dir.function("H");
    CHECK(check(dir) == "no-edge");
    CHECK(says("B is named in the fan-in of A into H but has no fan-in edge to H"));
  }
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", R"("F", "G-unumIndex-*")")));
  dir.function("H");
  CHECK(check(dir) == "");
}

TEST_CASE("a branch that is not there is refused where no width has it") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", R"~("G-unumIndex-$0", "G-unumIndex-($0+1)")~", kNoList)));
  dir.function("H", next(fan_in("I", R"("H-unumIndex-*")")));
  dir.function("I");
  CHECK(check(dir) == "no-such-instance");
  CHECK(says("a Conditional can leave that branch out"));
}

TEST_CASE("a fan-in that waits for an instance which nothing invokes is refused") {
  const auto with = [](const char* modifiers, const char* values) {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G",
                 next(fan_in("H", R"~("G-unumIndex-$0", "G-unumIndex-($0+1)")~",
                             std::string(R"(, "Conditional": "$0 < $size - 1")") + modifiers)));
    dir.function("H", next(fan_in("I", values)));
    dir.function("I");
    return check(dir);
  };
  const char* const all = R"("H-unumIndex-*")";
  CHECK(with(R"(, "Payload Modifiers": ["$size = $size - 1"])", all) == "");
  CHECK(with("", all) == "incomplete");
  CHECK(
      says("into I never completes: its Values name H-unumIndex-1, which nothing invokes with 2 "
           "elements in the Map to G"));
  CHECK(says("\"$size = $size - 1\""));
  // Written for a map of a certain width, and for one wider than any sample.
  CHECK(with("", R"("H-unumIndex-0", "H-unumIndex-1", "H-unumIndex-2")") == " | incomplete");
  CHECK(with("", R"("H-unumIndex-$0", "H-unumIndex-30")") == " | incomplete unequal-lists");
}

TEST_CASE("case 20: neighbours, the last branch and fold pass") {
  {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(fan_in("H", R"~("G-unumIndex-$0", "G-unumIndex-($0+1)")~",
                                  R"(, "Conditional": "$0 < $size - 1")")));
    dir.function("H");
    CHECK(check(dir) == " | empty-map");
  }
  {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(fan_in("H", kAll, R"(, "Conditional": "$0 == $size - 1",
                                                "Payload Modifiers": ["Pop"])")));
    dir.function("H");
    CHECK(check(dir) == "");
  }
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("S", R"("G-unumIndex-$0")", R"(, "Conditional": "$0 == 0")"),
                         fan_in("S", R"~("S-unumIndex-($0-1)", "G-unumIndex-$0")~",
                                R"(, "Conditional": "$0 > 0")")));
  dir.function("S", next(fan_in("S", R"~("S-unumIndex-$0", "G-unumIndex-($0+1)")~",
                                R"(, "Conditional": "$0 < $size - 1",
                                     "Payload Modifiers": ["$0 = $0 + 1"])"),
                         scalar("E", R"(, "Conditional": "$0 == $size - 1",
                                          "Payload Modifiers": ["Pop"])")));
  dir.function("E");
  CHECK(check(dir) == " | empty-map");
}

TEST_CASE("case 31: a loop without an index is refused, with one it passes") {
  const std::string again = R"(, "Exclusive": true, "Conditional": "$ret < 3")";
  {
    ApplicationDir dir;
    dir.function("A", next(scalar("B")));
    dir.function("B", next(scalar("C", again), scalar("E", R"(, "Exclusive": true)")));
    dir.function("C", next(scalar("B")));
    dir.function("E");
    CHECK(check(dir) == "revisit");
    CHECK(
        says("the loop B -> C -> B comes back to the same instance name, so its second round would "
             "never run. Give the loop an index: \"Push\""));
  }
  const auto with = [&](const char* in, const char* back, const char* out) {
    ApplicationDir dir;
    dir.function("A", next(scalar("B", in)));
    dir.function(
        "B", next(scalar("C", again), scalar("E", std::string(R"(, "Exclusive": true)") + out)));
    dir.function("C", next(scalar("B", back)));
    dir.function("E");
    return check(dir);
  };
  const char* const push = R"(, "Payload Modifiers": ["Push"])";
  const char* const pop = R"(, "Payload Modifiers": ["Pop"])";
  CHECK(with(push, R"(, "Payload Modifiers": ["$0 = $0 + 1"])", pop) == "");
  CHECK(with(push, R"(, "Payload Modifiers": ["$0 = $0"])", pop) == "revisit");
  CHECK(with(push, R"(, "Payload Modifiers": ["$0 = 1"])", pop) == "revisit");
  CHECK(with(push, R"(, "Payload Modifiers": ["Pop", "Push", "$0 = $0 + 1"])", pop) == "revisit");
  CHECK(with("", "", R"(, "Payload Modifiers": [])") == "revisit");
}

TEST_CASE("case 31: a function that comes back to itself is refused") {
  ApplicationDir dir;
  dir.function("A", next(scalar("A", R"(, "Conditional": "$ret < 3")")));
  CHECK(check(dir) == "revisit");
  CHECK(says("the loop A -> A comes back"));
}

TEST_CASE("case 31: a loop that counts with a map's index is refused, with its own it passes") {
  const auto with = [](const char* in, const char* pop) {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(scalar("L", in)));
    dir.function("L", next(scalar("L", R"(, "Exclusive": true, "Conditional": "$ret < 3",
                                            "Payload Modifiers": ["$0 = $0 + 1"])"),
                           scalar("X", std::string(R"(, "Exclusive": true)") + pop)));
    dir.function("X", next(fan_in("H", R"("X-unumIndex-*")")));
    dir.function("H");
    return check(dir);
  };
  CHECK(with("", "") == "foreign-index");
  CHECK(says(
      "the loop L -> L changes $0, the index of a map: the second round of one branch would have "
      "the name of another"));
  CHECK(with(R"(, "Payload Modifiers": ["Push"])", R"(, "Payload Modifiers": ["Pop"])") == "");
}

TEST_CASE("case 31: a loop through a fan-in needs an index as well") {
  const auto with = [](const char* in, const char* back) {
    ApplicationDir dir;
    dir.function("A", next(scalar("B", in)));
    dir.function("B", next(map("C", R"(, "Exclusive": true, "Conditional": "$ret != []",
                                        "OnEmpty": {"Name": "E"})"),
                           scalar("E", R"(, "Exclusive": true)")));
    dir.function(
        "C", next(fan_in("B", *in == '\0' ? R"("C-unumIndex-*")" : R"("C-unumIndex-*.$1")", back)));
    dir.function("E");
    return check(dir);
  };
  CHECK(with("", R"(, "Payload Modifiers": ["Pop"])") == "revisit");
  CHECK(with(R"(, "Payload Modifiers": ["Push"])",
             R"(, "Payload Modifiers": ["Pop", "$0 = $0 + 1"])") == "");
}

TEST_CASE("one name, one way in: what can be reached twice is refused") {
  {
    ApplicationDir dir;  // Two Map edges to one function.
    dir.function("F", next(map("G"), map("G")));
    dir.function("G", next(fan_in("H", kAll)));
    dir.function("H");
    CHECK(check(dir) == "two-ways");
    CHECK(says("G-unumIndex-0 would be invoked twice, from F and from F"));
  }
  {
    ApplicationDir dir;  // Two chains that meet without a fan-in.
    dir.function("F", next(scalar("A"), scalar("B")));
    dir.function("A", next(scalar("C", R"(, "Payload Modifiers": ["Pop"])")));
    dir.function("B", next(scalar("C", R"(, "Payload Modifiers": ["Pop"])")));
    dir.function("C");
    CHECK(check(dir) == "two-ways");
    CHECK(says("C would be invoked twice, from A-unumIndex-0 and from B-unumIndex-1"));
  }
  {
    ApplicationDir dir;  // Branches of a map that drop their index one by one.
    dir.function("F", next(map("G")));
    dir.function("G", next(scalar("H", R"(, "Payload Modifiers": ["Pop"])")));
    dir.function("H");
    CHECK(check(dir) == "two-ways | empty-map");
  }
  ApplicationDir dir;  // An aggregator that is reached by an edge as well.
  dir.function("F", next(map("G"), scalar("H")));
  dir.function("G", next(fan_in("H", kAll)));
  dir.function("H");
  CHECK(check(dir) == "two-ways");
  CHECK(says("H would be invoked twice, from F and from G-unumIndex-0 by a fan-in"));
}

TEST_CASE("case 29: the ways of one choice may meet") {
  ApplicationDir dir;
  dir.function("F", next(scalar("A", R"(, "Exclusive": true, "Conditional": "$ret == 1")"),
                         scalar("B", R"(, "Exclusive": true, "Conditional": "$ret == 2")"),
                         scalar("C", R"(, "Exclusive": true)")));
  dir.function("A", next(scalar("J")));
  dir.function("B", next(scalar("C")));
  dir.function("C", next(scalar("J")));
  dir.function("J", next(scalar("K")));
  dir.function("K");
  CHECK(check(dir) == "");
}

TEST_CASE("case 29: choices one after the other, and inside of a map, may meet") {
  const std::string first = R"(, "Exclusive": true, "Conditional": "$ret == 1")";
  const std::string rest = R"(, "Exclusive": true)";
  const auto with = [&](const std::string& last) {
    ApplicationDir dir;
    dir.function("F", next(map("S0")));
    for (int i = 0; i < 8; ++i) {
      const std::string n = std::to_string(i);
      const std::string join = "S" + std::to_string(i + 1);
      dir.function("S" + n, next(scalar("A" + n, first), scalar(join, rest)));
      dir.function("A" + n, next(scalar(join)));
    }
    dir.function("S8", last);
    dir.function("T",
                 next(fan_in("H", R"("T-unumIndex-*.$1")", R"(, "Payload Modifiers": ["Pop"])")));
    dir.function("H");
    return check(dir);
  };
  CHECK(with(next(map("T"))) == " | empty-map");
  // What comes after all the choices is certain again, so that a second way in is seen.
  CHECK(with(next(map("T"), map("T"))) == "two-ways | empty-map");
}

TEST_CASE("a way beside a choice is a second way in") {
  ApplicationDir dir;
  dir.function("F", next(scalar("A", R"(, "Exclusive": true, "Conditional": "$ret == 1")"),
                         scalar("B", R"(, "Exclusive": true)"), map("M")));
  dir.function("A", next(scalar("J")));
  dir.function("B", next(scalar("J")));
  dir.function("M", next(fan_in("J", R"("M-unumIndex-*")")));
  dir.function("J");
  CHECK(check(dir) == "two-ways");
}

TEST_CASE("ways whose conditions may both hold are a warning that names Exclusive") {
  ApplicationDir dir;
  dir.function("F", next(map("G", R"(, "Conditional": "$ret != [1]")"),
                         map("G", R"(, "Conditional": "$ret == [1]")")));
  dir.function("G", next(fan_in("H", kAll)));
  dir.function("H");
  CHECK(check(dir) == " | maybe-two-ways");
  CHECK(says("mark edges of one choice Exclusive"));
}

TEST_CASE("only the branch that a condition chooses may drop its index") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G",
               next(scalar("H", R"(, "Conditional": "$0 == 0", "Payload Modifiers": ["Pop"])")));
  dir.function("H");
  CHECK(check(dir) == " | empty-map");
}

TEST_CASE("a fan-in that costs each branch a check of every sibling is a warning") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", kAll, R"(, "Conditional": "$0 % 2 == 0 and $0 * $0 < 1",
                                                "Payload Modifiers": ["Pop"])")));
  dir.function("H");
  CHECK(check(dir) == " | cost");
  CHECK(says("costs each branch a check of every sibling"));
}

TEST_CASE("a level that is not there is refused") {
  {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(scalar("H", R"(, "Conditional": "$1 == 0")")));
    dir.function("H");
    CHECK(check(dir) == "conditional | empty-map");
  }
  {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(scalar("H", R"(, "Conditional": "$ret and $1 == 0")")));
    dir.function("H");
    CHECK(check(dir) == "conditional | empty-map");
  }
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(scalar("H", R"(, "Payload Modifiers": ["$1 = 0"])")));
  dir.function("H");
  CHECK(check(dir) == "modifier | empty-map");
}

TEST_CASE("case 35: an Error edge and success are never both taken, and may meet") {
  const std::string caught = R"({"Name": "C", "InputType": "Error"})";
  {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(scalar("K"), caught));
    dir.function("C", next(scalar("K")));
    dir.function("K", next(fan_in("H", R"("K-unumIndex-*")")));
    dir.function("H");
    CHECK(check(dir) == "");
  }
  {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(fan_in("H", kAll), caught));
    dir.function("C");
    dir.function("H");
    CHECK(check(dir) == "caught-in-values");
    CHECK(says("G is named in the fan-in of G into H but has an Error edge"));
  }
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(scalar("K"), caught));
  dir.function("C");
  dir.function("K", next(fan_in("H", R"("K-unumIndex-*")")));
  dir.function("H");
  CHECK(check(dir) == "no-rejoin");
  CHECK(says("what catches the errors of G, C, does not lead to K, which fans in"));
}

TEST_CASE("an Error edge before a map, outside of any branch, needs no way back") {
  ApplicationDir dir;
  dir.function("F", next(map("G"), R"({"Name": "C", "InputType": "Error"})"));
  dir.function("G", next(fan_in("H", kAll)));
  dir.function("C");
  dir.function("H");
  CHECK(check(dir) == "");
}

TEST_CASE("recursion passes") {
  ApplicationDir dir;
  dir.function("F", next(map("F", R"(, "Conditional": "$ret != []")")));
  CHECK(check(dir) == " | empty-map");
}

TEST_CASE("case 55: nested fan-ins that keep their outer index pass, dropping it too is refused") {
  const auto with = [](const char* modifiers, const std::string& last) {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(map("I")));
    dir.function("I", next(fan_in("J", R"("I-unumIndex-*.$1")", modifiers)));
    dir.function("J", last);
    dir.function("H");
    return check(dir);
  };
  CHECK(with(R"(, "Payload Modifiers": ["Pop"])", next(fan_in("H", R"("J-unumIndex-*")"))) == "");
  CHECK(with(R"(, "Payload Modifiers": ["Pop", "Pop"])", "") == "unequal-lists | unreachable");
}

TEST_CASE("findings come in the same order every time, without repetitions") {
  ApplicationDir dir;
  dir.globals("  Chekpoint: 1\n");
  dir.function("F", next(map("G")) + ", \"Z\": 1, \"A\": 2");
  dir.function("G", next(fan_in("H", kAll, kNoList)));
  dir.function("H");
  check(dir);
  const std::string first = g_lines;
  check(dir);
  CHECK(g_lines == first);
}

TEST_CASE("a chain of a hundred and a very wide parallel are followed") {
  ApplicationDir dir;
  std::string edges;
  std::string values;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "B" + std::to_string(i);
    edges += (i > 0 ? ", " : "") + scalar(name);
    values += (i > 0 ? ", \"" : "\"") + name + "-unumIndex-" + std::to_string(i) + "\"";
  }
  dir.function("F", ", \"Next\": [" + edges + "]");
  for (int i = 0; i < 100; ++i) dir.function("B" + std::to_string(i), next(fan_in("C0", values)));
  for (int i = 0; i < 100; ++i) {
    dir.function("C" + std::to_string(i), i == 99 ? "" : next(scalar("C" + std::to_string(i + 1))));
  }
  CHECK(check(dir) == "");
}

TEST_CASE("every example passes without errors") {
  const char* root = std::getenv("UNUM_SOURCE_ROOT");
  REQUIRE(root != nullptr);
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(root) / "examples")) {
    if (!std::filesystem::exists(entry.path() / "unum-template.yaml")) continue;
    ++count;
    const std::vector<Finding> findings = check_application(load_application(entry.path()));
    INFO(entry.path() << "\n" << lines_of(findings));
    CHECK_FALSE(has_errors(findings));
  }
  CHECK(count >= 8);
}
