// What one instance was given and came to.
#include <algorithm>
#include <set>
#include <utility>

#include "application/application.hpp"
#include "base/json.hpp"
#include "hosts/session_graph.hpp"
#include "hosts/session_items.hpp"
#include "unum/sessions.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum {
namespace {

Task<std::optional<json::Text>> stored_input(Store& store, const SessionContext& context,
                                             std::string entry, Wait wait) {
  const ItemId item{std::move(entry), ItemKind::input};
  std::optional<std::string> stored = co_await store.get(context, item, wait);
  if (!stored) co_return std::nullopt;
  co_return json::Text(stored_json(*stored, "the input of " + item.name));
}

/// The array that an aggregator is given; nothing if a part of it is missing or no result.
Task<std::optional<json::Text>> joined_inputs(Store& store, const SessionContext& context,
                                              std::vector<std::string> names, Wait wait) {
  std::vector<Pointer> pointers;
  for (const std::string& name : names) pointers.push_back(pointer(context, name));
  const auto stored = co_await store.get_many(context, pointers, wait);
  std::string joined = "[";
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i]) co_return std::nullopt;
    const StoredOutcome outcome = StoredOutcome::read(*stored[i], names[i]);
    if (outcome.kind != StoredOutcome::Kind::result) co_return std::nullopt;
    if (i > 0) joined += ',';
    joined += outcome.value.text();
  }
  joined += ']';
  co_return json::Text::trusted(std::move(joined));
}

Task<std::optional<json::Text>> input_of(Store& store, const SessionContext& context,
                                         std::string instance, const Application* application,
                                         const std::vector<ListedItem>& listed, Wait wait) {
  const bool is_entry = std::any_of(listed.begin(), listed.end(), [&](const ListedItem& item) {
    return item.id.kind == ItemKind::input && item.id.name == instance;
  });
  if (is_entry) co_return co_await stored_input(store, context, std::move(instance), wait);
  if (application == nullptr) co_return std::nullopt;
  std::set<std::string, std::less<>> wanted;
  for (const ListedItem& item : listed) {
    if (item.id.kind == ItemKind::wanted) wanted.insert(item.id.name);
  }
  const SessionItems items = items_by_kind(listed);
  SessionGraph graph = co_await follow_session(store, context, *application, items, wanted,
                                               std::move(instance), wait);
  if (graph.input || !graph.inputs) co_return std::move(graph.input);
  co_return co_await joined_inputs(store, context, std::move(*graph.inputs), wait);
}

InstanceFailure failure_of(const StoredFailure& failure, bool caught) {
  return {failure.error, failure.cause, caught};
}

}  // namespace

Task<InstanceValues> show_instance(Store& store, std::string_view session,
                                   std::string_view instance, const CheckedApplication* application,
                                   Wait wait) {
  const SessionContext context = session_context(session);
  const std::string name(instance);
  const std::vector<ListedItem> listed = co_await store.list(context, wait);
  refuse_unknown_session(store, context, listed);
  const auto has = [&](ItemKind kind) {
    const ItemId item{name, kind};
    return std::any_of(listed.begin(), listed.end(),
                       [&](const ListedItem& other) { return other.id == item; });
  };
  InstanceValues values;
  const bool stands = has(ItemKind::claim) || has(ItemKind::wanted) || has(ItemKind::input);
  if (has(ItemKind::outcome)) {
    const ItemId item{name, ItemKind::outcome};
    const std::optional<std::string> stored = co_await store.get(context, item, wait);
    const std::string text = stored.value_or("");
    const StoredOutcome outcome = StoredOutcome::read(text, name);
    if (outcome.kind == StoredOutcome::Kind::result) {
      values.state = InstanceState::done;
      values.result = json::Text(outcome.value);
    } else if (outcome.kind == StoredOutcome::Kind::collected) {
      values.state = InstanceState::collected;
    } else {
      values.state = InstanceState::caught;
      values.failure = failure_of(read_failure(outcome.value), true);
    }
  } else if (has(ItemKind::report) || has(ItemKind::delayed)) {
    const ItemId item{name, ItemKind::report};
    values.state = has(ItemKind::delayed) ? InstanceState::delayed : InstanceState::failed;
    const std::optional<std::string> stored = co_await store.get(context, item, wait);
    if (stored) values.failure = failure_of(read_report(*stored), false);
  } else if (!stands) {
    throw Error(ErrorKind::invalid, "host", "Unum.UnknownInstance",
                "nothing is stored of " + name + " in session " + context.session());
  }
  const Application* const details = application ? &details_of(*application) : nullptr;
  values.input = co_await input_of(store, context, name, details, listed, wait);
  co_return values;
}

}  // namespace unum
