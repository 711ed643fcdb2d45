// `unum check` over Retry and Catch: a catcher's target is looked at as an Error edge's is.
#include "check_texts.hpp"

namespace {

std::string catches(const std::string& target, const std::string& error = "States.ALL",
                    const std::string& more = "") {
  return R"({"ErrorEquals": [")" + error + R"("], "Next": ")" + target + "\"" + more + "}";
}
std::string with_catch(const std::string& a, const std::string& b = "") {
  return ", \"Catch\": [" + a + (b.empty() ? "" : ", " + b) + "]";
}
const char* const kJoined = R"("K-unumIndex-*")";

}  // namespace

TEST_CASE("case 43: catchers and success are never taken together, and may meet") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(scalar("K")) + with_catch(catches("K", "A"), catches("C")));
  dir.function("C", next(scalar("K")));
  dir.function("K", next(fan_in("H", kJoined)));
  dir.function("H");
  CHECK(check(dir) == "");
}

TEST_CASE("several catchers may lead into one function") {
  ApplicationDir dir;
  dir.function("F", next(scalar("G")) + with_catch(catches("C", "A"), catches("C")));
  dir.function("G");
  dir.function("C");
  CHECK(check(dir) == "");
}

TEST_CASE("a catcher inside a map must rejoin before the fan-in") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(scalar("K")) + with_catch(catches("C")));
  dir.function("C");
  dir.function("K", next(fan_in("H", kJoined)));
  dir.function("H");
  CHECK(check(dir) == "no-rejoin");
  CHECK(says("what catches the errors of G, C, does not lead to K, which fans in"));
}

TEST_CASE("a function with a Catch is not named in Values") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(fan_in("H", kAll)) + with_catch(catches("H")));
  dir.function("H");
  check(dir);
  CHECK(says("G is named in the fan-in of G into H but has a Catch, so its outcome may be a"));
}

TEST_CASE("a catcher's target must exist") {
  ApplicationDir dir;
  dir.function("F", with_catch(catches("Handler")));
  dir.function("Handle");
  check(dir);
  CHECK(
      says("the edge from F names Handler in Catch, which is not a function of "
           "unum-template.yaml (did you mean \"Handle\"?)"));
}

TEST_CASE("a catcher that leads back to its own step is refused: that name has its outcome") {
  {
    ApplicationDir dir;
    dir.function("F", with_catch(catches("F")));
    CHECK(check(dir) == "revisit");
  }
  ApplicationDir dir;
  dir.function("F", next(scalar("G")));
  dir.function("G", next(scalar("H")) + with_catch(catches("C")));
  dir.function("C", next(scalar("G")));
  dir.function("H");
  CHECK(check(dir) == "revisit");
}

TEST_CASE("a catcher's modifiers change its child's frames") {
  ApplicationDir dir;
  dir.function("F", next(map("G")));
  dir.function("G", next(scalar("K")) + with_catch(catches("C", "States.ALL",
                                                           R"(, "Payload Modifiers": ["Pop"])")));
  dir.function("C");
  dir.function("K");
  check(dir);
  CHECK(says("C may be invoked twice, from G-unumIndex-0 and from G-unumIndex-1"));
}

TEST_CASE("a function that only a catcher leads to is reached") {
  ApplicationDir dir;
  dir.function("F", R"(, "Retry": 2, "TimeoutSeconds": 5)" + with_catch(catches("C")));
  dir.function("C");
  CHECK(check(dir) == "");
}
