// What linking adds to a function, as text and read again.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "application/application.hpp"
#include "application/link.hpp"
#include "check_texts.hpp"
#include "unum/error.hpp"
#include "workflow/ir.hpp"

using namespace unum;

namespace {

FunctionIr read(std::string_view text) {
  ParsedIr parsed = parse_ir(text, "linked.json", IndexOrder::innermost_first);
  CHECK(parsed.warnings.empty());
  return std::move(parsed.function);
}

/// Links the application, and checks that each function is the same after a way through text.
void expect_the_same(Application application) {
  link(application);
  for (const FunctionSettings& function : application.functions) {
    const std::string text = to_json(function.ir);
    CAPTURE(text);
    const FunctionIr again = read(text);
    CHECK(again.linked);
    CHECK(again.named_in_values == function.ir.named_in_values);
    CHECK(linked_text(again) == linked_text(function.ir));
    CHECK(again.start == function.ir.start);
    CHECK(to_json(again) == text);
    const Function public_again = Function::parse(text, "linked.json");
    CHECK(public_again.is_linked());
    CHECK(public_again.digest() == Function(function.ir).digest());
    CHECK(public_again.text() == text);
  }
}

std::string refusal_of(std::string_view text) {
  try {
    parse_ir(text, "linked.json", IndexOrder::innermost_first);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid);
    return error.message();
  }
  return "";
}

constexpr const char* kContributor = R"({"Name": "F", "Linked": {}, "Next": {"Name": "A",
    "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}}, "Linked": {"SoleReader": true}}})";

}  // namespace

TEST_CASE("a linked function is the same when its text is read again, in every example") {
  const char* root = std::getenv("UNUM_SOURCE_ROOT");
  REQUIRE(root != nullptr);
  std::size_t applications = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(root) / "examples")) {
    if (!std::filesystem::exists(entry.path() / "unum-template.yaml")) continue;
    CAPTURE(entry.path());
    expect_the_same(load_application(entry.path()));
    ++applications;
  }
  CHECK(applications >= 10);
}

TEST_CASE("where an empty map goes on stands in the text, with what asks for it there") {
  ApplicationDir dir;
  dir.function("S", next(scalar("M"), scalar("B")));
  dir.function("M", next(map("G")));
  dir.function(
      "G", R"(, "Next": {"Name": "A", "Conditional": "$1 > 0", "Payload Modifiers": ["Pop", "Pop"],
      "InputType": {"Fan-in": {"Values": ["G-unumIndex-0.*", "B-unumIndex-1"]}}})");
  dir.function("B", R"(, "Next": {"Name": "A", "Payload Modifiers": ["Pop"],
      "InputType": {"Fan-in": {"Values": ["G-unumIndex-0.*", "B-unumIndex-1"]}}})");
  dir.function("A", "");
  Application application = load_application(dir.path());
  expect_the_same(application);
  link(application);
  const std::string text = to_json(application.find("M")->ir);
  CHECK(text.find("\"OnEmpty\"") != std::string::npos);
  CHECK(text.find("\"B-unumIndex-1\"") != std::string::npos);
}

TEST_CASE("an entry that the template alone names is one in the linked text, too") {
  ApplicationDir dir;
  dir.function("S", next(scalar("A")));
  dir.function("A", "");
  Application application = load_application(dir.path());
  REQUIRE(application.find("S")->ir.start);
  CHECK(read(to_json(application.find("S")->ir)).start);
  expect_the_same(std::move(application));
}

TEST_CASE(
    "names of several numbers keep their meaning, whatever order the template reads them in") {
  ApplicationDir dir;
  dir.globals("  IndexOrder: outermost-first\n");
  dir.function("M", next(map("N")));
  dir.function("N", next(map("G")));
  dir.function("G", next(fan_in("A", R"("G-unumIndex-1.2")")));
  dir.function("A", "");
  const Application application = load_application(dir.path());
  const FunctionIr& original = application.find("G")->ir;
  const FunctionIr again = read(to_json(original));
  CHECK(again.edges.front().values.front().text() == "G-unumIndex-2.1");
  CHECK(again.edges.front().values.front().literal_indexes() ==
        original.edges.front().values.front().literal_indexes());
  expect_the_same(application);
}

TEST_CASE("the text of a function that is not linked says nothing of other functions") {
  const Function alone = Function::parse(R"({"Name": "M", "Next": {"Name": "G",
                                             "InputType": "Map"}})",
                                         "m.json");
  CHECK(alone.text().find("Linked") == std::string::npos);
  CHECK(Function::parse(alone.text(), "m.json").digest() == alone.digest());
}

TEST_CASE("an application of linked texts is warned of, and linked anew") {
  ApplicationDir dir;
  dir.function("M", R"(, "Linked": {"NamedInValues": true}, "Next": )" + map("G"));
  dir.function("G", next(fan_in("A", kAll)));
  dir.function("A", "");
  CHECK(check(dir) == " | linked");
  CHECK(says("written by `unum link`"));
  CHECK_FALSE(load_application(dir.path()).find("M")->ir.named_in_values);
}

TEST_CASE("text that is linked in part is refused by name") {
  CHECK(read(kContributor).edges.front().sole_reader);
  CHECK_FALSE(read(kContributor).edges.front().requested_elsewhere);
  const std::string text = kContributor;
  const auto without = [&](std::string_view part) {
    std::string changed = text;
    return changed.erase(changed.find(part), part.size());
  };
  CHECK(refusal_of(without(R"("Linked": {}, )")).find("not linked itself") != std::string::npos);
  CHECK(refusal_of(without(R"(, "Linked": {"SoleReader": true})")).find("Linked") !=
        std::string::npos);
  CHECK(refusal_of(R"({"Name": "F", "Linked": true})").find("unum link") != std::string::npos);
  CHECK(refusal_of(R"({"Name": "F", "Linked": {}, "Next": {"Name": "A", "InputType": "Scalar",
                       "Linked": {}}})")
            .find("not a Fan-in") != std::string::npos);
  CHECK(refusal_of(R"({"Name": "F", "Linked": {}, "Next": {"Name": "A", "InputType": "Map",
                       "OnEmpty": {"Name": "C"}}})")
            .find("Linked") != std::string::npos);
}

TEST_CASE("a member of Linked that is not known is refused: it was meant") {
  CHECK(refusal_of(R"({"Name": "F", "Linked": {"SiblingExist": true}})")
            .find("linked.json:1: Linked.SiblingExist is not known to this version of unum") !=
        std::string::npos);
  CHECK(refusal_of(R"({"Name": "F", "Linked": {}, "Next": {"Name": "A", "InputType": {"Fan-in":
                       {"Values": ["F"]}}, "Linked": {"Reader": true}}})")
            .find("Next.Linked.Reader is not known") != std::string::npos);
  CHECK(refusal_of(R"({"Name": "F", "Linked": {}, "Next": {"Name": "G", "InputType": "Map",
                       "OnEmpty": {"Name": "A", "Linked": {"InnerLevels": 1, "Values": [],
                       "Conditionals": [], "More": 1}}}})")
            .find("Next.OnEmpty.Linked.More is not known") != std::string::npos);
  CHECK(refusal_of(R"({"Name": "F", "Linked": {"NamedInValues": 1}})").find("true or false") !=
        std::string::npos);
}

TEST_CASE("linking an application again that was read from linked text changes nothing") {
  ApplicationDir dir;
  dir.function("M", next(map("G")));
  dir.function("G", next(fan_in("A", kAll)));
  dir.function("A", "");
  Application application = load_application(dir.path());
  link(application);
  Application again = application;
  for (FunctionSettings& function : again.functions) function.ir = read(to_json(function.ir));
  link(again);
  for (const FunctionSettings& function : application.functions) {
    CHECK(to_json(again.find(function.name())->ir) == to_json(function.ir));
  }
}
