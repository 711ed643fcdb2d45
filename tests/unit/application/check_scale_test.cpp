// `unum check` over very large applications: it ends soon, whatever it finds.
#include <ctime>
#include <functional>
#include <utility>

#include "check_texts.hpp"

using namespace unum;

namespace {

// Of the processor's time, since machines are busy, and generous, since some are slow. A step that
// is quadratic in what these applications have takes longer than that. Not built with sanitizers.
constexpr double kSecondsMax = 60;

std::string list_of(int count, const std::function<std::string(int)>& item) {
  std::string out;
  for (int i = 0; i < count; ++i) out += (i > 0 ? ", " : "") + item(i);
  return out;
}

std::string f(int i) { return "F" + std::to_string(i); }

/// An application with many functions, the first of which is the entry.
class LargeApplication {
 public:
  void function(const std::string& name, const std::string& fields = "") {
    template_ += "  " + name + ":\n    Properties: {CodeUri: " + name + ", Runtime: python3.11" +
                 (first_ ? ", Start: true" : "") + "}\n";
    first_ = false;
    change(name, fields);
  }
  /// A function that is there already.
  void change(const std::string& name, const std::string& fields) {
    dir_.write(name + "/unum_config.json", "{\"Name\": \"" + name + "\"" + fields + "}");
  }

  /// What check says, in less than the time that is allowed.
  std::string check() {
    dir_.write("unum-template.yaml", template_);
    const std::clock_t start = std::clock();
    const std::string found = ::check(dir_);
    CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < kSecondsMax);
    return found;
  }

 private:
  ApplicationDir dir_;
  std::string template_ = "Globals:\n  ApplicationName: large\nFunctions:\n";
  bool first_ = true;
};

}  // namespace

TEST_CASE("16,000 edges to unknown targets are all named, soon (found 11)") {
  LargeApplication large;
  large.function("F", ", \"Next\": [" + list_of(16'000, [](int i) {
                        return scalar("Targte" + std::to_string(i));
                      }) + "]");
  for (int i = 0; i < 2'000; ++i) large.function("Target" + std::to_string(i));
  large.check();
  CHECK(
      says("names Targte0 in Name, which is not a function of unum-template.yaml (did you mean "
           "\"Target0\"?)"));
  CHECK(says("names Targte15999 in Name"));
}

TEST_CASE("1,000 edges of any kind in one list end soon (found 11)") {
  const auto with = [](const std::function<std::string(int)>& edge, const std::string& of_g) {
    LargeApplication large;
    large.function("F", ", \"Next\": [" + list_of(1'000, edge) + "]");
    large.function("G", of_g);
    large.function("H");
    return large.check();
  };
  const std::string into_h = next(fan_in("H", kAll));
  const auto when = [](int i) {
    return ", \"Conditional\": \"$ret == " + std::to_string(i) + "\"";
  };
  with([](int) { return map("G"); }, into_h);
  with([&](int i) { return map("G", when(i)); }, into_h);
  with([](int) { return scalar("G"); }, into_h);
  with([&](int i) { return scalar("G", when(i)); }, into_h);
  with([&](int i) { return scalar("G", R"(, "Exclusive": true)" + when(i)); }, "");
  with([&](int i) { return scalar(i % 2 == 0 ? "G" : "H", when(i)); }, next(scalar("H")));
  with([](int) { return fan_in("G", "\"F\""); }, "");
  with([](int) { return map("F", R"(, "Conditional": "$ret != 0")"); }, "");
}

TEST_CASE("1,000 parallel branches that all name each other end soon (found 11)") {
  LargeApplication large;
  large.function("S", ", \"Next\": [" + list_of(1'000, [](int i) { return scalar(f(i)); }) + "]");
  const std::string list =
      list_of(1'000, [](int i) { return "\"" + f(i) + "-unumIndex-" + std::to_string(i) + "\""; });
  for (int i = 0; i < 1'000; ++i) large.function(f(i), next(fan_in("J", list)));
  large.function("J");
  CHECK(large.check() == "");
}

TEST_CASE("a chain and a ring of many functions end soon (found 11)") {
  LargeApplication large;
  constexpr int kFunctions = 12'000;
  large.function("S", next(scalar(f(0), R"(, "Payload Modifiers": ["Push"])")));
  for (int i = 0; i + 1 < kFunctions; ++i) large.function(f(i), next(scalar(f(i + 1))));
  const std::string last = f(kFunctions - 1);
  large.function(last);
  CHECK(large.check() == "");
  large.change(last, next(scalar(f(0), R"(, "Conditional": "$ret != 0",
                                           "Payload Modifiers": ["$0 = $0 + 1"])")));
  CHECK(large.check() == "");
}

TEST_CASE("a list of 100,000 names ends soon (found 11)") {
  LargeApplication large;
  large.function("F", next(map("G")));
  large.function("G", next(fan_in("H", list_of(100'000, [](int i) {
                                    return "\"G-unumIndex-" + std::to_string(i) + "\"";
                                  }))));
  large.function("H");
  const std::string found = large.check();
  CHECK((found.empty() || found.front() == ' '));
}

TEST_CASE("long expressions and many constants end soon (found 11)") {
  LargeApplication large;
  large.function("F", next(map("G")));
  std::string plus = "$0";
  for (int i = 0; i < 3'000; ++i) plus += " + 0";
  std::string edges;
  for (int i = 0; i < 1'000; ++i) {
    edges += (i > 0 ? ", " : "") +
             scalar("H", ", \"Conditional\": \"" + plus + " == " + std::to_string(i * 7) + "\"");
  }
  large.function("G", ", \"Next\": [" + edges + "]");
  large.function("H");
  const std::string found = large.check();
  CHECK((found.empty() || found.front() == ' '));
}

TEST_CASE("maps in maps in maps end soon (found 11)") {
  LargeApplication large;
  for (int i = 0; i < 40; ++i) large.function(f(i), next(map(f(i + 1))));
  large.function(f(40), next(fan_in("J", "\"F40-unumIndex-*." + list_of(1, [](int) {
                                           std::string rest = "$1";
                                           for (int k = 2; k < 40; ++k) {
                                             rest += ".$" + std::to_string(k);
                                           }
                                           return rest;
                                         }) + "\"")));
  large.function("J");
  large.check();
}
