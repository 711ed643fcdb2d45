// What is deployed to AWS: the SAM template of an application, and what must hold for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "application/application.hpp"

namespace unum::lambda {

struct DeploymentOptions {
  std::string stack;                    ///< CloudFormation's name for it; functions: STACK-NAME.
  std::string architecture = "x86_64";  ///< Or "arm64".
};

/// A name that CloudFormation takes for a stack, made of the application's.
std::string stack_name_of(std::string_view application);

/// How a function's code is run there.
bool runs_on_managed_runtime(const FunctionSettings& settings);

/// Throws `invalid` (origin "application") for the first thing that cannot be deployed: a store
/// that functions do not share, a name that is too long, a time limit or a delay beyond what Lambda
/// has.
void check_deployment(const Application& application, const DeploymentOptions& options);

/// `template.yaml`, whose folders are `layer/` and `functions/NAME/`.
std::string sam_template(const Application& application, const DeploymentOptions& options);
/// `samconfig.toml`, so that `sam deploy` needs no options.
std::string sam_configuration(const DeploymentOptions& options);

/// The first line of `template.yaml`, by which another build knows its own directory.
inline constexpr std::string_view kTemplateMark =
    "# Written by unum build; the next one replaces it.";

}  // namespace unum::lambda
