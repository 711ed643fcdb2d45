#include "capi/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "capi/op.hpp"
#include "unum/error.hpp"

namespace unum::capi {

// --- What crosses the border --------------------------------------------------------------------

StoreOptions store_options_of(const unum_store_options* options) {
  const unum_store_options wanted = struct_of(options, "unum_store_options");
  StoreOptions chosen;
  chosen.durable = wanted.not_durable == 0;
  if (wanted.eventual_reads != 0) chosen.read_consistency = ReadConsistency::eventual;
  if (wanted.in_flight_max > 0) chosen.in_flight_max = wanted.in_flight_max;
  check_not_negative(wanted.request_timeout_ms, "unum_store_options.request_timeout_ms");
  check_not_negative(wanted.patience_ms, "unum_store_options.patience_ms");
  if (wanted.request_timeout_ms > 0) {
    chosen.request_timeout = std::chrono::milliseconds(wanted.request_timeout_ms);
  }
  if (wanted.patience_ms > 0) chosen.patience = std::chrono::milliseconds(wanted.patience_ms);
  const auto line = [user = wanted.user](unum_line call) -> std::function<void(std::string_view)> {
    if (call == nullptr) return {};
    return [call, user](std::string_view text) { call(text_of(text), user); };
  };
  chosen.warn = line(wanted.warn);
  chosen.waiting = line(wanted.waiting);
  return chosen;
}

std::string ListedFanIn::to_json() const {
  std::string text = "[";
  for (const std::string& name : names_) {
    if (text.size() > 1) text += ',';
    json::append_string(text, name);
  }
  return text += ']';
}

std::string ListedFanIn::digest() const { return unum::digest(to_json()); }

std::string ListedFanIn::summary() const {
  if (names_.empty()) return "no instance";
  if (names_.size() == 1) return names_.front();
  return fmt::format("{} .. {} ({} instances)", names_.front(), names_.back(), names_.size());
}

std::optional<std::size_t> ListedFanIn::place_of(std::string_view instance) const {
  const auto found = std::find(names_.begin(), names_.end(), instance);
  if (found == names_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names_.begin());
}

std::vector<std::size_t> ListedFanIn::repeats(std::size_t place) const {
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (i != place && names_[i] == names_[place]) others.push_back(i);
  }
  return others;
}

namespace {

ItemId item_of(unum_text name, std::int32_t kind) {
  if (kind < UNUM_ITEM_OUTCOME || kind > UNUM_ITEM_INVOKED) {
    refuse("kind", fmt::format("{} is no kind of item", kind));
  }
  return {string_of(name, "name"), static_cast<ItemKind>(kind)};
}

SessionContext context_of(const unum_context& context) {
  return session_context(view_of(context.session, "context.session"))
      .bound_to(view_of(context.instance, "context.instance"));
}

std::vector<Pointer> pointers_of(const SessionContext& context, const unum_text* instances,
                                 std::size_t count) {
  check_array(instances, count, "instances");
  std::vector<Pointer> pointers;
  pointers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    pointers.push_back(pointer(context, view_of(instances[i], "instances")));
  }
  return pointers;
}

/// The fan-ins of one call, with what they point to.
struct FanIns {
  std::vector<std::unique_ptr<ListedFanIn>> lists;
  std::vector<FanIn> fan_ins;
};

FanIns fan_ins_of(const SessionContext& context, const unum_fan_in* fan_ins, std::size_t count) {
  FanIns own;
  for (const unum_fan_in& one : structs_of(fan_ins, count, "unum_fan_in")) {
    own.lists.push_back(
        std::make_unique<ListedFanIn>(strings_of(one.instances, one.count, "instances")));
    FanIn& fan_in = own.fan_ins.emplace_back();
    fan_in.aggregator = string_of(one.aggregator, "aggregator");
    fan_in.set = own.lists.back().get();
    const std::optional<std::size_t> place = fan_in.set->place_of(context.instance());
    if (!place) {
      refuse("instances", fmt::format("the fan-in into {} does not list {}, which joins it",
                                      fan_in.aggregator, context.instance()));
    }
    fan_in.place = *place;
  }
  return own;
}

// --- The ops ------------------------------------------------------------------------------------

Task<void> open(std::string type, std::string name, StoreOptions options, Op& op) {
  Loop& loop = op.loop;
  std::unique_ptr<Store> opened = co_await open_store(loop.reactor, type, name, options, op.wait());
  auto object = std::make_shared<StoreObject>(std::move(opened));
  const StorePtr kept = object;
  std::exception_ptr error;
  try {
    op.result = OpenedStore{loop.handles.add(Kind::store, std::move(object))};
  } catch (...) {
    error = std::current_exception();
  }
  if (!error) co_return;
  co_await kept->store->close();
  std::rethrow_exception(error);
}

Task<void> create(std::string type, std::string name, Op& op) {
  const bool created = co_await create_store(op.loop.reactor, type, name, op.wait());
  op.result = std::int64_t{created ? 1 : 0};
}

Task<void> close(StorePtr store, Op&) { co_await store->store->close(); }

Task<void> write_value(StorePtr store, SessionContext context, std::string value, Op& op) {
  op.result = co_await write_return_value(*store->store, context, value, op.wait());
}

Task<void> read_values(StorePtr store, SessionContext context, std::vector<Pointer> pointers,
                       Op& op) {
  std::vector<std::string> read = co_await read_input(*store->store, context, pointers, op.wait());
  Values values;
  values.reserve(read.size());
  for (std::string& value : read) values.emplace_back(std::move(value));
  op.result = std::move(values);
}

Task<void> check(StorePtr store, SessionContext context, std::vector<Pointer> pointers, Op& op) {
  const bool exist = co_await check_values_exist(*store->store, context, pointers, op.wait());
  op.result = std::int64_t{exist ? 1 : 0};
}

Task<void> stream_values(StorePtr store, SessionContext context, std::vector<Pointer> pointers,
                         unum_consume consume, void* user, Op& op) {
  // Callbacks are called in turns of the loop only.
  co_await op.loop.reactor.yield();
  const auto pass_on = [consume, user](std::size_t place, std::string value) {
    const unum_status status = consume(place, text_of(value), user);
    if (status == UNUM_OK) return;
    const bool is_kind = status >= UNUM_NOT_FOUND && status <= UNUM_BUG;
    throw Error(
        is_kind ? static_cast<ErrorKind>(status) : ErrorKind::bug, "capi", "Unum.NotConsumed",
        fmt::format("the caller ended the stream at value {} with the status {}", place, status));
  };
  const std::function<void(std::size_t, std::string)> consumer = pass_on;
  co_await read_input_stream(*store->store, context, pointers, consumer, op.wait());
}

Values one_value(std::optional<std::string> value) {
  Values values;
  values.push_back(std::move(value));
  return values;
}

Task<void> get(StorePtr store, SessionContext context, ItemId item, Op& op) {
  std::optional<std::string> value = co_await store->store->get(context, item, op.wait());
  op.result = one_value(std::move(value));
}

Task<void> get_range(StorePtr store, SessionContext context, ItemId item, ByteRange range, Op& op) {
  std::optional<std::string> value =
      co_await store->store->get_range(context, item, range, op.wait());
  op.result = one_value(std::move(value));
}

Task<void> create_item(StorePtr store, SessionContext context, ItemId item, std::string value,
                       Op& op) {
  op.result = co_await store->store->create(context, item, value, op.wait());
}

Task<void> put(StorePtr store, SessionContext context, ItemId item, std::string value, Op& op) {
  co_await store->store->put(context, item, value, op.wait());
}

Task<void> remove(StorePtr store, SessionContext context, ItemId item, Op& op) {
  const std::span<const ItemId> items(&item, 1);
  co_await store->store->remove(context, items, op.wait());
}

Task<void> list(StorePtr store, SessionContext context, Op& op) {
  op.result = co_await store->store->list(context, op.wait());
}

Task<void> list_sessions(StorePtr store, Op& op) {
  std::vector<std::string> ids = co_await store->store->list_sessions(op.wait());
  Values values;
  for (std::string& id : ids) values.emplace_back(std::move(id));
  op.result = std::move(values);
}

Task<void> commit(StorePtr store, SessionContext context, std::string value, FanIns fan_ins,
                  Op& op) {
  CommitResult result = co_await store->store->commit(context, value, fan_ins.fan_ins, op.wait());
  op.result = std::make_unique<CommitResult>(std::move(result));
}

Task<void> join(StorePtr store, SessionContext context, FanIns fan_ins, Op& op) {
  op.result = co_await store->store->join(context, fan_ins.fan_ins, op.wait());
}

/// Begins an op on a store; `make(store, op)` returns its task.
template <class Make>
unum_op* on_store(unum_store* store, const unum_start* start, Make make) noexcept {
  return guarded_or<unum_op*>(nullptr, [&] {
    Loop* loop = nullptr;
    const StorePtr object = object_of(store, &loop);
    return begin_op(*loop, start, [&](Op& op) { return make(object, op); });
  });
}

template <class Make>
unum_op* on_loop(unum_loop* loop, const unum_start* start, Make make) noexcept {
  return guarded_or<unum_op*>(
      nullptr, [&] { return begin_op(loop_of(number_of(loop), Kind::loop), start, make); });
}

}  // namespace
}  // namespace unum::capi

using namespace unum;
using namespace unum::capi;

extern "C" {

unum_op* unum_store_open(unum_loop* loop, unum_text type, unum_text name,
                         const unum_store_options* options, const unum_start* start) {
  return on_loop(loop, start, [&](Op& op) {
    return capi::open(string_of(type, "type"), string_of(name, "name"), store_options_of(options),
                      op);
  });
}

unum_op* unum_store_create(unum_loop* loop, unum_text type, unum_text name,
                           const unum_start* start) {
  return on_loop(loop, start, [&](Op& op) {
    return capi::create(string_of(type, "type"), string_of(name, "name"), op);
  });
}

unum_store* unum_op_store(unum_op* op) {
  return guarded_or<unum_store*>(nullptr, [&]() -> unum_store* {
    const std::shared_ptr<Op> asked = object_of(op);
    const auto* opened = given_by<OpenedStore>(*asked);
    const bool is_open =
        opened != nullptr && asked->loop.handles.find(parts_of(opened->handle)) != nullptr;
    return is_open ? handle_of<unum_store>(opened->handle) : nullptr;
  });
}

unum_op* unum_store_close(unum_store* store, const unum_start* start) {
  return guarded_or<unum_op*>(nullptr, [&] {
    Loop* loop = nullptr;
    const StorePtr object = take_object(store, &loop);
    return begin_op(*loop, start, [&](Op& op) { return capi::close(object, op); });
  });
}

unum_text unum_store_type(unum_store* store) {
  return guarded_or(kAbsent, [&] { return text_of(object_of(store)->store->type()); });
}

unum_text unum_store_name(unum_store* store) {
  return guarded_or(kAbsent, [&] { return text_of(object_of(store)->store->name()); });
}

unum_status unum_create_session_context(unum_store* store, char session[UNUM_SESSION_BYTES]) {
  return guarded([&] {
    if (session == nullptr) refuse("session", "NULL; it must have room for 36 bytes");
    const SessionContext context = create_session_context(*object_of(store)->store);
    std::copy_n(context.session().data(), UNUM_SESSION_BYTES, session);
  });
}

unum_op* unum_write_return_value(unum_store* store, unum_context context, unum_text value,
                                 const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    return write_value(own, context_of(context), value_of(value, "value"), op);
  });
}

unum_op* unum_read_input(unum_store* store, unum_text session, const unum_text* instances,
                         size_t count, const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    const SessionContext context = session_context(view_of(session, "session"));
    return read_values(own, context, pointers_of(context, instances, count), op);
  });
}

unum_op* unum_check_value_exist(unum_store* store, unum_text session, unum_text instance,
                                const unum_start* start) {
  return unum_check_values_exist(store, session, &instance, 1, start);
}

unum_op* unum_check_values_exist(unum_store* store, unum_text session, const unum_text* instances,
                                 size_t count, const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    const SessionContext context = session_context(view_of(session, "session"));
    return check(own, context, pointers_of(context, instances, count), op);
  });
}

unum_op* unum_read_input_stream(unum_store* store, unum_text session, const unum_text* instances,
                                size_t count, unum_consume consume, void* user,
                                const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    if (consume == nullptr) refuse("consume", "NULL; it must say where the values go");
    const SessionContext context = session_context(view_of(session, "session"));
    return stream_values(own, context, pointers_of(context, instances, count), consume, user, op);
  });
}

unum_op* unum_store_get(unum_store* store, unum_text session, unum_text name, int32_t kind,
                        const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    return capi::get(own, session_context(view_of(session, "session")), item_of(name, kind), op);
  });
}

unum_op* unum_store_get_range(unum_store* store, unum_text session, unum_text name, int32_t kind,
                              uint64_t offset, size_t bytes, const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    return capi::get_range(own, session_context(view_of(session, "session")), item_of(name, kind),
                           ByteRange{offset, bytes}, op);
  });
}

unum_op* unum_store_create_item(unum_store* store, unum_text session, unum_text name, int32_t kind,
                                unum_text value, const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    return create_item(own, session_context(view_of(session, "session")), item_of(name, kind),
                       value_of(value, "value"), op);
  });
}

unum_op* unum_store_put(unum_store* store, unum_text session, unum_text name, int32_t kind,
                        unum_text value, const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    return capi::put(own, session_context(view_of(session, "session")), item_of(name, kind),
                     value_of(value, "value"), op);
  });
}

unum_op* unum_store_remove(unum_store* store, unum_text session, unum_text name, int32_t kind,
                           const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    return capi::remove(own, session_context(view_of(session, "session")), item_of(name, kind), op);
  });
}

unum_op* unum_store_list(unum_store* store, unum_text session, const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    return capi::list(own, session_context(view_of(session, "session")), op);
  });
}

const unum_item* unum_op_item(unum_op* op, size_t place) {
  return guarded_or<const unum_item*>(nullptr, [&]() -> const unum_item* {
    const std::shared_ptr<Op> asked = object_of(op);
    const auto* items = given_by<std::vector<ListedItem>>(*asked);
    if (items == nullptr || place >= items->size()) return nullptr;
    const ListedItem& item = (*items)[place];
    return show_part(*asked, unum_item{sizeof(unum_item), text_of(item.id.name),
                                       static_cast<std::int32_t>(item.id.kind), 0, item.bytes,
                                       item.modified_unix_ns});
  });
}

unum_op* unum_store_list_sessions(unum_store* store, const unum_start* start) {
  return on_store(store, start,
                  [&](const StorePtr& own, Op& op) { return capi::list_sessions(own, op); });
}

unum_op* unum_store_commit(unum_store* store, unum_context context, unum_text value,
                           const unum_fan_in* fan_ins, size_t count, const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    const SessionContext bound = context_of(context);
    return capi::commit(own, bound, value_of(value, "value"), fan_ins_of(bound, fan_ins, count),
                        op);
  });
}

unum_op* unum_store_join(unum_store* store, unum_context context, const unum_fan_in* fan_ins,
                         size_t count, const unum_start* start) {
  return on_store(store, start, [&](const StorePtr& own, Op& op) {
    const SessionContext bound = context_of(context);
    return capi::join(own, bound, fan_ins_of(bound, fan_ins, count), op);
  });
}

const unum_fan_in_state* unum_op_fan_in(unum_op* op, size_t place) {
  return guarded_or<const unum_fan_in_state*>(nullptr, [&]() -> const unum_fan_in_state* {
    const std::shared_ptr<Op> asked = object_of(op);
    const States* states = given_by<States>(*asked);
    if (const auto* commit = large_given_by<CommitResult>(*asked)) states = &commit->fan_ins;
    if (states == nullptr || place >= states->size()) return nullptr;
    const FanInState& state = (*states)[place];
    return show_part(*asked, unum_fan_in_state{sizeof(unum_fan_in_state),
                                               static_cast<std::int32_t>(state.status), 0,
                                               text_of(state.detail)});
  });
}

}  // extern "C"
