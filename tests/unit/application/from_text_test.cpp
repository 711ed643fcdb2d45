// An application of text in memory: the same settings and the same findings as from a directory.
#include "application/application.hpp"
#include "application_dir.hpp"
#include "catch.hpp"
#include "unum/application.hpp"
#include "unum/error.hpp"
#include "workflow/ir.hpp"

using namespace unum;

namespace {

const char* const kTemplate = R"(
Globals: {ApplicationName: words, Timeout: 7, GC: true, UnumIntermediaryDataStoreType: redis,
          UnumIntermediaryDataStoreName: "localhost:1", ReadConsistency: eventual}
Functions:
  Split: {Properties: {CodeUri: split/, Runtime: python3.11, Start: true, Timeout: 9}}
  Count: {Properties: {CodeUri: ./count, Runtime: native}}
)";
const char* const kSplit = R"({"Name": "Split", "Next": {"Name": "Count", "InputType": "Map"}})";
const char* const kCount = R"({"Name": "Count"})";

std::vector<Finding> findings_of(const ApplicationText& text) {
  std::vector<Finding> findings;
  try {
    CheckedApplication::from_text(text, [&](const Finding& found) { findings.push_back(found); });
  } catch (const Error& error) {
    CHECK(error.code() == "Unum.Refused");
    CHECK(rules_of(findings, Severity::error) != "");
  }
  return findings;
}

}  // namespace

TEST_CASE("an application of text has what its template and its configurations say") {
  const CheckedApplication app =
      CheckedApplication::from_text({kTemplate, {{"Split", kSplit}, {"Count", kCount}}});
  CHECK(app.name() == "words");
  CHECK(app.entry() == "Split");
  CHECK(app.function_count() == 2);
  CHECK(app.collects_garbage());
  CHECK(app.store_type() == "redis");
  CHECK(app.store_name() == "localhost:1");
  CHECK(app.read_consistency() == ReadConsistency::eventual);
  CHECK(app.timeout_of("Split") == std::chrono::seconds(9));
  CHECK(app.timeout_of("Count") == std::chrono::seconds(7));
  CHECK_THROWS_WITH(app.timeout_of("Sum"), ContainsSubstring("words has no function Sum"));
}

TEST_CASE("its functions are linked and sorted, and its identity has their digests") {
  const CheckedApplication app =
      CheckedApplication::from_text({kTemplate, {{"Split", kSplit}, {"Count", kCount}}});
  const std::vector<Function> functions = app.functions();
  REQUIRE(functions.size() == 2);
  CHECK(functions[0].name() == "Count");
  CHECK(functions[1].name() == "Split");
  CHECK(functions[1].is_entry());
  CHECK((functions[0].is_linked() && functions[1].is_linked()));
  const ApplicationIdentity identity = app.identity();
  CHECK(identity.name == "words");
  CHECK(identity.functions.at("Split") == functions[1].digest());
  CHECK(identity.functions.size() == 2);
}

TEST_CASE("text and directory are one application to a session, and find the same") {
  const ApplicationDir dir;
  const std::string odd = R"({"Name": "Count",
  "Next": {"Name": "Nobody", "InputType": "Scalar"}, "Colour": 1})";
  dir.write("unum-template.yaml", kTemplate);
  dir.write("split/unum_config.json", kSplit);
  dir.write("count/unum_config.json", kCount);
  const ApplicationText good{kTemplate, {{"Split", kSplit}, {"Count", kCount}}};
  const ApplicationIdentity text = CheckedApplication::from_text(good).identity();
  const ApplicationIdentity read = CheckedApplication::load(dir.path().string()).identity();
  CHECK(text.name == read.name);
  CHECK(text.functions == read.functions);

  dir.write("count/unum_config.json", odd);
  std::vector<Finding> expected;
  CHECK_THROWS(CheckedApplication::load(
      dir.path().string(), [&](const Finding& finding) { expected.push_back(finding); }));
  const std::vector<Finding> found = findings_of({kTemplate, {{"Split", kSplit}, {"Count", odd}}});
  CHECK(lines_of(found) == lines_of(expected));
  CHECK_THAT(lines_of(found), ContainsSubstring("count/unum_config.json:2: "));
}

TEST_CASE("what is missing from the text, or too much in it, is named") {
  CHECK_THAT(lines_of(findings_of({kTemplate, {{"Split", kSplit}}})),
             ContainsSubstring("unum-template.yaml:6: function Count has no configuration"));
  CHECK_THAT(
      lines_of(findings_of({kTemplate, {{"Split", kSplit}, {"Count", kCount}, {"Cuont", kCount}}})),
      ContainsSubstring("a configuration of Cuont, which is none of the template's Functions"));
  CHECK_THAT(
      lines_of(findings_of({kTemplate, {{"Split", kCount}, {"Count", kCount}}})),
      ContainsSubstring("split/unum_config.json:1: Name is \"Count\"; it must be \"Split\""));
  CHECK_THAT(lines_of(findings_of({"", {}})), ContainsSubstring("unum-template.yaml"));
  CHECK_THAT(lines_of(findings_of({std::string(1 << 24, '#'), {}})),
             ContainsSubstring("unum-template.yaml is larger than"));
  const std::string large = kCount + std::string(1 << 24, ' ');
  CHECK_THAT(lines_of(findings_of({kTemplate, {{"Split", kSplit}, {"Count", large}}})),
             ContainsSubstring("count/unum_config.json is larger than"));
}

TEST_CASE("two functions of text cannot share a directory either") {
  const char* const shared = R"(
Functions:
  A: {Properties: {CodeUri: a/, Runtime: native, Start: true}}
  B: {Properties: {CodeUri: ./a, Runtime: native}}
)";
  CHECK_THAT(
      lines_of(findings_of({shared, {{"A", R"({"Name": "A"})"}, {"B", R"({"Name": "B"})"}}})),
      ContainsSubstring("unum-template.yaml:4: Functions.B.Properties.CodeUri is ./a, the "
                        "directory of A too"));
}

TEST_CASE("an application of text without a name has its directory's, or else its entry's") {
  ApplicationText text{"Functions: {F: {Properties: {CodeUri: f, Runtime: native, Start: true}}}",
                       {{"F", R"({"Name": "F"})"}}};
  CHECK(CheckedApplication::from_text(text).name() == "F");
  CHECK(CheckedApplication::from_text(text).store_name() == ".unum/store");
  text.directory = "/nowhere/words/";
  CHECK(CheckedApplication::from_text(text).store_name() == "/nowhere/words/.unum/store");
  text.directory = "/nowhere/words";
  CHECK(CheckedApplication::from_text(text).name() == "words");
}
