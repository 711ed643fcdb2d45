// What the environment of a Lambda function says.
#pragma once

#include <filesystem>
#include <string>

#include "hosts/lambda/function_names.hpp"
#include "hosts/lambda/invoker.hpp"

namespace unum::lambda {

/// Where `unum build` puts what `unum link` writes, below the task's root.
inline constexpr std::string_view kLinkedDirectory = "unum-linked";
/// Unless UNUM_LAMBDA_DELAY_MAX says otherwise.
inline constexpr std::chrono::seconds kDelayMax{60};

struct HostSettings {
  std::string runtime_api;       ///< AWS_LAMBDA_RUNTIME_API: HOST:PORT.
  std::string function;          ///< UNUM_FUNCTION, else from AWS_LAMBDA_FUNCTION_NAME.
  std::filesystem::path linked;  ///< UNUM_LINKED, else `unum-linked` below LAMBDA_TASK_ROOT.
  std::filesystem::path code;    ///< UNUM_CODE, else LAMBDA_TASK_ROOT.
  std::string store;             ///< UNUM_STORE: TYPE:NAME, or empty: the application's.
  unsigned concurrency = 1;      ///< AWS_LAMBDA_MAX_CONCURRENCY.
  FunctionNames names{""};       ///< UNUM_LAMBDA_PREFIX, and function-arn.yaml in `linked`.
  InvokerOptions invoker{};      ///< UNUM_LAMBDA_PAYLOAD_BYTES_MAX, UNUM_LAMBDA_DELAY_MAX.
};

/// The address of the Runtime API. Throws `invalid` where there is none: this is not Lambda then.
std::string runtime_api_address();

/// Throws `invalid`, code "Unum.InvalidSetting", with the variable's name.
HostSettings read_settings();

}  // namespace unum::lambda
