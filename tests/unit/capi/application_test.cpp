// The C interface: whole applications, and what the log says of them.
#include <fstream>
#include <map>

#include "capi.hpp"
#include "unum/json.hpp"

using namespace unum;
using namespace unum::test;

namespace {

std::string example(const std::string& name) {
  return std::string(std::getenv("UNUM_SOURCE_ROOT")) + "/examples/" + name;
}

/// A template with another name for its application.
std::string renamed(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.insert(text.find("ApplicationName: ") + 17, "another-");
}

unum_application* load(const CLoop& loop, const std::string& directory, unum_status expected) {
  unum_application* application = nullptr;
  CHECK(unum_application_load(loop.get(), c_text(directory), &application) == expected);
  return application;
}

}  // namespace

TEST_CASE("an example runs as by the command, with its lines and its result", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const Scratch scratch;
  REQUIRE(open_c_store(loop, "fs", scratch / "store") != nullptr);
  unum_application* application = load(loop, example("word-count"), UNUM_OK);
  REQUIRE(application != nullptr);
  CHECK(std_text(unum_application_name(application)) == "word-count");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < unum_application_function_count(application); ++i) {
    unum_function* function = nullptr;
    REQUIRE(unum_application_function(application, i, &function) == UNUM_OK);
    names.push_back(std_text(unum_function_name(function)));
  }
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::find(names.begin(), names.end(), std_text(unum_application_entry(application))) !=
        names.end());
  const std::string store = "fs:" + (scratch / "store");
  std::ifstream file(example("word-count") + "/input.json");
  const std::string input((std::istreambuf_iterator<char>(file)), {});
  unum_run_options options{};
  options.struct_bytes = sizeof options;
  options.input = c_text(input);
  options.session = c_text("once");
  options.store = c_text(store);
  for (int round = 0; round < 2; ++round) {
    const COp op(unum_application_run(application, &options, nullptr));
    const unum_status status = op.wait();
    INFO((status == UNUM_OK ? "" : op.message()));
    REQUIRE(status == UNUM_OK);
    const unum_run_result* result = unum_op_run_result(op.get());
    REQUIRE(result != nullptr);
    CHECK(result->status == UNUM_RUN_SUCCEEDED);
    CHECK(std_text(result->session) == "once");
    CHECK(result->result.data != nullptr);
    CHECK(unum_op_count(op.get()) == 0);
    if (round == 1) CHECK(result->user_code_runs == 0);  // it goes on from what is stored
  }
  CHECK(unum_application_free(application) == UNUM_OK);
  CHECK(unum_application_name(application).data == nullptr);
}

TEST_CASE("sessions of another application are refused to a runtime that names its own", "[capi]") {
  ON_EACH_C_LOOP(loop);
  unum_store* store = open_c_store(loop, "memory", fresh_name());
  unum_application* application = load(loop, example("chain-100"), UNUM_OK);
  const Scratch scratch;
  std::filesystem::copy(example("chain-100"), scratch.path(),
                        std::filesystem::copy_options::recursive);
  std::ofstream(scratch / "unum-template.yaml", std::ios::trunc)
      << renamed(example("chain-100") + "/unum-template.yaml");
  unum_application* other = load(loop, scratch.path(), UNUM_OK);
  const unum_code echo{
      sizeof echo,
      [](unum_call* call, void*) { CHECK(unum_call_succeed(call, c_text("1")) == UNUM_OK); },
      nullptr, nullptr};
  const auto step_entry = [&](unum_application* of) {
    unum_runtime_options options{};
    options.struct_bytes = sizeof options;
    options.invoke = [](unum_invocation* invocation, void*) {
      CHECK(unum_invocation_accepted(invocation) == UNUM_OK);
    };
    options.application = of;
    unum_runtime* runtime = nullptr;
    REQUIRE(unum_runtime_new(store, &options, &runtime) == UNUM_OK);
    unum_function* entry = nullptr;
    for (std::size_t i = 0; i < unum_application_function_count(of); ++i) {
      unum_function* function = nullptr;
      REQUIRE(unum_application_function(of, i, &function) == UNUM_OK);
      const std::string name = std_text(unum_function_name(function));
      if (name == std_text(unum_application_entry(of))) entry = function;
    }
    unum_text payload{};
    REQUIRE(unum_entry_payload(loop.get(), c_text("1"), c_text("s"), &payload) == UNUM_OK);
    const COp op(unum_runtime_step(runtime, entry, payload, 1, &echo, nullptr));
    const unum_status status = op.wait();
    return status == UNUM_OK ? std::string("accepted") : op.code();
  };
  CHECK(step_entry(application) == "accepted");
  CHECK(step_entry(application) == "accepted");
  CHECK(step_entry(other) == "Unum.OtherApplication");
}

TEST_CASE("an application of text runs with code and a store of the caller's", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const bool later = GENERATE(false, true);
  const std::string yaml =
      "Globals: {ApplicationName: squares}\nFunctions:\n"
      "  Map: {Properties: {CodeUri: map/, Runtime: native, Start: true}}\n"
      "  Square: {Properties: {CodeUri: square/, Runtime: native}}\n"
      "  Sum: {Properties: {CodeUri: sum/, Runtime: native}}\n";
  const std::map<std::string, std::string> files = {
      {"Map", R"({"Name": "Map", "Next": {"Name": "Square", "InputType": "Map"}})"},
      {"Square", R"({"Name": "Square", "Next": {"Name": "Sum", "Payload Modifiers": ["Pop"],
                     "InputType": {"Fan-in": {"Values": ["Square-unumIndex-*"]}}}})"},
      {"Sum", R"({"Name": "Sum"})"}};
  std::vector<unum_configuration> configurations;
  for (const auto& [name, text] : files) {
    configurations.push_back({sizeof(unum_configuration), c_text(name), c_text(text)});
  }
  unum_application* application = nullptr;
  REQUIRE(unum_application_parse(loop.get(), c_text(yaml), configurations.data(),
                                 configurations.size(), {nullptr, 0}, &application) == UNUM_OK);
  // What is deployed of one function alone is the same function.
  for (std::size_t i = 0; i < unum_application_function_count(application); ++i) {
    unum_function* function = nullptr;
    REQUIRE(unum_application_function(application, i, &function) == UNUM_OK);
    const std::string text = std_text(unum_function_configuration(function));
    CHECK_THAT(text, ContainsSubstring("Linked"));
    unum_function* again = nullptr;
    REQUIRE(unum_function_parse(loop.get(), c_text(text), c_text("linked"), &again) == UNUM_OK);
    CHECK(std_text(unum_function_configuration(again)) == text);
  }

  struct Code {
    bool later;
    std::vector<unum_call*> waiting;
    static void answer(unum_call* call) {
      const std::string input = std_text(unum_call_info(call)->input);
      const bool maps = std_text(unum_call_info(call)->function) == "Map";
      CHECK(unum_call_succeed(call, c_text(maps ? "[1,2,3]" : input)) == UNUM_OK);
    }
    static void run(unum_call* call, void* user) {
      Code& own = *static_cast<Code*>(user);
      own.later ? own.waiting.push_back(call) : answer(call);
    }
  } code{later, {}};
  const unum_code callbacks{sizeof callbacks, &Code::run, nullptr, &code};
  std::vector<unum_function_code> codes;
  for (const auto& [name, text] : files) {
    codes.push_back({sizeof(unum_function_code), c_text(name), &callbacks});
  }
  unum_store* store = open_c_store(loop, "memory", fresh_name());
  unum_run_options options{};
  options.struct_bytes = sizeof options;
  options.opened = store;
  options.codes = codes.data();
  options.code_count = codes.size();
  const COp op(unum_application_run(application, &options, nullptr));
  while (unum_op_status(op.get()) == UNUM_PENDING) {
    unum_loop_run(loop.get(), code.waiting.empty() ? -1 : 0);
    for (unum_call* call : std::exchange(code.waiting, {})) Code::answer(call);
  }
  INFO((unum_op_status(op.get()) == UNUM_OK ? std::string() : op.message()));
  REQUIRE(unum_op_status(op.get()) == UNUM_OK);
  CHECK(std_text(unum_op_run_result(op.get())->result) == "[1,2,3]");
  CHECK(unum_op_run_result(op.get())->user_code_runs == 5);
  // The store is as open as before.
  const COp sessions(unum_store_list_sessions(store, nullptr));
  REQUIRE(sessions.wait() == UNUM_OK);
  CHECK(unum_op_count(sessions.get()) == 1);

  codes.pop_back();
  options.code_count = codes.size();
  const COp lacking(unum_application_run(application, &options, nullptr));
  CHECK(lacking.wait() == UNUM_INVALID);
  CHECK_THAT(lacking.message(), ContainsSubstring("Sum"));
  codes.push_back({sizeof(unum_function_code), c_text("Other"), &callbacks});
  options.codes = codes.data();
  options.code_count = codes.size();
  const COp unknown(unum_application_run(application, &options, nullptr));
  CHECK(unknown.wait() == UNUM_INVALID);
  CHECK_THAT(unknown.message(), ContainsSubstring("Other"));
  const CLoop another(UNUM_BACKEND_EPOLL);
  options.opened = open_c_store(another, "memory", fresh_name());
  const COp mixed(unum_application_run(application, &options, nullptr));
  CHECK(mixed.wait() == UNUM_BUG);
  CHECK(mixed.code() == "Unum.OtherLoop");
  CHECK(unum_application_parse(loop.get(), c_text(yaml), nullptr, 3, {nullptr, 0}, &application) ==
        UNUM_INVALID);
}

TEST_CASE("an application that is refused says why, and cannot be run", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const Scratch scratch;
  std::ofstream(scratch / "unum-template.yaml")
      << "Globals: {ApplicationName: broken}\n"
         "Functions:\n  F: {Properties: {CodeUri: no/}}\n";
  unum_application* application = load(loop, scratch.path(), UNUM_INVALID);
  CHECK(last_code() == "Unum.Refused");
  REQUIRE(application != nullptr);
  const std::string findings = std_text(unum_application_findings(application));
  CHECK_THAT(findings, ContainsSubstring(R"("severity":"error")"));
  CHECK_THAT(findings, ContainsSubstring(R"("file":"unum-template.yaml","line":)"));
  CHECK(json::validate(findings, "the findings").text().front() == '[');
  CHECK(unum_application_function_count(application) == 0);
  const COp op(unum_application_run(application, nullptr, nullptr));
  CHECK(op.wait() == UNUM_INVALID);
  CHECK(load(loop, scratch / "nowhere", UNUM_INVALID) != nullptr);
}

TEST_CASE("a workflow that fails is a result with its failures", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const Scratch scratch;
  std::filesystem::create_directory(scratch / "f");
  std::ofstream(scratch / "unum-template.yaml")
      << "Globals: {ApplicationName: failing}\nFunctions:\n  F: {Properties: {CodeUri: f/, "
         "Runtime: python3.11, Start: true}}\n";
  std::ofstream(scratch / "f/unum_config.json") << R"({"Name": "F"})";
  std::ofstream(scratch / "f/app.py") << "def lambda_handler(event, context):\n"
                                         "    print('a line')\n    raise ValueError('no')\n";
  unum_application* application = load(loop, scratch.path(), UNUM_OK);
  std::string printed;
  unum_run_options options{};
  options.struct_bytes = sizeof options;
  options.user = &printed;
  options.printed = [](unum_text instance, unum_text line, void* user) {
    *static_cast<std::string*>(user) += std_text(instance) + ": " + std_text(line) + "\n";
  };
  const COp op(unum_application_run(application, &options, nullptr));
  REQUIRE(op.wait() == UNUM_OK);
  const unum_run_result* result = unum_op_run_result(op.get());
  CHECK(result->status == UNUM_RUN_FAILED);
  CHECK(result->result.data == nullptr);
  REQUIRE(unum_op_count(op.get()) == 1);
  const unum_failure* failure = unum_op_failure(op.get(), 0);
  CHECK(std_text(failure->instance) == "F");
  CHECK(std_text(failure->error) == "ValueError");
  CHECK(unum_op_failure(op.get(), 1) == nullptr);
  // What was given stays until the op is freed, whatever is asked for beside it.
  CHECK(result->status == UNUM_RUN_FAILED);
  CHECK(unum_op_run_result(op.get()) == result);
  CHECK(printed == "F: a line\n");
}

TEST_CASE("the log goes where it is told", "[capi]") {
  ON_EACH_C_LOOP(loop);
  std::string lines;
  const unum_log log = [](unum_text level, unum_text area, unum_text, unum_text, unum_text line,
                          void* user) {
    *static_cast<std::string*>(user) +=
        std_text(level) + " " + std_text(area) + " " + std_text(line) + "\n";
  };
  CHECK(unum_set_log(c_text("loud"), log, &lines) == UNUM_INVALID);
  REQUIRE(unum_set_log(c_text("info"), log, &lines) == UNUM_OK);
  const CLoop other(UNUM_BACKEND_EPOLL);
  CHECK_THAT(lines, ContainsSubstring("info reactor begins: epoll"));
  REQUIRE(unum_set_log(c_text("off"), nullptr, nullptr) == UNUM_OK);
}
