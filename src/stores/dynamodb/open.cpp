// Opening and making of a table: it exists, its key is ours, it can be written.
#include <algorithm>
#include <utility>

#include "stores/dynamodb/dynamodb_store_impl.hpp"
#include "stores/time_to_live.hpp"

namespace unum::dynamodb {
namespace {

constexpr std::string_view kNotFound = "ResourceNotFoundException";
constexpr std::array<std::string_view, 1> kNoTable = {kNotFound};
constexpr std::array<std::string_view, 1> kTableExists = {"ResourceInUseException"};
constexpr std::array<std::string_view, 2> kNotWritten = {kConditionFailed, kNotFound};
// DynamoDB makes a table in some ten seconds; nobody waits for longer than this.
constexpr std::chrono::minutes kCreateWait{5};

/// Letters, digits and "_-.", 3 to 255 of them (API reference, CreateTable); or the table's ARN.
void check_table_name(std::string_view name) {
  const auto is_fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (name.starts_with("arn:")) return;
  if (name.size() >= 3 && name.size() <= 255 && std::all_of(name.begin(), name.end(), is_fine)) {
    return;
  }
  throw Error(ErrorKind::invalid, "stores", "Unum.InvalidStoreName",
              "\"" + std::string(name) +
                  "\" cannot be the name of a DynamoDB table: it takes 3 to 255 letters, digits, "
                  "'_', '-' and '.'");
}

constexpr const char* kTimeToLive = "UNUM_DYNAMODB_TTL_SECONDS";

[[noreturn]] void throw_no_table(const Table& table, const aws::Endpoint& endpoint) {
  throw Error(ErrorKind::not_found, "dynamodb", "Unum.NoSuchStore",
              "the data store dynamodb:" + table.name() + " does not exist at " + endpoint.origin +
                  " (region " + endpoint.region +
                  ", from AWS_REGION or the profile); \"unum store create dynamodb:" +
                  table.name() + "\" makes it");
}

void check_key(const Table& table, const aws::Endpoint& endpoint,
               const TableDescription& description) {
  if (description.fits) return;
  throw Error(ErrorKind::invalid, "dynamodb", "Unum.WrongTableKey",
              "the table " + table.name() + " at " + endpoint.origin + " has the key " +
                  description.key +
                  "; a data store needs a table whose only key is Name (hash, S), as \"unum store "
                  "create dynamodb:NAME\" makes one");
}

/// Nothing if there is no such table.
Task<std::optional<TableDescription>> describe(Table& table, Wait wait) {
  Table::Answer answer = co_await table.call(Operation::describe_table,
                                             describe_table_body(table.name()), {}, kNoTable, wait);
  if (!answer.error_code.empty()) co_return std::nullopt;
  co_return table.parser().table(answer.body);
}

/// Whether a table that is not found may still come: what one asks about it right after it was made
/// may be answered from before.
enum class Absence : bool { is_final, may_pass };

/// Waits until the table can be used. Throws when there is none, or it is on its way out.
Task<TableDescription> wait_until_active(Reactor& reactor, Table& table,
                                         const aws::Endpoint& endpoint,
                                         std::optional<TableDescription> seen, Absence absence,
                                         std::chrono::seconds at_most, const StoreOptions& options,
                                         Wait wait) {
  bool told = false;
  wait.deadline = std::min(wait.deadline, reactor.now() + at_most);
  Pauses pauses(std::chrono::milliseconds(50));
  while (true) {
    if (!seen && absence == Absence::is_final) throw_no_table(table, endpoint);
    if (seen) check_key(table, endpoint, *seen);
    const std::string_view status = seen ? std::string_view(seen->status) : "CREATING";
    if (status == "ACTIVE" || status == "UPDATING") co_return std::move(*seen);
    if (status != "CREATING") {
      throw Error(ErrorKind::not_found, "dynamodb", "Unum.TableNotActive",
                  "the table " + table.name() + " at " + endpoint.origin + " (region " +
                      endpoint.region + ") is " + seen->status +
                      " and cannot be used; one that is ACTIVE is needed");
    }
    if (options.warn && !std::exchange(told, true)) {
      options.warn("the table " + table.name() + " is being created; waiting for it, at most " +
                   std::to_string(at_most.count()) + " s");
    }
    try {
      co_await pauses.next(reactor, wait, "waiting for the table");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::timeout) throw;
      throw Error(ErrorKind::timeout, "dynamodb", "Unum.TableNotActive",
                  "the table " + table.name() + " was still being created after " +
                      std::to_string(at_most.count()) + " s; try again when it is ACTIVE");
    }
    seen = co_await describe(table, wait);
  }
}

/// A write whose condition is never true: it writes nothing, and is refused where writing is not
/// permitted. The key is none that an item can have. Costs one write unit.
Task<void> check_writable(Table& table, Wait wait) {
  Attributes item(Attributes::Form::item);
  item.add_string(attribute::kName, "#");
  co_await table.call(Operation::put_item,
                      put_item_body(table.name(), item, Condition::impossible, false),
                      "whether it can be written", kNotWritten, wait);
}

}  // namespace

Task<std::unique_ptr<Store>> open_dynamodb_store(Reactor& reactor, std::string_view name,
                                                 const StoreOptions& options, Wait wait) {
  return open_dynamodb_store(reactor, name, options, Tuning{}, wait);
}

Task<std::unique_ptr<Store>> open_dynamodb_store(Reactor& reactor, std::string_view name,
                                                 const StoreOptions& options, Tuning tuning,
                                                 Wait wait) {
  check_table_name(name);
  DynamoDbStore::Settings settings{options, tuning, time_to_live(kTimeToLive)};
  std::string table_name(name);
  Wait opening = wait;
  opening.deadline = aws::opening_deadline(reactor, settings.options, wait);
  aws::ServiceOptions service_options =
      aws::service_options(settings.options, "dynamodb:" + table_name);
  aws::OpenService opened = co_await aws::open_service(reactor, "dynamodb", aws::Protocol::json_1_0,
                                                       std::move(service_options), opening);
  std::exception_ptr failure;
  try {
    Table table(reactor, *opened.service, table_name);
    std::optional<TableDescription> description = co_await describe(table, opening);
    settings.table_bytes = (co_await wait_until_active(
                                reactor, table, opened.service->endpoint(), std::move(description),
                                Absence::is_final, tuning.creation_wait, settings.options, wait))
                               .bytes;
    opening.deadline = aws::opening_deadline(reactor, settings.options, wait);
    co_await check_writable(table, opening);
    opened.service->set_opening(false);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await opened.close();
    std::rethrow_exception(failure);
  }
  if (settings.time_to_live && settings.options.warn) {
    settings.options.warn(
        time_to_live_warning("dynamodb:" + table_name, *settings.time_to_live, kTimeToLive));
  }
  co_return std::make_unique<DynamoDbStore>(reactor, std::move(opened), std::move(table_name),
                                            std::move(settings));
}

Task<bool> create_dynamodb_store(Reactor& reactor, std::string_view name, Wait wait) {
  check_table_name(name);
  const bool expires = time_to_live(kTimeToLive).has_value();
  std::string table_name(name);
  StoreOptions options;
  options.in_flight_max = 2;
  Wait opening = wait;
  opening.deadline = aws::opening_deadline(reactor, options, wait);
  aws::ServiceOptions service_options = aws::service_options(options, "dynamodb:" + table_name);
  aws::OpenService opened = co_await aws::open_service(reactor, "dynamodb", aws::Protocol::json_1_0,
                                                       std::move(service_options), opening);
  std::exception_ptr failure;
  bool made = false;
  try {
    Table table(reactor, *opened.service, table_name);
    Table::Answer answer = co_await table.call(
        Operation::create_table, create_table_body(table.name()), {}, kTableExists, opening);
    made = answer.error_code.empty();
    std::optional<TableDescription> description;
    if (made) {
      description = table.parser().table(answer.body);
    } else {
      description = co_await describe(table, opening);
    }
    const StoreOptions nobody_told;
    co_await wait_until_active(reactor, table, opened.service->endpoint(), std::move(description),
                               made ? Absence::may_pass : Absence::is_final, kCreateWait,
                               nobody_told, wait);
    if (made && expires) {
      opening.deadline = aws::opening_deadline(reactor, options, wait);
      co_await table.call(Operation::time_to_live, time_to_live_body(table.name()), {}, {},
                          opening);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  co_await opened.close();
  if (failure) std::rethrow_exception(failure);
  co_return made;
}

}  // namespace unum::dynamodb
