// Ingress: the session, the instance's own outcome, its input.
#include <array>
#include <exception>
#include <utility>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/padded.hpp"
#include "runtime/session_owner.hpp"
#include "runtime/step.hpp"
#include "unum/task_group.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum {
namespace {

/// Lets go of each value behind its copy, so that all are not there twice.
json::Text array_of(std::deque<std::string> values) {
  std::size_t bytes = 2;
  for (const std::string& value : values) bytes += value.size() + 1;
  std::string out;
  out.reserve(bytes + kValuePadding);
  out += '[';
  for (; !values.empty(); values.pop_front()) {
    if (out.size() > 1) out += ',';
    out += values.front();
  }
  out += ']';
  return json::Text::trusted(std::move(out));
}

}  // namespace

Task<void> Runtime::Step::run(UserCode& code) {
  waits_for("the store: its session");
  if (ir().start && payload.frames.empty()) co_await begin_session();
  waits_for("the store: whether it has an outcome");
  std::optional<std::string> outcome =
      co_await store().get(context, own_item(ItemKind::outcome), wait);
  report.has_outcome = outcome.has_value();
  if (may_collect()) co_await begin_collecting(outcome);
  co_await or_report(go_on(std::move(outcome), code));
  if (report.collects) co_await collect();
}

Task<void> Runtime::Step::go_on(std::optional<std::string> outcome, UserCode& code) {
  StepInput read;
  const bool by_value = payload.data.shape == PayloadData::Shape::value;
  if (!outcome && !by_value) outcome = co_await input_or_own_outcome(read, code.streams_input());
  if (outcome) {
    co_await adopt(std::move(*outcome));
  } else {
    const json::View input = by_value ? payload.data.value : read.text.view();
    co_await run_and_commit(code, input, read.stream.get());
  }
}

/// The session keeps whose it is and what it was begun with.
Task<void> Runtime::Step::begin_session() {
  std::array<std::exception_ptr, 2> errors;
  const auto begin = [&](std::size_t i) -> Task<void> {
    try {
      if (i == 1) {
        co_await keep_input();
      } else if (runtime.options_.application) {
        co_await claim_session(store(), context, ir().name, *runtime.options_.application, wait);
      }
    } catch (...) {
      errors[i] = std::current_exception();
    }
  };
  co_await for_each_bounded(errors.size(), errors.size(), begin);
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

/// A session can be resumed with what it was begun with, and refuses to be begun with something
/// else.
Task<void> Runtime::Step::keep_input() {
  if (payload.data.shape != PayloadData::Shape::value) co_return;
  const WriteResult kept =
      co_await store().create(context, own_item(ItemKind::input), payload.data.value, wait);
  if (kept.status != WriteResult::Status::already_there || payload.data.value == kept.stored) {
    co_return;
  }
  const json::View stored = stored_json(kept.stored, "the stored input of " + report.instance);
  if (json::minify(stored) != json::minify(payload.data.value).text()) {
    throw Error(ErrorKind::invalid, "runtime", "Unum.OtherInput",
                "session " + context.session() +
                    " was begun with another input; use another session, or resume "
                    "this one without giving an input");
  }
}

/// Puts the input together of what the payload points to. If some of it was collected meanwhile, a
/// duplicate of this very step is done, and its outcome is returned instead.
Task<std::optional<std::string>> Runtime::Step::input_or_own_outcome(StepInput& input,
                                                                     bool may_stream) {
  const PayloadData& data = payload.data;
  if (data.source != store().type()) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the input payload of " + report.instance + " points into a data store of type " +
                    std::string(data.source) + ", but this function's is of type " +
                    std::string(store().type()));
  }
  const bool is_read = data.place && co_await read_element(input.text);
  if (is_read) co_return std::nullopt;
  std::vector<Pointer> pointers;
  pointers.reserve(data.names.size());
  data.names.for_each([&](std::string_view name) { pointers.push_back(pointer(context, name)); });
  waits_for("the store: inputs,", pointers.size());
  const bool streams = may_stream && data.shape == PayloadData::Shape::list;
  auto stream = std::make_unique<StreamedInput>(
      store(), context, std::move(pointers), report.instance,
      streams ? runtime.options_.input_bytes_held_max : StreamedInput::kHoldsAll, wait);
  co_await stream->fill();
  if (!stream->collected().empty()) co_return co_await outcome_in_place_of(stream->collected());
  if (stream->is_whole()) {
    input.text = input_of(stream->take_values());
  } else {
    input.stream = std::move(stream);
  }
  co_return std::nullopt;
}

/// This step's own outcome, strongly read, since `input` was collected.
Task<std::string> Runtime::Step::outcome_in_place_of(std::string input) {
  std::optional<std::string> own = co_await store().get(context, own_item(ItemKind::outcome), wait);
  if (!own) throw collected_input(input, report.instance);
  co_return std::move(*own);
}

/// After the last use of a stream, which ended in `error`, if in any. What broke the stream counts
/// before that; if it was a collected input, this step's own outcome is returned.
Task<std::optional<std::string>> Runtime::Step::end_stream(StreamedInput& stream,
                                                           std::exception_ptr error) {
  co_await stream.close();
  if (stream.has_failed()) {
    if (!stream.collected().empty()) co_return co_await outcome_in_place_of(stream.collected());
    error = stream.error();
  }
  if (error) std::rethrow_exception(error);
  co_return std::nullopt;
}

/// Makes a text of a stream, or returns this step's own outcome, as above.
Task<std::optional<std::string>> Runtime::Step::take_whole(StepInput& input) {
  std::string text;
  std::exception_ptr error;
  try {
    while (true) {
      std::optional<std::string> piece = co_await input.stream->next(wait);
      if (!piece) break;
      if (piece->size() > kValueBytesMax - text.size()) {
        throw Error(ErrorKind::exhausted, "payload", "Unum.InputTooLarge",
                    "the input of " + report.instance + " cannot be kept beside its failure (" +
                        "ResultPath): it has more than " + std::to_string(kValueBytesMax) +
                        " bytes, which is the limit of a value");
      }
      text += *piece;
    }
  } catch (...) {
    error = std::current_exception();
  }
  std::optional<std::string> outcome = co_await end_stream(*input.stream, std::move(error));
  if (!outcome) input.text = json::Text::trusted(std::move(text));
  co_return outcome;
}

/// Reads no more than the element, from where the payload says that it stands. False if there is no
/// JSON: the list is absent, was collected, or is another one.
Task<bool> Runtime::Step::read_element(json::Text& input) {
  const PayloadData& data = payload.data;
  const ItemId list{data.names.name(0), ItemKind::outcome};
  const ByteRange range{data.place->offset, data.place->bytes};
  waits_for("the store: an element of a list");
  std::optional<std::string> element = co_await store().get_range(context, list, range, wait);
  if (!element || element->size() != range.bytes) co_return false;
  try {
    input = json::Text::parse(std::move(*element), "an element of " + list.name);
  } catch (const json::SyntaxError&) {
    co_return false;
  }
  co_return true;
}

json::Text Runtime::Step::input_of(std::deque<std::string> values) const {
  const PayloadData& data = payload.data;
  if (data.shape == PayloadData::Shape::list) return array_of(std::move(values));
  json::Text whole = json::Text::trusted(std::move(values.front()));
  if (data.shape == PayloadData::Shape::single) return whole;
  const json::View value = whole;
  std::size_t count = 0;
  if (json::type_of(value) == json::Type::array) {
    json::ElementReader reader(value);
    for (json::View element; reader.next(element); ++count) {
      if (count == data.element) return json::Text(element);
    }
  }
  throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
              "the input payload of " + report.instance + " wants element " +
                  std::to_string(data.element) + " of " + data.names.name(0) + ", which has " +
                  std::to_string(count));
}

}  // namespace unum
