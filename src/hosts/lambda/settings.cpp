// See settings.hpp.
#include "hosts/lambda/settings.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>

#include "aws/settings.hpp"
#include "unum/error.hpp"

namespace unum::lambda {
namespace {

// Far above what Managed Instances offer, and below what descriptors allow.
constexpr std::uint64_t kConcurrencyMax = 400;
// An event for Invoke is 1 MB at most; 128 bytes hold a reference to a value and little else.
constexpr std::uint64_t kPayloadBytesLeast = 128;
constexpr std::uint64_t kPayloadBytesMost = 6u * 1024 * 1024;
// No invocation runs for longer (Managed Instances: 90 minutes).
constexpr std::uint64_t kDelaySecondsMost = 90 * 60;

std::uint64_t number(const char* variable, std::uint64_t by_default, std::uint64_t least,
                     std::uint64_t most) {
  const std::optional<std::string> text = aws::environment(variable);
  if (!text) return by_default;
  std::uint64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto [stopped, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || stopped != end || value < least || value > most) {
    throw Error(ErrorKind::invalid, "host", "Unum.InvalidSetting",
                fmt::format("{} is \"{}\"; it must be a whole number from {} to {}", variable,
                            *text, least, most));
  }
  return value;
}

}  // namespace

std::string runtime_api_address() {
  const std::optional<std::string> address = aws::environment("AWS_LAMBDA_RUNTIME_API");
  if (address) return *address;
  throw Error(ErrorKind::invalid, "cli", "Unum.NoRuntimeApi",
              "AWS_LAMBDA_RUNTIME_API is not set: this command is what AWS Lambda starts in a "
              "function's environment (docs/hosts/lambda.md)");
}

HostSettings read_settings() {
  namespace fs = std::filesystem;
  HostSettings settings;
  settings.runtime_api = runtime_api_address();
  const fs::path root = aws::environment("LAMBDA_TASK_ROOT").value_or(fs::current_path().string());
  settings.linked = root / aws::environment("UNUM_LINKED").value_or(std::string(kLinkedDirectory));
  settings.code = root / aws::environment("UNUM_CODE").value_or("");
  settings.store = aws::environment("UNUM_STORE").value_or("");
  settings.names = FunctionNames(aws::environment("UNUM_LAMBDA_PREFIX").value_or(""));
  settings.names.read(settings.linked);
  const std::string lambda_name = aws::environment("AWS_LAMBDA_FUNCTION_NAME").value_or("");
  settings.function =
      aws::environment("UNUM_FUNCTION").value_or(settings.names.function_of(lambda_name));
  if (settings.function.empty()) {
    throw Error(ErrorKind::invalid, "host", "Unum.InvalidSetting",
                "neither UNUM_FUNCTION nor AWS_LAMBDA_FUNCTION_NAME says which function of the "
                "application this is");
  }
  settings.concurrency =
      static_cast<unsigned>(number("AWS_LAMBDA_MAX_CONCURRENCY", 1, 1, kConcurrencyMax));
  settings.invoker.payload_bytes_max = number("UNUM_LAMBDA_PAYLOAD_BYTES_MAX", kPayloadBytesMax,
                                              kPayloadBytesLeast, kPayloadBytesMost);
  settings.invoker.delay_max = std::chrono::seconds(
      number("UNUM_LAMBDA_DELAY_MAX", kDelayMax.count(), 0, kDelaySecondsMost));
  return settings;
}

}  // namespace unum::lambda
