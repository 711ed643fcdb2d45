// See function_names.hpp.
#include "hosts/lambda/function_names.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "application/yaml_document.hpp"
#include "unum/error.hpp"

namespace unum::lambda {
namespace {

// "FunctionName" of Invoke: at most 256 characters in all.
constexpr std::size_t kNameBytesMax = 256;

bool is_function_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  for (const char c : name) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == ':' || c == '$';
    if (!fits) return false;
  }
  return true;
}

}  // namespace

FunctionNames FunctionNames::always(std::string name) {
  FunctionNames names("");
  names.always_ = std::move(name);
  return names;
}

void FunctionNames::read(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kFunctionArnFile;
  std::ifstream file(path);
  if (!file) return;
  std::ostringstream text;
  text << file.rdbuf();
  const std::string source = path.string();
  const YamlNode root = parse_yaml(text.str(), source);
  const auto refuse = [&](std::size_t line, const std::string& why) {
    throw Error(ErrorKind::invalid, "application", "Unum.BadFunctionArn",
                fmt::format("{}:{}: {}", source, line, why));
  };
  if (root.kind == YamlNode::Kind::null) return;
  if (root.kind != YamlNode::Kind::mapping) {
    refuse(root.line,
           "it must map functions to their names or ARNs in Lambda, not be " + describe(root));
  }
  for (const YamlMember& member : root.members) {
    const YamlNode& name = member.second;
    if (name.kind != YamlNode::Kind::scalar || !is_function_name(name.text)) {
      refuse(name.line, fmt::format("the value of {} must be a function's name, name:alias or ARN "
                                    "of at most {} characters, not {}",
                                    member.first.text, kNameBytesMax, describe(name)));
    }
    give(member.first.text, name.text);
  }
}

void FunctionNames::give(std::string function, std::string name) {
  given_.insert_or_assign(std::move(function), std::move(name));
}

std::string FunctionNames::name_of(std::string_view function) const {
  if (!always_.empty()) return always_;
  const auto found = given_.find(function);
  return found != given_.end() ? found->second : prefix_ + std::string(function);
}

std::string FunctionNames::function_of(std::string_view lambda_name) const {
  if (lambda_name.starts_with(prefix_)) lambda_name.remove_prefix(prefix_.size());
  return std::string(lambda_name);
}

std::string invoke_path(std::string_view name) {
  std::string path = "/2015-03-31/functions/";
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      path += c;
    } else {
      path += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return path + "/invocations";
}

}  // namespace unum::lambda
