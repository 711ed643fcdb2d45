// See store_choice.hpp.
#include "hosts/store_choice.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "unum/error.hpp"

namespace unum {
namespace {

/// What stands before an @ may be a password, in a name whose type was forgotten.
std::string hidden_identity(const std::string& text) {
  const std::size_t at = text.rfind('@');
  return at == std::string::npos ? text : "***" + text.substr(at);
}

}  // namespace

StoreChoice parse_store(std::string_view text) {
  const std::size_t colon = text.find(':');
  StoreChoice choice{std::string(text.substr(0, colon)), colon == std::string_view::npos
                                                             ? std::string()
                                                             : std::string(text.substr(colon + 1))};
  // A URL alone says its type by its scheme.
  const bool is_url = choice.name.starts_with("//") && choice.type.starts_with("redis");
  if (is_url && choice.type != "redis") choice = {"redis", std::string(text)};
  const bool needs_name = choice.type != "memory";
  if (choice.type.empty() || (needs_name && choice.name.empty())) {
    throw Error(
        ErrorKind::invalid, "run", "store",
        fmt::format("\"{}\" is no data store; write TYPE:NAME, for example fs:/srv/unum",
                    colon == std::string_view::npos ? hidden_identity(choice.type)
                                                    : shown_store(choice.type, choice.name)));
  }
  // Values in memory live and die with this process: there is nothing that could exist before.
  if (!needs_name) {
    choice.named = false;
    if (choice.name.empty()) choice.name = "run";
  }
  return choice;
}

StoreChoice choose_store(const Application& application, const std::string& option) {
  if (!option.empty()) return parse_store(option);
  StoreChoice choice{std::string(to_string(application.store.type)), store_name_of(application),
                     application.store.named};
  if (choice.type == "memory") choice.named = false;
  const bool has_place = choice.type != "fs" || !application.directory.empty() ||
                         std::filesystem::path(choice.name).is_absolute();
  if (!has_place) {
    throw Error(ErrorKind::invalid, "run", "store",
                fmt::format("application {} is text in memory without a directory, and its data "
                            "store, fs:{}, would be below one; name a data store for the run",
                            application.name, choice.name));
  }
  return choice;
}

Task<std::unique_ptr<Store>> open_for_session(Reactor& reactor, const StoreChoice& choice,
                                              std::string_view session, const StoreOptions& options,
                                              Wait wait) {
  try {
    co_return co_await open_store(reactor, choice.type, choice.name, options, wait);
  } catch (const Error& error) {
    if (choice.named || error.kind() != ErrorKind::not_found) throw;
  }
  throw Error(ErrorKind::invalid, "run", "session",
              fmt::format("there is no session {}: nothing was ever run in {}", session,
                          shown_store(choice.type, choice.name)));
}

}  // namespace unum
