// `unum check` and what depends on lengths, depths and results: refused only if no input works.
#include "check_texts.hpp"

using namespace unum;

namespace {

const char* const kPop = R"(, "Payload Modifiers": ["Pop"])";
const char* const kBothPop = R"(, "Payload Modifiers": ["Pop", "Pop"])";

std::string when(const std::string& conditional, const std::string& more = kPop) {
  return ", \"Conditional\": \"" + conditional + "\"" + more;
}

std::string names(const std::string& function, int first, int last, const std::string& rest = "") {
  std::string out;
  for (int i = first; i <= last; ++i) {
    out +=
        (out.empty() ? "\"" : ", \"") + function + "-unumIndex-" + std::to_string(i) + rest + "\"";
  }
  return out;
}

/// F maps to G, which fans in to H.
std::string one_map(const std::string& values, const std::string& more = kPop) {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", values, more)));
  dir.function("H");
  return check(dir);
}

/// S maps to A and to B, which both fan in to J.
std::string two_maps(const std::string& of_a, const std::string& of_b, const std::string& more_a,
                     const std::string& more_b) {
  ApplicationDir dir;
  dir.function("S", next(scalar("P"), scalar("Q")));
  dir.function("P", next(map("A", kPop)));
  dir.function("Q", next(map("B", kPop)));
  dir.function("A", next(fan_in("J", of_a, more_a)));
  dir.function("B", next(fan_in("J", of_b, more_b)));
  dir.function("J");
  return check(dir);
}

bool refuses(const std::string& found) { return !found.empty() && found.front() != ' '; }

}  // namespace

TEST_CASE("a list that is read backwards is right for one length only (found 8)") {
  const std::string found = one_map(R"~("G-unumIndex-(11-$0)")~", "");
  CHECK_FALSE(refuses(found));
  CHECK(found.find("no-such-instance") != std::string::npos);
  CHECK(says("so it is with 2 elements in the Map to G, other lengths may be right"));
}

TEST_CASE("lists of one and of three elements may meet in one list (found 8)") {
  const std::string list = names("A", 0, 0) + ", " + names("B", 0, 2);
  const std::string found = two_maps(list, list, kPop, kPop);
  CHECK_FALSE(refuses(found));
  CHECK(says("other lengths may be right"));
}

TEST_CASE("rows of three and of one may meet in one list (found 8)") {
  ApplicationDir dir;
  dir.function("F", next(map("R")));
  dir.function("R", next(map("L")));
  dir.function("L",
               next(fan_in("J", names("L", 0, 2, ".0") + ", " + names("L", 0, 0, ".1"), kBothPop)));
  dir.function("J");
  CHECK_FALSE(refuses(check(dir)));
}

TEST_CASE("the last twelve of a longer list may fan in (found 8)") {
  std::string list;
  for (int i = 12; i > 0; --i) {
    list += (i < 12 ? ", " : "") + ("\"G-unumIndex-($size-" + std::to_string(i)) + ")\"";
  }
  CHECK_FALSE(refuses(one_map(list, when("$0 >= $size - 12"))));
  CHECK_FALSE(refuses(one_map(list, when("$0 == $size - 1"))));
}

TEST_CASE("blocks of nine, twelve and sixteen may fan in (found 8)") {
  for (const int size : {9, 12, 16, 30}) {
    const std::string n = std::to_string(size);
    std::string list;
    for (int i = 0; i < size; ++i) {
      list += (i > 0 ? ", " : "") +
              ("\"G-unumIndex-($0//" + n + "*" + n + "+" + std::to_string(i)) + ")\"";
    }
    INFO(n);
    CHECK_FALSE(refuses(one_map(list, R"(, "Payload Modifiers": ["$size = $size // )" + n +
                                          R"(", "$0 = $0 // )" + n + "\"]")));
    INFO(g_lines);
    CHECK_FALSE(refuses(one_map(list, when("$0 % " + n + " == 0", ""))));
  }
}

TEST_CASE("two lists of which one has an element more may meet (found 8)") {
  // One fence between two posts each: A are posts, B fences.
  CHECK_FALSE(
      refuses(two_maps(R"~("A-unumIndex-*", "B-unumIndex-0", "B-unumIndex-($size-2)")~",
                       R"~("B-unumIndex-$0")~", when("$0 == 0 and $size > 1"), when("$0 < 0"))));
  const std::string list = names("A", 0, 3) + ", " + names("B", 0, 2);
  CHECK_FALSE(refuses(two_maps(list, list, kPop, kPop)));
}

TEST_CASE("other forms that one length makes right are not refused (found 8)") {
  // A square of elements, an odd number of them, a length given by two constants.
  CHECK_FALSE(refuses(one_map(names("G", 0, 24), when("$0 * $0 == 16"))));
  CHECK_FALSE(refuses(one_map(R"~("G-unumIndex-(2*3*7-$0-1)")~", "")));
  CHECK_FALSE(refuses(one_map(R"~("G-unumIndex-(10//$size+$0-2)")~", "")));
  CHECK_FALSE(refuses(one_map(R"~("G-unumIndex-($0+0*(1//($size-2)))")~", "")));
  CHECK_FALSE(refuses(one_map(R"~("G-unumIndex-($0+7-$size)")~", "")));
}

TEST_CASE("what no length makes right is refused (found 8)") {
  CHECK(refuses(one_map(R"~("G-unumIndex-($0+1)")~", "")));
  CHECK(refuses(one_map(R"~("G-unumIndex-$0")~")));
  CHECK(refuses(one_map(R"~("G-unumIndex-($size)")~", "")));
  CHECK(refuses(one_map(kAll, when("$size > 2", ""))));
}

TEST_CASE("a result decides how many branches take an edge (found 9)") {
  ApplicationDir dir;
  dir.function("S", next(map("F")));
  dir.function("F", next(scalar("A", R"(, "Exclusive": true, "Conditional": "$ret > 1")"),
                         scalar("B", R"(, "Exclusive": true)")));
  dir.function("A");
  dir.function("B", next(fan_in("G", R"("B-unumIndex-$0")")));
  dir.function("G");
  CHECK_FALSE(refuses(check(dir)));
  CHECK(says("a result decides whether it comes to that"));
}

TEST_CASE("what a result decides is a warning (found 9)") {
  ApplicationDir dir;
  dir.function("F",
               next(scalar("G", R"(, "Exclusive": true, "Conditional": "$ret == 1")"), map("M")));
  dir.function("M", next(scalar("G")));
  dir.function("G", next(scalar("H", R"(, "Conditional": "$ret == 5 or $0 == 0")")));
  dir.function("H");
  CHECK(check(dir) == " | empty-map conditional");
  CHECK(says("for G the Conditional fails unless the result decides it before"));
  CHECK(says("a result decides whether it comes to that"));
}

TEST_CASE("a Conditional that can never be true without failing is refused (found 9)") {
  ApplicationDir dir;
  dir.function("F", next(scalar("G")));
  dir.function("G", next(scalar("H", R"(, "Conditional": "$ret != 5 and $0 == 0")")));
  dir.function("H");
  CHECK(check(dir) == "conditional");
}

TEST_CASE("recursion may end at any depth (found 9)") {
  const auto with = [](const std::string& leaf) {
    ApplicationDir dir;
    dir.function("F", next(map("F", R"(, "Conditional": "$ret != 0")"),
                           scalar("L", R"(, "Conditional": "$ret == 0")")));
    dir.function("L", leaf);
    dir.function("H");
    const std::string found = check(dir);
    INFO(g_lines);
    return refuses(found);
  };
  const std::string parts[] = {"$1.$2", "$1.$2.$3", "$1.$2.$3.$4", "$1.$2.$3.$4.$5.$6.$7.$8.$9"};
  for (const std::string& rest : parts) {
    CHECK_FALSE(with(next(fan_in("H", "\"L-unumIndex-*." + rest + "\"", kPop))));
  }
  for (const char* const level : {"$2", "$3", "$4", "$9"}) {
    const std::string text = level;
    CHECK_FALSE(with(next(scalar("H", ", \"Conditional\": \"" + text + " == 0\""))));
    CHECK_FALSE(with(next(scalar("H", ", \"Payload Modifiers\": [\"" + text + " = 0\"]"))));
  }
  // No depth has level 64.
  CHECK(with(next(scalar("H", R"(, "Conditional": "$70 == 0")"))));
}

TEST_CASE("an entry that reads its frames is a warning, since a caller may give some (found 9)") {
  ApplicationDir dir;
  dir.function("F", next(scalar("G", R"(, "Conditional": "$0 == 0")")));
  dir.function("G", next(scalar("H", R"(, "Conditional": "$1 == 0")")));
  dir.function("H");
  CHECK(check(dir) == " | conditional conditional");
  CHECK(says("frames that the caller gives may make it right"));
}

TEST_CASE("a level that only some callers of a function have is a warning (found 9)") {
  ApplicationDir dir;
  dir.function("F", next(map("M", R"(, "Conditional": "$ret != 1")"),
                         scalar("G", R"(, "Conditional": "$ret == 1")")));
  dir.function("M", next(scalar("G")));
  dir.function("G", next(scalar("H", R"(, "Conditional": "$0 == 0")")));
  dir.function("H");
  CHECK_FALSE(refuses(check(dir)));
  CHECK(says("for G the Conditional fails"));
}

TEST_CASE("a condition that is false for two elements hides nothing (found 10)") {
  CHECK(one_map(kAll, when("$size > 2", "")) == "missing-pop | empty-map");
  const auto behind = [](const char* conditional) {
    ApplicationDir dir;
    dir.function("F", next(map("G")));
    dir.function("G", next(scalar("X", std::string(R"(, "Conditional": ")") + conditional + "\"")));
    dir.function("X", next(map("Y"), map("Y")));
    dir.function("Y");
    return check(dir);
  };
  for (const char* const conditional :
       {"$size > 2", "$size > 7", "$0 == 40", "$size == 1000", "$0 == 123456", "$size > 9000000"}) {
    INFO(conditional);
    CHECK(refuses(behind(conditional)));
    CHECK(says("would be invoked twice, from X-unumIndex-"));
  }
}

TEST_CASE("two edges of one instance to one instance are two ways (found 3)") {
  const auto with = [](const char* first, const char* second) {
    ApplicationDir dir;
    dir.function("S", next(map("F", first), scalar("F", second)));
    dir.function("F");
    return check(dir);
  };
  CHECK(with(R"(, "Conditional": "$ret != 5")",
             R"(, "Conditional": "$ret != 6", "Payload Modifiers": ["Push"])") ==
        " | empty-map maybe-two-ways");
  CHECK(with("", R"(, "Payload Modifiers": ["Push"])") == "two-ways | empty-map");
  ApplicationDir dir;
  dir.function("S", next(map("F"), map("F")));
  dir.function("F");
  CHECK(refuses(check(dir)));
}

TEST_CASE("unequal frames are shown, both of them (found 12)") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  const std::string values = R"("G-unumIndex-$0", "K-unumIndex-$0")";
  dir.function("G", next(fan_in("H", values, R"(, "Payload Modifiers": ["$size = $size - 1"])"),
                         scalar("K")));
  dir.function("K", next(fan_in("H", values, kNoList)));
  dir.function("H");
  CHECK(check(dir) == "unequal-lists | empty-map");
  CHECK(says(R"(with Fan-out {"Type":"Map","Index":0,"Size":1})"));
  CHECK(says(R"(with Fan-out {"Type":"Map","Index":0,"Size":2})"));
}

TEST_CASE("lists of different lengths that disagree are a warning with the lengths (found 8)") {
  const std::string list = R"("A-unumIndex-*", "B-unumIndex-*")";
  const std::string found = two_maps(list, list, kPop, kPop);
  CHECK_FALSE(refuses(found));
  CHECK(found.find("unequal-lists") != std::string::npos);
  CHECK(says("in the Map to A and"));
}
