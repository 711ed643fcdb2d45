// See session_owner.hpp.
#include "runtime/session_owner.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "workflow/frames.hpp"

namespace unum {
namespace {

std::string to_text(const ApplicationIdentity& application) {
  std::string text = "{\"Application\":";
  json::append_string(text, application.name);
  text += ",\"Functions\":{";
  bool first = true;
  for (const auto& [function, digest] : application.functions) {
    if (!first) text += ',';
    first = false;
    json::append_string(text, function);
    text += ':';
    json::append_string(text, digest);
  }
  return text += "}}";
}

}  // namespace

std::optional<ApplicationIdentity> parse_owner(std::string_view stored) {
  try {
    const json::View text = json::validate(stored, "the application of a session");
    if (json::type_of(text) != json::Type::object) return std::nullopt;
    const auto name = json::member(text, "Application");
    const auto functions = json::member(text, "Functions");
    if (!name || json::type_of(*name) != json::Type::string || !functions ||
        json::type_of(*functions) != json::Type::object) {
      return std::nullopt;
    }
    ApplicationIdentity application;
    application.name = json::string_value(*name);
    for (const json::Member& member : json::members(*functions)) {
      if (json::type_of(member.value) != json::Type::string) return std::nullopt;
      application.functions.emplace(member.key, json::string_value(member.value));
    }
    return application;
  } catch (const Error&) {
    return std::nullopt;
  }
}

namespace {

/// Functions that only one of the two has, or that they have with different digests.
std::set<std::string, std::less<>> differences(const ApplicationIdentity& a,
                                               const ApplicationIdentity& b) {
  std::set<std::string, std::less<>> names;
  const auto add = [&](const ApplicationIdentity& from, const ApplicationIdentity& other) {
    for (const auto& [function, digest] : from.functions) {
      const auto found = other.functions.find(function);
      if (found == other.functions.end() || found->second != digest) names.insert(function);
    }
  };
  add(a, b);
  add(b, a);
  return names;
}

/// Those of the functions that have an outcome in the session, readable.
Task<std::string> with_outcomes(Store& store, SessionContext context,
                                std::set<std::string, std::less<>> functions, Wait wait) {
  std::set<std::string> found;
  const std::vector<ListedItem> items = co_await store.list(context, wait);
  for (const ListedItem& item : items) {
    if (item.id.kind != ItemKind::outcome) continue;
    const std::optional<InstanceName> name = parse_instance_name(item.id.name);
    if (name && functions.contains(name->function)) found.insert(name->function);
  }
  std::string names;
  for (const std::string& name : found) names += (names.empty() ? "" : ", ") + name;
  co_return names;
}

}  // namespace

Task<void> claim_session(Store& store, SessionContext context, std::string_view entry,
                         const ApplicationIdentity& application, Wait wait) {
  const ItemId item{std::string(entry), ItemKind::application};
  const std::string text = to_text(application);
  const WriteResult made = co_await store.create(context, item, text, wait);
  if (made.status == WriteResult::Status::written || made.stored == text) co_return;
  co_await refuse_others(store, context, made.stored, application, wait);
  co_await store.put(context, item, text, wait);
}

Task<void> refuse_others(Store& store, SessionContext context, std::string stored,
                         const ApplicationIdentity& application, Wait wait) {
  const std::optional<ApplicationIdentity> owner = parse_owner(stored);
  if (owner && owner->name != application.name) {
    throw Error(ErrorKind::invalid, "runtime", "Unum.OtherApplication",
                "session " + context.session() + " belongs to the application " + owner->name +
                    ", not to " + application.name + "; use another session");
  }
  if (owner && !application.accept_changes) {
    const std::string changed =
        co_await with_outcomes(store, context, differences(*owner, application), wait);
    if (!changed.empty()) {
      throw Error(ErrorKind::invalid, "runtime", "Unum.ChangedFunctions",
                  "session " + context.session() + " has results of functions whose part of the " +
                      "workflow has changed since: " + changed +
                      "; use another session, or go on all the same with --accept-changes");
    }
  }
}

}  // namespace unum
