// The template: every field, its default, and a line number in every message.
#include "application/template.hpp"

#include "application/yaml_document.hpp"
#include "application_dir.hpp"
#include "catch.hpp"
#include "unum/error.hpp"

using namespace unum;

namespace {

struct Read {
  Template value;
  std::vector<Finding> findings;
};

Read read(const std::string& text) {
  Read out;
  out.value = parse_template(text, "unum-template.yaml", out.findings);
  return out;
}

const std::string kFunctions = R"(
Functions:
  F:
    Properties:
      CodeUri: f
      Runtime: python3.11
)";

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

/// The lines of the findings for Globals with one more line, which is line 2.
std::string globals(const std::string& line) {
  return lines_of(read("Globals:\n  " + line + kFunctions).findings);
}

std::string properties(const std::string& line) {
  return lines_of(
      read("Functions:\n  F:\n    Properties:\n      CodeUri: f\n      Runtime: native\n      " +
           line + "\n")
          .findings);
}

}  // namespace

TEST_CASE("a template with nothing but functions has the documented defaults") {
  const Read out = read(kFunctions);
  CHECK(lines_of(out.findings).empty());
  const Template& t = out.value;
  CHECK(t.application_name.empty());
  CHECK(t.platform == FaasPlatform::local);
  CHECK(t.store.type == StoreType::fs);
  CHECK(t.store.name == ".unum/store");
  CHECK_FALSE(t.store.named);
  CHECK(t.checkpoint);
  CHECK_FALSE(t.debug);
  CHECK(t.memory_mb == 512);
  CHECK(t.timeout_seconds == 60);
  CHECK(t.read_consistency == ReadConsistency::strong);
  CHECK(t.index_order == IndexOrder::innermost_first);
  REQUIRE(t.functions.size() == 1);
  CHECK(t.functions[0].name == "F");
  CHECK(t.functions[0].line == 3);
  CHECK(t.functions[0].handler == "app.lambda_handler");
  CHECK_FALSE(t.functions[0].start.has_value());
}

TEST_CASE("every field of a template is read") {
  const Read out = read(R"(
Globals:
  ApplicationName: words
  WorkflowType: unum
  FaaSPlatform: aws
  UnumIntermediaryDataStoreType: s3
  UnumIntermediaryDataStoreName: bucket/prefix
  Checkpoint: False
  GC: false
  Debug: true
  MemorySize: 1024
  Timeout: 900
  ReadConsistency: eventual
  IndexOrder: outermost-first
Functions:
  F:
    Type: Function
    Properties:
      CodeUri: code/f/
      Runtime: nodejs20.x
      Handler: main.handle
      Start: true
      Policies: [AWSLambdaBasicExecutionRole, {S3CrudPolicy: {BucketName: b}}]
      Environment: {A: text, B: 10, C: true, D: "", E: 1.50}
      MemorySize: 256
      Timeout: 5
)");
  CHECK(lines_of(out.findings).empty());
  const Template& t = out.value;
  CHECK(t.application_name == "words");
  CHECK(t.platform == FaasPlatform::aws);
  CHECK(t.store.type == StoreType::s3);
  CHECK(t.store.name == "bucket/prefix");
  CHECK(t.store.named);
  CHECK_FALSE(t.checkpoint);
  CHECK(t.debug);
  CHECK(t.memory_mb == 1024);
  CHECK(t.timeout_seconds == 900);
  CHECK(t.read_consistency == ReadConsistency::eventual);
  CHECK(t.index_order == IndexOrder::outermost_first);
  REQUIRE(t.functions.size() == 1);
  const TemplateFunction& f = t.functions[0];
  CHECK(f.code_uri == "code/f");
  CHECK(f.runtime == "nodejs20.x");
  CHECK(f.handler == "main.handle");
  CHECK(f.start == true);
  REQUIRE(f.policies.size() == 2);
  CHECK(f.policies[0] == "AWSLambdaBasicExecutionRole");
  CHECK(has(f.policies[1], R"({"BucketName": "b"})"));
  CHECK(f.environment == std::map<std::string, std::string>{
                             {"A", "text"}, {"B", "10"}, {"C", "true"}, {"D", ""}, {"E", "1.50"}});
  CHECK(f.memory_mb == 256);
  CHECK(f.timeout_seconds == 5);
}

TEST_CASE("the older names of stores are read") {
  const std::string name = "\n  UnumIntermediaryDataStoreName: x" + kFunctions;
  const auto type = [&](const std::string& word) {
    return read("Globals:\n  UnumIntermediaryDataStoreType: " + word + name).value.store.type;
  };
  CHECK(type("elasticache") == StoreType::redis);
  CHECK(type("efs") == StoreType::fs);
  CHECK(type("memory") == StoreType::memory);
}

TEST_CASE("a store other than fs needs a name, and the unnamed default is not a named store") {
  CHECK(
      has(globals("UnumIntermediaryDataStoreType: dynamodb"),
          "error template unum-template.yaml:2: Globals.UnumIntermediaryDataStoreName is missing; "
          "with dynamodb it must be the table"));
  CHECK(globals("UnumIntermediaryDataStoreType: fs").empty());
  CHECK(globals("UnumIntermediaryDataStoreType: memory").empty());
  CHECK(read("Globals: {UnumIntermediaryDataStoreName: d}" + kFunctions).value.store.named);
}

TEST_CASE("a queue as the data store is refused with the reason") {
  for (const char* queue : {"sqs", "SNS", "kafka", "pubsub", "EventBridge", "kinesis"}) {
    CHECK(has(globals(std::string("UnumIntermediaryDataStoreType: ") + queue),
              "unum-template.yaml:2: Globals.UnumIntermediaryDataStoreType is " +
                  std::string(queue) +
                  ": a queue or publish/subscribe service cannot be the data store, because a data "
                  "store must be able to read and write single items by name"));
  }
  CHECK(has(globals("UnumIntermediaryDataStoreType: dynamo"), "(did you mean \"dynamodb\"?)"));
  CHECK(has(globals("UnumIntermediaryDataStoreType: [s3]"), "is a list; it must be fs, redis"));
}

TEST_CASE("wrong types and values name line, field and what would be right") {
  CHECK(
      has(globals("Checkpoint: 'yes'"),
          "error template unum-template.yaml:2: Globals.Checkpoint is \"yes\"; it must be true or "
          "false, without quotes"));
  CHECK(has(globals("Timeout: 0"),
            "Globals.Timeout is 0; it must be a whole number of seconds from 1"));
  CHECK(has(globals("Timeout: 1.5"), "Globals.Timeout is 1.5; it must be a whole number"));
  CHECK(has(globals("Timeout: 99999999999999999999"), "it must be a whole number of seconds"));
  CHECK(has(globals("MemorySize: big"),
            "Globals.MemorySize is big; it must be a whole number of meg"));
  CHECK(has(globals("FaaSPlatform: gcloud"),
            "Globals.FaaSPlatform is gcloud; it must be aws, local, redis or http"));
  CHECK(has(globals("IndexOrder: innermost"), "it must be innermost-first or outermost-first"));
  CHECK(
      has(globals("ApplicationName: [a]"), "Globals.ApplicationName is a list; it must be a name"));
  CHECK(has(globals("ApplicationName:"), "Globals.ApplicationName is empty"));
  CHECK(has(globals("WorkflowType: step-functions"), "is not supported in this release"));
  CHECK(globals("GC: true").empty());
  CHECK(has(globals("WorkflowDefinition: x.json"), "warning template unum-template.yaml:2: "));
  CHECK(has(properties("Start: 1"),
            "unum-template.yaml:6: Functions.F.Properties.Start is 1; it must"));
  CHECK(has(properties("Policies: x"), "it must be a list of policies"));
  CHECK(has(properties("Environment: [A]"), "it must be a mapping from names to values"));
  CHECK(has(properties("Environment: {A: [1]}"),
            "Functions.F.Properties.Environment.A is a list; it must be a string"));
  CHECK(has(properties("Environment: {A: }"), "(\"\" for an empty one)"));
  CHECK(has(properties("Environment: {A=B: x}"), "a name has no '='"));
}

TEST_CASE("a function needs a directory and a runtime") {
  CHECK(has(lines_of(read("Functions:\n  F:\n    Properties:\n      Runtime: native\n").findings),
            "unum-template.yaml:4: Functions.F.Properties.CodeUri is missing"));
  const auto with = [](const std::string& uri, const std::string& runtime) {
    return lines_of(read("Functions:\n  F:\n    Properties:\n      CodeUri: " + uri +
                         "\n      Runtime: " + runtime + "\n")
                        .findings);
  };
  CHECK(has(with("/abs", "native"), ":4: Functions.F.Properties.CodeUri is /abs; it must be"));
  CHECK(has(with("f", "ruby3.2"),
            ":5: Functions.F.Properties.Runtime is ruby3.2; it must be python3.x"));
  for (const char* runtime :
       {"python3.8", "python3.13", "nodejs18.x", "nodejs22.x", "provided.al2023", "native"}) {
    CHECK(with("f", runtime).empty());
  }
  for (const char* runtime :
       {"python", "python3.", "python2.7", "nodejs20", "provided", "Native"}) {
    CHECK(has(with("f", runtime), "Runtime is "));
  }
  CHECK(has(lines_of(read("Functions:\n  F: f/\n").findings),
            "unum-template.yaml:2: Functions.F is f/; it must be a mapping with Properties"));
  CHECK(has(lines_of(read("Functions:\n  F:\n    CodeUri: f\n").findings),
            "unum-template.yaml:2: Functions.F.Properties is missing"));
  CHECK(
      has(lines_of(read("Functions:\n  F-output:\n    Properties: {CodeUri: f, Runtime: native}\n")
                       .findings),
          "unum-template.yaml:2: Functions: the name \"F-output\""));
}

TEST_CASE("unknown fields are warnings with their line, ignorable ones are silent") {
  const std::string lines = lines_of(
      read("Globals:\n  TimeOut: 3\nFunctions:\n  F:\n    Type: x\n    Mode: y\n    "
           "Properties:\n      CodeUri: f\n      Runtime: native\n      Colour: red\nOther: 1\n")
          .findings);
  CHECK(lines ==
        "warning template unum-template.yaml:2: Globals.TimeOut is not a known field and has no "
        "effect "
        "(did you mean \"Timeout\"?)\n"
        "warning template unum-template.yaml:10: Functions.F.Properties.Colour is not a known "
        "field and "
        "has no effect\n"
        "warning template unum-template.yaml:11: Other is not a known field and has no effect\n");
}

TEST_CASE("all mistakes of a template are shown at once") {
  const Read out = read("Globals: {Checkpoint: 1, Debug: 2}\nFunctions: {F: {Properties: {}}}\n");
  CHECK(out.findings.size() == 4);
  CHECK(out.value.functions.size() == 1);
}

TEST_CASE("what is not a template is refused with a line") {
  const auto first = [](const std::string& text) { return lines_of(read(text).findings); };
  CHECK(has(first(""), "unum-template.yaml:1: the template is empty; it must be a mapping"));
  CHECK(has(first("- a\n"), "unum-template.yaml:1: the template is a list"));
  CHECK(has(first("Globals: {}\n"), "Functions is missing"));
  CHECK(has(first("Functions: {}\n"), "Functions is empty"));
  CHECK(has(first("Functions: [F]\n"), "Functions is a list"));
  CHECK(has(first("Globals: 3\n" + kFunctions),
            "unum-template.yaml:1: Globals is 3; it must be a map"));
  CHECK(has(first("Functions:\n  F: [\n"), "not valid YAML"));
  CHECK(has(first("Functions:\n\tF: 1\n"), "unum-template.yaml:2: not valid YAML"));
  CHECK(has(first("a: 1\nb: 2\na: 3\n"),
            "unum-template.yaml:3: the key \"a\" stands here again; first on line 1"));
  CHECK(has(first("a: 1\n---\nb: 2\n"), "a second document begins here"));
  CHECK(has(first("a: !!python/object:os.system x\n"), "unum-template.yaml:1: the tag "));
  CHECK(has(first("b: &x {c: 1}\na:\n  <<: *x\n"), "unum-template.yaml:3: merge keys"));
  CHECK(has(first("? [a]\n: b\n"), "a key must be a plain name"));
}

TEST_CASE("YAML that would overflow the stack or the memory is refused") {
  const auto message = [](const std::string& text) {
    try {
      parse_yaml(text, "t.yaml");
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("accepted");
  };
  CHECK(has(message(std::string(70, '[') + std::string(70, ']')),
            "t.yaml:1: nested deeper than 64 levels"));
  CHECK(has(message(std::string(100'000, '[')), "t.yaml:1: "));
  CHECK(has(message(std::string(100'000, '{')), "t.yaml:1: "));
  std::string block;
  for (int i = 0; i < 20'000; ++i) block += "- ";
  CHECK(has(message(block), "t.yaml:1: nested deeper than 64 levels"));
  CHECK(has(message(std::string(2'000'000, 'a')), "the file is larger than"));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 9; ++k) bomb += ", " + before;
    bomb += "]\n";
  }
  CHECK(has(message(bomb), "aliases counted in full"));
  std::string deep = "a0: &a0 " + std::string(50, '[') + std::string(50, ']') + "\n";
  for (int i = 1; i < 100; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " " + std::string(50, '[') +
            "*a" + std::to_string(i - 1) + std::string(50, ']') + "\n";
  }
  CHECK(has(message(deep), "nested deeper than 64 levels"));
}

TEST_CASE("aliases stand for what they name") {
  const Read out = read(
      "Functions:\n  F:\n    Properties: &p\n      CodeUri: f\n      Runtime: native\n"
      "  G:\n    Properties: *p\n");
  CHECK(lines_of(out.findings).empty());
  REQUIRE(out.value.functions.size() == 2);
  CHECK(out.value.functions[1].code_uri == "f");
}

TEST_CASE("YAML becomes JSON by the core schema, every value on its line") {
  const auto json = [](const std::string& text) {
    return yaml_to_json(parse_yaml(text, "c.yaml"), "c.yaml");
  };
  CHECK(
      json("a: yes\nb: True\nc: '1'\nd: -007\ne: ~\nf: .5\ng: 1.\nh: +3\ni: 0.10e3\n") ==
      "{\"a\": \"yes\", \n\"b\": true, \n\"c\": \"1\", \n\"d\": -7, \n\"e\": null, \n\"f\": 0.5, \n"
      "\"g\": 1.0, \n\"h\": 3, \n\"i\": 0.10e3}\n");
  CHECK(json("\n\nNext:\n  - Name: G\n    InputType: Map\n") ==
        "\n\n{\"Next\": \n[{\"Name\": \"G\", \n\"InputType\": \"Map\"}]}\n");
  CHECK_THROWS_AS(json("a: .inf\n"), Error);
  CHECK_THROWS_AS(json("a: .nan\n"), Error);
}
