// Loading an application: template and IR joined, settings resolved, older generations migrated.
#include "application/application.hpp"

#include "application/migrate.hpp"
#include "application_dir.hpp"
#include "catch.hpp"
#include "unum/application.hpp"
#include "unum/error.hpp"
#include "workflow/ir.hpp"

using namespace unum;

namespace {

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

const char* const kMapToG = R"(, "Next": {"Name": "G", "InputType": "Map"})";
const char* const kFanInToH =
    R"(, "Next": {"Name": "H", "InputType": {"Fan-in": {"Values": ["G-unumIndex-*"]}},
        "Payload Modifiers": ["Pop"]})";

}  // namespace

TEST_CASE("an application is loaded with its settings resolved") {
  const ApplicationDir dir;
  dir.write("unum-template.yaml", R"(
Globals: {ApplicationName: words, Checkpoint: false, Timeout: 7, UnumIntermediaryDataStoreName: d}
Functions:
  Split: {Properties: {CodeUri: split/, Runtime: python3.11, Start: true, Timeout: 9}}
  Count: {Properties: {CodeUri: ./count, Runtime: native, Handler: count.so, Environment: {A: 1}}}
)");
  dir.write("split/unum_config.json",
            R"({"Name": "Split", "Next": {"Name": "Count", "InputType": "Scalar"}})");
  dir.write("count/unum_config.yaml", "Name: Count\nDebug: true\n");
  const Application app = load_application(dir.path());
  CHECK(lines_of(app.findings).empty());
  CHECK(app.name == "words");
  CHECK(app.entry == "Split");
  CHECK(app.store.named);
  CHECK(app.store.name == "d");
  REQUIRE(app.functions.size() == 2);
  const FunctionSettings* count = app.find("Count");
  REQUIRE(count != nullptr);
  CHECK(count->handler == "count.so");
  CHECK(count->runtime == "native");
  CHECK(count->timeout_seconds == 7);
  CHECK(count->memory_mb == 512);
  CHECK(count->debug);
  CHECK(count->environment.at("A") == "1");
  CHECK(count->ir.source == "count/unum_config.yaml");
  CHECK(std::filesystem::equivalent(count->code_dir, dir.path() / "count"));
  CHECK(app.find("Split")->timeout_seconds == 9);
  CHECK(app.find("Split")->start);
  CHECK(app.find("Split")->ir.start);
  CHECK(app.find("Missing") == nullptr);
}

TEST_CASE("the application's name is its directory's unless the template says one") {
  const ApplicationDir dir;
  dir.write("unum-template.yaml",
            "Functions: {F: {Properties: {CodeUri: f, Runtime: native, Start: true}}}");
  dir.write("f/unum_config.json", R"({"Name": "F"})");
  CHECK(load_application(dir.path()).name == dir.path().filename());
  CHECK(load_application(dir.path() / ".").name == dir.path().filename());
}

TEST_CASE("what must be checkpointed is, whatever is written") {
  ApplicationDir dir;
  dir.globals("  Checkpoint: false\n");
  dir.function("A", R"(, "Next": {"Name": "B", "InputType": "Scalar"})");
  dir.function("B", R"(, "Next": {"Name": "C", "InputType": "Scalar"})");
  dir.function("C", R"(, "Checkpoint": true, "Next": {"Name": "M", "InputType": "Scalar"})");
  dir.function("M", R"(, "Checkpoint": false, "Next": {"Name": "G", "InputType": "Map"})");
  dir.function("G", R"(, "Next": {"Name": "H", "InputType":
      {"Fan-in": {"Values": ["B", "G-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]})");
  dir.function("H", R"(, "Next": {"Name": "P", "InputType": "Scalar"})");
  dir.function("P", R"(, "Next": [{"Name": "X", "InputType": "Scalar"},
                                  {"Name": "Y", "InputType": "Scalar"}])");
  dir.function("X");
  dir.function("Y");
  const Application app = load_application(dir.path());
  INFO(lines_of(app.findings));
  CHECK_FALSE(has_errors(app.findings));
  const auto forced = [&](const char* name) { return app.find(name)->checkpoint_forced; };
  CHECK(forced("A"));        // entry
  CHECK(forced("B"));        // named in Values
  CHECK_FALSE(forced("C"));  // by choice
  CHECK(app.find("C")->checkpoint);
  CHECK(forced("M"));  // maps
  CHECK(forced("G"));  // fan-in edge
  CHECK_FALSE(app.find("H")->checkpoint);
  CHECK_FALSE(*app.find("H")->ir.checkpoint);
  CHECK(forced("P"));  // parallel
  CHECK(forced("X"));  // terminal
  CHECK(rules_of(app.findings, Severity::info) == "checkpoint");
  CHECK(has(lines_of(app.findings),
            "info checkpoint M/unum_config.json:1: Checkpoint: false has no "
            "effect, since it maps"));
}

TEST_CASE("exactly one function is the entry, and template and IR agree about it") {
  const auto load = [](const char* a_template, const char* a_ir, const char* b_template) {
    ApplicationDir dir;
    dir.write("unum-template.yaml",
              std::string(
                  "Functions:\n  A:\n    Properties:\n      CodeUri: a\n      Runtime: native\n") +
                  a_template + "  B:\n    Properties:\n      CodeUri: b\n      Runtime: native\n" +
                  b_template);
    dir.write("a/unum_config.json", std::string("{\"Name\": \"A\"") + a_ir + "}");
    dir.write("b/unum_config.json", "{\"Name\": \"B\"}");
    const Application app = load_application(dir.path());
    return app.entry + "|" + lines_of(app.findings);
  };
  const char* const yes = "      Start: true\n";
  const char* const no = "      Start: false\n";
  CHECK(load("", R"(, "Start": true)", "") == "A|");
  CHECK(load(yes, "", no) == "A|");
  CHECK(load(yes, R"(, "Start": true)", "") == "A|");
  CHECK(load(no, "", yes) == "B|");
  CHECK(
      has(load("", "", ""), "no function is the entry; write Start: true on exactly one of A, B"));
  CHECK(has(load(yes, "", yes),
            "several functions are the entry: A, B; write Start: true on exactly"));
  // case 8: `Start: false` written out does not make an entry.
  CHECK(has(load("", R"(, "Start": false)", ""), "no function is the entry"));
  CHECK(load("", R"(, "Start": false)", yes) == "B|");
  CHECK(has(
      load(yes, R"(, "Start": false)", ""),
      "unum-template.yaml:6: Functions.A.Properties.Start is true, but Start in a/unum_config.json "
      "is false"));
}

TEST_CASE("files and directories that are missing or wrong are all named at once") {
  const ApplicationDir dir;
  dir.write("unum-template.yaml", R"(Functions:
  A: {Properties: {CodeUri: nowhere, Runtime: native, Start: true}}
  B: {Properties: {CodeUri: file, Runtime: native}}
  C: {Properties: {CodeUri: empty, Runtime: native}}
  D: {Properties: {CodeUri: both, Runtime: native}}
  E: {Properties: {CodeUri: other/, Runtime: native}}
  F: {Properties: {CodeUri: ok, Runtime: native}}
  G: {Properties: {CodeUri: ./ok/, Runtime: native}}
  H: {Properties: {CodeUri: broken, Runtime: native}}
  I: {Properties: {CodeUri: badyaml, Runtime: native}}
)");
  dir.write("file", "x");
  dir.write("empty/app.py", "");
  dir.write("both/unum_config.json", "{}");
  dir.write("both/unum_config.yaml", "{}");
  dir.write("other/unum_config.json", R"({"Name": "Other"})");
  dir.write("ok/unum_config.json", R"({"Name": "F"})");
  dir.write("broken/unum_config.json", "{\n\"Name\" \"H\"}");
  dir.write("badyaml/unum_config.yaml", "Name: I\nNext:\n  Name: J\n  InputType: Skalar\n");
  const std::string lines = lines_of(load_application(dir.path()).findings);
  CHECK(
      has(lines,
          "unum-template.yaml:2: Functions.A.Properties.CodeUri is nowhere, which does not exist"));
  CHECK(has(lines,
            "unum-template.yaml:3: Functions.B.Properties.CodeUri is file, which is not a dir"));
  CHECK(has(lines, "unum-template.yaml:4: function C: empty has no unum_config.json"));
  CHECK(has(lines, "unum-template.yaml:5: function D: both has both unum_config.json and"));
  CHECK(has(lines, "other/unum_config.json:1: Name is \"Other\"; it must be \"E\""));
  CHECK(
      has(lines,
          "unum-template.yaml:8: Functions.G.Properties.CodeUri is ./ok, the directory of F too"));
  CHECK(has(lines, "broken/unum_config.json:2: not valid JSON"));
  CHECK(has(lines, "badyaml/unum_config.yaml:4: Next.InputType is \"Skalar\""));
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 8);
}

TEST_CASE("a directory without a template is one clear message") {
  const ApplicationDir dir;
  CHECK(has(lines_of(load_application(dir.path()).findings),
            " has no unum-template.yaml; an application"));
  dir.write("unum-template.yml", "");
  CHECK(has(lines_of(load_application(dir.path()).findings), "rename unum-template.yml"));
  CHECK(has(lines_of(load_application(dir.path() / "none").findings), "none does not exist"));
  CHECK(has(lines_of(load_application(dir.path() / "unum-template.yml").findings),
            "is not a directory"));
  dir.write("unum-template.yaml/x", "");
  CHECK(has(lines_of(load_application(dir.path()).findings), "is not a file"));
}

TEST_CASE("case 26: the aggregator of an empty map is derived from the paths out of its frame") {
  ApplicationDir dir;
  dir.function("F", kMapToG);
  dir.function("G", kFanInToH);
  dir.function("H");
  const Application app = load_application(dir.path());
  CHECK(lines_of(app.findings).empty());
  REQUIRE(app.find("F")->ir.edges[0].on_empty);
  CHECK(app.find("F")->ir.edges[0].on_empty->name == "H");
  CHECK(app.find("F")->ir.edges[0].on_empty->modifiers.empty());
}

TEST_CASE("case 26: nested maps derive each its own aggregator") {
  ApplicationDir dir;
  dir.function("F", kMapToG);
  dir.function("G", R"(, "Next": {"Name": "I", "InputType": "Map"})");
  dir.function("I", R"(, "Next": {"Name": "J", "InputType":
      {"Fan-in": {"Values": ["I-unumIndex-*.$1"]}}, "Payload Modifiers": ["Pop"]})");
  dir.function("J", R"(, "Next": {"Name": "H", "InputType":
      {"Fan-in": {"Values": ["J-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]})");
  dir.function("H");
  const Application app = load_application(dir.path());
  CHECK(lines_of(app.findings).empty());
  CHECK(app.find("F")->ir.edges[0].on_empty->name == "H");
  CHECK(app.find("G")->ir.edges[0].on_empty->name == "J");
}

TEST_CASE(
    "case 26: an empty map knows what is left of the list without its branches, derived or "
    "written") {
  for (const char* on_empty : {"", R"(, "OnEmpty": {"Name": "H"})"}) {
    ApplicationDir dir;
    dir.function("F",
                 std::string(R"(, "Next": {"Name": "G", "InputType": "Map")") + on_empty + "}");
    dir.function("G", R"(, "Next": {"Name": "I", "InputType": "Map"})");
    dir.function("I", R"(, "Next": {"Name": "J", "InputType":
        {"Fan-in": {"Values": ["I-unumIndex-*.$1"]}}, "Payload Modifiers": ["Pop"]})");
    dir.function("J", R"(, "Next": {"Name": "H", "InputType":
        {"Fan-in": {"Values": ["F", "J-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]})");
    dir.function("H");
    const Application app = load_application(dir.path());
    CHECK(lines_of(app.findings).empty());
    REQUIRE(app.find("F")->ir.edges[0].on_empty);
    const OnEmpty& outer = *app.find("F")->ir.edges[0].on_empty;
    REQUIRE(outer.values.size() == 1);
    CHECK(outer.values[0].text() == "F");
    CHECK(app.find("G")->ir.edges[0].on_empty->values.empty());
    CHECK(app.find("J")->ir.edges[0].requested_elsewhere);  // by F, if its map is empty
    CHECK_FALSE(app.find("I")->ir.edges[0].requested_elsewhere);
  }
}

TEST_CASE("case 26: from edges that ask for different lists nothing is derived (found 2)") {
  const auto derived = [](std::string_view of_a, std::string_view of_b,
                          std::string_view more = {}) {
    ApplicationDir dir;
    dir.function("F", kMapToG);
    dir.function("G", R"(, "Next": [{"Name": "A", "InputType": "Scalar", "Exclusive": true,
        "Conditional": "$ret == 1"}, {"Name": "B", "InputType": "Scalar", "Exclusive": true}])");
    const auto fan_in = [&](std::string_view values) {
      return R"(, "Next": {"Name": "H", "InputType": {"Fan-in": {"Values": [)" +
             std::string(values) + R"(]}}, "Payload Modifiers": ["Pop"])" + std::string(more) + "}";
    };
    dir.function("A", fan_in(of_a));
    dir.function("B", fan_in(of_b));
    dir.function("H");
    return load_application(dir.path()).find("F")->ir.edges[0].on_empty.has_value();
  };
  CHECK(derived(R"("A-unumIndex-$0")", R"("B-unumIndex-$0")"));
  CHECK(derived(R"("F", "A-unumIndex-$0")", R"("F", "B-unumIndex-$0")"));
  CHECK_FALSE(derived(R"("F", "A-unumIndex-$0")", R"("B-unumIndex-$0")"));
}

TEST_CASE("case 26: where only edges without a fan-in leave a map nothing is derived (found 2)") {
  ApplicationDir dir;
  dir.function("F", kMapToG);
  dir.function("G", R"(, "Next": {"Name": "H", "InputType": "Scalar", "Conditional": "$0 == 0",
      "Payload Modifiers": ["Pop"]})");
  dir.function("H");
  const Application app = load_application(dir.path());
  CHECK_FALSE(app.find("F")->ir.edges[0].on_empty.has_value());
  REQUIRE(app.findings.size() == 1);
  CHECK(app.findings[0].rule == "empty-map");
}

TEST_CASE("functions that are linked by a program know what an application's know (found 5)") {
  const auto functions = [] {
    std::vector<Function> all;
    all.push_back(Function::parse(R"({"Name": "C"})", "c.json"));
    all.push_back(Function::parse(
        R"({"Name": "B", "Next": {"Name": "C", "InputType": {"Fan-in": {"Values":
            ["B-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})",
        "b.json"));
    all.push_back(Function::parse(
        R"({"Name": "A", "Start": true, "Next": {"Name": "B", "InputType": "Map"}})", "a.json"));
    return all;
  };
  const std::vector<Function> linked = link_functions(functions());
  REQUIRE(linked.size() == 3);
  CHECK(linked[2].name() == "A");
  CHECK(linked[2].is_linked());
  REQUIRE(linked[2].ir().edges[0].on_empty);
  CHECK(linked[2].ir().edges[0].on_empty->name == "C");
  CHECK(linked[1].ir().edges[0].unconditional_everywhere);
  CHECK(linked[2].digest() != functions()[2].digest());
  CHECK(link_functions(linked)[2].digest() == linked[2].digest());

  std::vector<Function> twice = functions();
  twice.push_back(twice.front());
  CHECK_THROWS_WITH(link_functions(twice), ContainsSubstring("function C is given twice"));
  std::vector<Function> without = functions();
  without.pop_back();
  CHECK_THROWS_WITH(link_functions(without), ContainsSubstring("no function is an entry"));
}

TEST_CASE("a fan-in knows whether any contributor's edge has a condition") {
  ApplicationDir dir;
  dir.function(
      "F",
      R"(, "Next": [{"Name": "A", "InputType": "Scalar"}, {"Name": "B", "InputType": "Scalar"}])");
  const std::string values =
      R"("InputType": {"Fan-in": {"Values": ["A-unumIndex-0", "B-unumIndex-1"]}},
      "Payload Modifiers": ["Pop"])";
  dir.function("A",
               R"(, "Next": [{"Name": "H", )" + values + R"(}, {"Name": "K", )" + values + "}]");
  dir.function("B", R"(, "Next": [{"Name": "H", "Conditional": "$ret", )" + values +
                        R"(}, {"Name": "K", "Conditional": "1 == 1", )" + values + "}]");
  dir.function("H");
  dir.function("K");
  const Application app = load_application(dir.path());
  CHECK(lines_of(app.findings).empty());
  for (const char* name : {"A", "B"}) {
    CHECK_FALSE(app.find(name)->ir.edges[0].unconditional_everywhere);
    CHECK(app.find(name)->ir.edges[1].unconditional_everywhere);
  }
  CHECK_FALSE(app.find("F")->ir.edges[0].unconditional_everywhere);
}

TEST_CASE("case 26: a path that leaves two frames at once pops both for an empty map") {
  ApplicationDir dir;
  dir.function("F", kMapToG);
  dir.function("G", R"(, "Next": {"Name": "I", "InputType": "Map"})");
  dir.function("I", R"(, "Next": {"Name": "H", "InputType":
      {"Fan-in": {"Values": ["I-unumIndex-*.0"]}}, "Payload Modifiers": ["Pop", "Pop"]})");
  dir.function("H");
  const Application app = load_application(dir.path());
  REQUIRE(app.find("G")->ir.edges[0].on_empty);
  CHECK(app.find("G")->ir.edges[0].on_empty->name == "H");
  CHECK(app.find("G")->ir.edges[0].on_empty->modifiers.size() == 1);
}

TEST_CASE("a map that ends in several aggregators, or in none, is a warning and has no OnEmpty") {
  {
    ApplicationDir dir;
    dir.function("F", kMapToG);
    dir.function("G");
    const Application app = load_application(dir.path());
    CHECK(rules_of(app.findings, Severity::warning) == "empty-map");
    CHECK(has(lines_of(app.findings),
              "warning empty-map F/unum_config.json:1: the Map to G ends in no"));
    CHECK_FALSE(app.find("F")->ir.edges[0].on_empty);
  }
  ApplicationDir dir;
  dir.function("F", kMapToG);
  dir.function("G", R"(, "Next": [
      {"Name": "H", "InputType": {"Fan-in": {"Values": ["G-unumIndex-*"]}},
       "Payload Modifiers": ["Pop"]},
      {"Name": "K", "InputType": {"Fan-in": {"Values": ["G-unumIndex-*"]}},
       "Payload Modifiers": ["Pop"]}])");
  dir.function("H");
  dir.function("K");
  CHECK(rules_of(load_application(dir.path()).findings, Severity::warning) == "empty-map");
}

TEST_CASE("an OnEmpty that is written stays as it is") {
  ApplicationDir dir;
  dir.function("F", R"(, "Next": {"Name": "G", "InputType": "Map", "OnEmpty": {"Name": "K"}})");
  dir.function("G", kFanInToH);
  dir.function("H");
  dir.function("K");
  CHECK(load_application(dir.path()).find("F")->ir.edges[0].on_empty->name == "K");
}

TEST_CASE(
    "migration moves the first generation's Pop to the fan-in edges that target the aggregator") {
  ApplicationDir dir;
  dir.function("F", R"(, "NextInput": "Map", "Next": "G")");
  dir.function(
      "G", R"(, "NextInput": {"Fan-in": {"Values": ["G-unumIndex-*"]}}, "Next": {"Name": "H"})");
  dir.function("H",
               R"(, "Fan-out Modifiers": ["Pop"], "Next": {"Name": "K", "InputType": "Scalar"})");
  dir.function("K");
  const Application app = load_application(dir.path());
  INFO(lines_of(app.findings));
  CHECK_FALSE(has_errors(app.findings));
  REQUIRE(app.find("G")->ir.edges[0].modifiers.size() == 1);
  CHECK(app.find("H")->ir.edges[0].modifiers.empty());

  const Migration migration = migrate_application(dir.path());
  REQUIRE(migration.files.size() == 3);
  CHECK(migration.files[1].source == "G/unum_config.json");
  CHECK(has(migration.files[1].text, R"("Payload Modifiers": ["Pop"])"));
  CHECK_FALSE(migration.files[2].text.find("Pop") != std::string::npos);
  write_migration(migration);
  CHECK(dir.read("G/unum_config.json") == migration.files[1].text);
  CHECK(migrate_application(dir.path()).files.empty());
  const Application again = load_application(dir.path());
  CHECK(to_json(again.find("G")->ir) == to_json(app.find("G")->ir));
  for (const auto& entry : std::filesystem::directory_iterator(dir.path() / "G")) {
    CHECK(entry.path().filename() == "unum_config.json");  // No temporary file is left.
  }
}

TEST_CASE("Fan-out Modifiers of a function that nothing fans in to stay on its own edges") {
  ApplicationDir dir;
  dir.function("F", R"(, "NextInput": "Scalar", "Next": "G", "Fan-out Modifiers": ["Push"])");
  dir.function("G");
  const Application app = load_application(dir.path());
  REQUIRE(app.find("F")->ir.edges[0].modifiers.size() == 1);
  CHECK(app.find("F")->ir.edges[0].modifiers[0].kind() == Modifier::Kind::push);
}

TEST_CASE("a migration that cannot write leaves the file and says why") {
  ApplicationDir dir;
  dir.function("F", R"(, "NextInput": "Scalar", "Next": "G")");
  dir.function("G");
  Migration migration = migrate_application(dir.path());
  REQUIRE(migration.files.size() == 1);
  migration.files[0].path = dir.path() / "nowhere" / "unum_config.json";
  std::string message;
  try {
    write_migration(migration);
  } catch (const Error& error) {
    message = error.message();
  }
  CHECK(has(message, "No such file or directory"));
}
