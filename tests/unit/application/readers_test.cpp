// Who reads an outcome, as far as edges tell: a table of applications.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "application/link.hpp"
#include "check_texts.hpp"

namespace {

using Functions = std::vector<std::pair<std::string, std::string>>;

/// "F read" of functions that what comes after them may read; "A alone" of fan-ins into A that are
/// the only readers of all that their lists name.
std::set<std::string> readers_in(const Functions& functions) {
  ApplicationDir dir;
  for (const auto& [name, fields] : functions) dir.function(name, fields);
  unum::Application application = unum::load_application(dir.path());
  unum::link(application);
  std::set<std::string> found;
  for (const unum::FunctionSettings& function : application.functions) {
    if (function.ir.read_by_descendants) found.insert(function.name() + " read");
    for (const unum::Edge& edge : function.ir.edges) {
      if (edge.sole_reader) found.insert(edge.target + " alone");
    }
  }
  return found;
}

struct Row {
  const char* what;
  Functions functions;
  std::set<std::string> expected;
};

const std::string kTwo = R"("B-unumIndex-0", "C-unumIndex-1")";
const std::string kNeighbours = R"v("G-unumIndex-$0", "G-unumIndex-($0+1)")v";

const std::vector<Row> kRows = {
    {"a chain has no fan-in", {{"A", next(scalar("B"))}, {"B", ""}}, {}},
    {"a map and its fan-in",
     {{"M", next(map("G"))}, {"G", next(fan_in("A", kAll))}, {"A", ""}},
     {"A alone"}},
    {"parallel branches",
     {{"S", next(scalar("B"), scalar("C"))},
      {"B", next(fan_in("A", kTwo))},
      {"C", next(fan_in("A", kTwo))},
      {"A", ""}},
     {"A alone"}},
    {"a contributor whose failures are caught is none then",
     {{"M", next(map("G"))},
      {"G",
       next(fan_in("A", kAll)) + R"(, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}])"},
      {"C", ""},
      {"A", ""}},
     {"A alone"}},
    {"a catcher that names whose failure it caught",
     {{"M", next(map("G"))},
      {"G",
       next(fan_in("A", kAll)) + R"(, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}])"},
      {"C", next(fan_in("A", kAll))},
      {"A", ""}},
     {"G read"}},
    {"a contributor with a child has another reader",
     {{"M", next(map("G"))}, {"G", next(fan_in("A", kAll), scalar("K"))}, {"K", ""}, {"A", ""}},
     {}},
    {"neighbours share their inputs",
     {{"M", next(map("G"))}, {"G", next(fan_in("A", kNeighbours, ""))}, {"A", ""}},
     {}},
    {"a contributor to two fan-ins",
     {{"M", next(map("G"))},
      {"G", next(fan_in("A", kAll), fan_in("B", kAll))},
      {"A", ""},
      {"B", ""}},
     {}},
    {"an ancestor that a fan-in behind it names",
     {{"M", next(map("G"))}, {"G", next(fan_in("A", R"("M", "G-unumIndex-*")"))}, {"A", ""}},
     {"M read"}},
    {"an ancestor that contributes itself and has another way to who names it",
     {{"M", next(map("G"))},
      {"G", next(scalar("H"), fan_in("A", R"("G-unumIndex-*", "H-unumIndex-*")"))},
      {"H", next(fan_in("A", R"("G-unumIndex-*", "H-unumIndex-*")"))},
      {"A", ""}},
     {"G read"}},
    {"a round of a loop that a later one may name",
     {{"S", next(scalar("L", R"(, "Payload Modifiers": ["Push"])"))},
      {"L", next(scalar("L", R"(, "Exclusive": true, "Conditional": "$0 < 3",)"
                             R"( "Payload Modifiers": ["$0 = $0 + 1"])"),
                 fan_in("A", R"("L-unumIndex-*")",
                        R"(, "Exclusive": true, "Payload Modifiers": ["Pop"])"))},
      {"A", ""}},
     {"L read"}},
};

}  // namespace

TEST_CASE("who reads an outcome is found from the edges") {
  for (const Row& row : kRows) {
    INFO(row.what);
    CHECK(readers_in(row.functions) == row.expected);
  }
}
