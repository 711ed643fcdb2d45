// `unum-template.yaml`: what an application is made of and where it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "application/finding.hpp"
#include "base/store_types.hpp"
#include "unum/store_options.hpp"
#include "workflow/values.hpp"

namespace unum {

// A terabyte: beyond any machine that a function runs on, and a slip of units below it.
inline constexpr std::int64_t kMemoryMbMax = 1024 * 1024;

enum class FaasPlatform : std::uint8_t { aws, local, redis, http };

std::string_view to_string(FaasPlatform platform) noexcept;

/// The intermediary data store as the application names it.
struct StoreName {
  StoreType type = StoreType::fs;
  /// A directory (relative to the application's), bucket, table or server, as written.
  std::string name = ".unum/store";
  /// Named explicitly: it must exist. Only the unnamed default may be made by `unum run`.
  bool named = false;
};

struct TemplateFunction {
  std::string name;
  std::size_t line = 0;  ///< Of the name, from 1.
  std::string code_uri;  ///< Relative to the template, without a slash at the end.
  std::size_t code_uri_line = 0;
  std::string runtime;
  std::string handler = "app.lambda_handler";
  std::optional<bool> start;
  std::size_t start_line = 0;
  std::vector<std::string> policies;  ///< A name, or JSON text of a policy that is written out.
  std::map<std::string, std::string> environment;
  std::optional<std::int64_t> memory_mb;
  std::optional<std::int64_t> timeout_seconds;
};

struct Template {
  std::string application_name;  ///< Empty: the directory's name.
  FaasPlatform platform = FaasPlatform::local;
  StoreName store;
  bool checkpoint = true;
  bool collects_garbage = false;  ///< `GC`.
  bool debug = false;
  std::int64_t memory_mb = 512;
  std::int64_t timeout_seconds = 60;
  ReadConsistency read_consistency = ReadConsistency::strong;
  IndexOrder index_order = IndexOrder::innermost_first;
  std::vector<TemplateFunction> functions;  ///< In the file's order.
};

/// Reads a template. Everything that is wrong becomes a finding with its line; what could not be
/// read has its default, and a function without a usable name is left out. Does not throw for bad
/// input.
Template parse_template(std::string_view yaml_text, std::string_view source,
                        std::vector<Finding>& findings);

}  // namespace unum
