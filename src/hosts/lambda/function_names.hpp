// What Lambda calls the functions of an application.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace unum::lambda {

/// Where they are told: in the directory of the linked configurations.
inline constexpr std::string_view kFunctionArnFile = "function-arn.yaml";

/// A function's name in Lambda is a prefix ("STACK-") and its own, unless one was given for it: a
/// name, `name:alias`, or an ARN.
class FunctionNames {
 public:
  explicit FunctionNames(std::string prefix) : prefix_(std::move(prefix)) {}
  /// All functions are called by this one name: for whoever begins a session at its entry.
  static FunctionNames always(std::string name);

  /// Reads function-arn.yaml in `directory`, a mapping of functions to names, if there is one.
  /// Throws `invalid` with file and line.
  void read(const std::filesystem::path& directory);
  void give(std::string function, std::string name);

  /// As Invoke takes it, not encoded.
  std::string name_of(std::string_view function) const;
  /// Of the function that this environment runs: "Count" of "STACK-Count"; the name itself where it
  /// has another beginning.
  std::string function_of(std::string_view lambda_name) const;
  const std::string& prefix() const noexcept { return prefix_; }

 private:
  std::string prefix_;
  std::string always_;
  std::map<std::string, std::string, std::less<>> given_;
};

/// The path of Invoke for a name or an ARN, percent-encoded.
std::string invoke_path(std::string_view name);

}  // namespace unum::lambda
