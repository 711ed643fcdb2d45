// Names in AWS Lambda: of functions, of errors, in paths.
#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "hosts/lambda/deployment.hpp"
#include "hosts/lambda/function_names.hpp"
#include "hosts/lambda/runtime_api.hpp"
#include "unum/error.hpp"

namespace unum::lambda {
namespace {

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "unum-names-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  void write(std::string_view text) const { std::ofstream(path_ / kFunctionArnFile) << text; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST_CASE("an error's type is one that Lambda knows as a function's", "[lambda]") {
  CHECK(function_error_type("Unum.NoStore") == "Function.NoStore");
  CHECK(function_error_type("States.Timeout") == "Function.Timeout");
  CHECK(function_error_type("ENOSPC") == "Function.ENOSPC");
  CHECK(function_error_type("CURLE_COULDNT_CONNECT") == "Function.CURLECOULDNTCONNECT");
  CHECK(function_error_type("step") == "Function.Step");
  CHECK(function_error_type("404") == "Function.Error");
  CHECK(function_error_type("") == "Function.Error");
}

TEST_CASE("a function is called by prefix and name unless a file says otherwise", "[lambda]") {
  FunctionNames names("orders-");
  CHECK(names.name_of("Split") == "orders-Split");
  CHECK(names.function_of("orders-Split") == "Split");
  CHECK(names.function_of("Split") == "Split");

  const Directory directory;
  names.read(directory.path());  // there is none
  directory.write("Split: other:live\nCount: arn:aws:lambda:eu-west-1:1:function:C\n");
  names.read(directory.path());
  CHECK(names.name_of("Split") == "other:live");
  CHECK(names.name_of("Count") == "arn:aws:lambda:eu-west-1:1:function:C");
  CHECK(names.name_of("Sum") == "orders-Sum");
  CHECK(FunctionNames::always("entry").name_of("Split") == "entry");
}

TEST_CASE("a file of names that is wrong is refused with its line", "[lambda]") {
  const Directory directory;
  const auto refusal = [&](std::string_view text) -> std::string {
    directory.write(text);
    FunctionNames names("");
    try {
      names.read(directory.path());
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  };
  CHECK(refusal("- Split\n").find("function-arn.yaml:1: it must map") != std::string::npos);
  CHECK(refusal("A: b\nC: [d]\n").find("function-arn.yaml:2: the value of C") != std::string::npos);
  CHECK(refusal("A: a/../b\n").find("function-arn.yaml:1") != std::string::npos);
}

TEST_CASE("what stands in a path is encoded", "[lambda]") {
  CHECK(invoke_path("orders-Split_2") == "/2015-03-31/functions/orders-Split_2/invocations");
  CHECK(invoke_path("arn:aws:lambda:r:1:function:F:$LATEST") ==
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Ar%3A1%3Afunction%3AF%3A%24LATEST/invocations");
}

TEST_CASE("a stack's name is made of the application's", "[lambda]") {
  CHECK(stack_name_of("word_count 2") == "word-count-2");
  CHECK(stack_name_of("7 orders") == "orders");
  CHECK(stack_name_of("12") == "unum");
}

}  // namespace
}  // namespace unum::lambda
