// Parsing of a function's IR, of every generation.
#include "workflow/ir.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.hpp"
#include "base/suggest.hpp"
#include "unum/error.hpp"
#include "workflow/ir_errors.hpp"
#include "workflow/ir_fields.hpp"

namespace unum {
namespace {

constexpr std::array<std::string_view, 11> kFunctionFields{
    "Name",  "Start", "Checkpoint", "Debug",          "Next",  "Next Payload Modifiers",
    "Retry", "Catch", "NextInput",  "TimeoutSeconds", "Linked"};
constexpr std::array<std::string_view, 8> kEdgeFields{
    "Name",      "InputType", "Conditional", "Payload Modifiers",
    "Exclusive", "OnEmpty",   "ResultPath",  "Linked"};
constexpr std::array<std::string_view, 2> kFanInFields{"Values", "Wait"};
constexpr std::array<std::string_view, 3> kOnEmptyFields{"Name", "Payload Modifiers", "Linked"};
constexpr std::array<std::string_view, 4> kInputTypes{"Scalar", "Map", "Fan-in", "Error"};
// Left in files by other tools; they never meant anything to a runtime.
constexpr std::array<std::string_view, 3> kIgnored{"Remove", "Fan-in-Group", "Mode"};

constexpr std::string_view kInputTypeForms =
    R"("Scalar", "Map", "Error" or {"Fan-in": {"Values": ["<function>-unumIndex-*"]}})";
constexpr std::string_view kValuesForms =
    R"(a list of strings, one or more, such as ["G-unumIndex-*"])";
constexpr std::string_view kLinkedForms = "an object, as `unum link` writes it";
constexpr std::string_view kNextForms =
    R"(an edge {"Name": ..., "InputType": ...} or a list of them)";

constexpr std::array<std::string_view, 3> kFunctionLinks{"SiblingsExist", "NamedInValues",
                                                         "ReadByDescendants"};
constexpr std::array<std::string_view, 3> kEdgeLinks{"UnconditionalEverywhere",
                                                     "RequestedElsewhere", "SoleReader"};
constexpr std::array<std::string_view, 3> kOnEmptyLinks{"InnerLevels", "Values", "Conditionals"};
constexpr std::array<std::string_view, 2> kConditionLinks{"Conditional", "InnerLevels"};

bool take_flag(IrObject& object, std::string_view key) {
  const auto field = object.take(key);
  return field && field->boolean();
}

std::size_t take_levels(IrObject& object) {
  const auto field = object.take("InnerLevels");
  if (!field) object.missing("InnerLevels", "a number of levels");
  return static_cast<std::size_t>(
      field->integer(1, static_cast<std::int64_t>(kFramesMax), "levels"));
}

/// What an edge says about its input: its type and, for a fan-in, the list.
struct Input {
  InputType type = InputType::scalar;
  std::vector<ValuesPattern> values;
  bool wait = false;
};

class Parser {
 public:
  Parser(std::string_view text, std::string_view source, IndexOrder order)
      : text_(text, source, parsed_.warnings), order_(order) {
    parsed_.function.source = source;
  }

  ParsedIr parse() {
    const IrField root{&text_, text_.root(), {}};
    IrObject object(root, R"(an object such as {"Name": "F", "Next": {...}})");
    refuse_wait_for(object);
    FunctionIr& function = parsed_.function;
    function.name = parse_name(object, function.line);
    if (const auto start = object.take("Start")) {
      function.start = start->boolean();
      function.has_start = true;
    }
    if (const auto checkpoint = object.take("Checkpoint")) {
      function.checkpoint = checkpoint->boolean();
    }
    if (const auto debug = object.take("Debug")) function.debug = debug->boolean();
    if (const auto modifiers = object.take("Next Payload Modifiers")) {
      common_modifiers_ = modifiers->modifiers();
    }
    if (const auto modifiers = object.take("Fan-out Modifiers")) {
      parsed_.legacy_fan_out_modifiers = modifiers->modifiers();
      parsed_.migrated = true;
    }
    if (const auto input = object.take("NextInput")) {
      common_input_ = parse_input(*input);
      parsed_.migrated = true;
    }
    parse_links(object, function);
    const auto next = object.take("Next");
    if (next) parse_next(*next);
    if (common_input_ && function.edges.empty()) {
      root.text->warn(root.raw, "NextInput", "has no effect without Next");
    }
    refuse_partly_exclusive(next);
    if (const auto timeout = object.take("TimeoutSeconds")) {
      function.timeout_seconds = timeout->integer(1, kTimeoutSecondsMax, "seconds");
    }
    if (const auto retry = object.take("Retry")) function.retriers = parse_retry(*retry);
    if (const auto catchers = object.take("Catch")) parse_catch(*catchers, function);
    object.finish(kFunctionFields, kIgnored);
    return std::move(parsed_);
  }

 private:
  static void refuse_wait_for(IrObject& object);
  static std::string parse_name(IrObject& object, std::size_t& line);
  static std::string parse_target(IrObject& object);

  void parse_next(const IrField& next);
  Edge parse_edge(const IrField& field);
  Input parse_edge_input(IrObject& object);
  Input parse_input(const IrField& field);
  Input parse_fan_in(IrObject& object);
  OnEmpty parse_on_empty(const IrField& field);
  std::optional<IrObject> take_links(IrObject& object) const;
  void parse_links(IrObject& object, FunctionIr& function);
  void parse_links(IrObject& object, Edge& edge) const;
  void parse_links(IrObject& object, OnEmpty& on_empty) const;
  void refuse_partly_exclusive(const std::optional<IrField>& next) const;

  ParsedIr parsed_;
  IrText text_;
  IndexOrder order_;
  std::vector<Modifier> common_modifiers_;
  std::optional<Input> common_input_;
};

// The oldest files list under `WaitFor` what an aggregator waits for; a fan-in belongs to the
// branches, which only the author can name.
void Parser::refuse_wait_for(IrObject& object) {
  const auto wait_for = object.take("WaitFor");
  if (!wait_for) return;
  std::string values = R"(["<function>-unumIndex-*"])";
  if (wait_for->type() == json::Type::array || wait_for->type() == json::Type::string) {
    values = json::minify(wait_for->raw).text();
    if (wait_for->type() == json::Type::string) values = "[" + values + "]";
  }
  wait_for->fail(
      "is of the oldest format, which is not read. Write the fan-in on each function that it waits "
      "for: \"Next\": {\"Name\": \"<aggregator>\", \"InputType\": {\"Fan-in\": {\"Values\": " +
      values + "}}, \"Payload Modifiers\": [\"Pop\"]}");
}

std::string Parser::parse_name(IrObject& object, std::size_t& line) {
  const auto field = object.take("Name");
  if (!field) object.missing("Name", "the function's name, as in unum-template.yaml");
  line = field->line();
  return field->function_name("the function's name, as in unum-template.yaml");
}

std::string Parser::parse_target(IrObject& object) {
  constexpr std::string_view kWhat = "the name of the function to invoke";
  const auto field = object.take("Name");
  if (!field) object.missing("Name", kWhat);
  return field->function_name(kWhat);
}

void Parser::parse_next(const IrField& next) {
  FunctionIr& function = parsed_.function;
  switch (next.type()) {
    case json::Type::null: return;
    case json::Type::string:
    case json::Type::object: function.edges.push_back(parse_edge(next)); return;
    case json::Type::array: break;
    default: next.wrong(kNextForms);
  }
  function.next_is_list = true;
  for (const IrField& entry : next.list(kNextForms)) function.edges.push_back(parse_edge(entry));
}

Edge Parser::parse_edge(const IrField& field) {
  Edge edge;
  edge.line = field.line();
  edge.modifiers = common_modifiers_;
  if (field.type() == json::Type::string) {  // First generation: the target's name alone.
    parsed_.migrated = true;
    edge.target = field.function_name(kNextForms);
    if (!common_input_) {
      field.fail(R"(is a name alone; write {"Name": ")" + edge.target +
                 R"(", "InputType": "Scalar"} (or "Map", or a Fan-in))");
    }
    edge.input_type = common_input_->type;
    edge.values = common_input_->values;
    edge.wait = common_input_->wait;
    return edge;
  }
  IrObject object(field, kNextForms);
  refuse_wait_for(object);
  edge.target = parse_target(object);
  Input input = parse_edge_input(object);
  edge.input_type = input.type;
  edge.values = std::move(input.values);
  edge.wait = input.wait;
  if (const auto conditional = object.take("Conditional")) {
    edge.conditional = Expression::parse(
        conditional->string(R"(a string that holds an expression, such as "$0 == 0")"),
        ExpressionUse::conditional, conditional->where());
  }
  if (const auto modifiers = object.take("Payload Modifiers")) {
    edge.modifiers = modifiers->modifiers();
    edge.own_modifiers = true;
  }
  if (const auto exclusive = object.take("Exclusive")) edge.exclusive = exclusive->boolean();
  if (const auto on_empty = object.take("OnEmpty")) {
    if (edge.input_type != InputType::map) {
      on_empty->fail("stands on an edge that is not a Map; only a Map can be empty");
    }
    edge.on_empty = parse_on_empty(*on_empty);
  }
  if (const auto result_path = object.take("ResultPath")) {
    if (edge.input_type != InputType::error) {
      result_path->fail("stands on an edge that takes no errors; only a failure is placed");
    }
    parse_result_path(*result_path, edge);
  }
  parse_links(object, edge);
  object.finish(kEdgeFields, kIgnored);
  return edge;
}

Input Parser::parse_edge_input(IrObject& object) {
  const auto input = object.take("InputType");
  const auto type = object.take("Type");
  if (input && type) type->fail("stands beside InputType; keep InputType alone");
  if (input) return parse_input(*input);
  if (type) {  // The documents' variant: `Type`, with `Values` beside it.
    parsed_.migrated = true;
    if (type->type() == json::Type::string && json::string_value(type->raw) == "Fan-in") {
      return parse_fan_in(object);
    }
    return parse_input(*type);
  }
  if (!common_input_) object.missing("InputType", kInputTypeForms);
  return *common_input_;
}

Input Parser::parse_input(const IrField& field) {
  if (field.type() == json::Type::object) {
    IrObject object(field, kInputTypeForms);
    refuse_wait_for(object);
    const auto fan_in = object.take("Fan-in");
    if (!fan_in) object.missing("Fan-in", R"({"Values": ["<function>-unumIndex-*"]})");
    IrObject inner(*fan_in, R"(an object {"Values": ["<function>-unumIndex-*"]})");
    refuse_wait_for(inner);
    Input input = parse_fan_in(inner);
    inner.finish(kFanInFields, kIgnored);
    object.finish(kInputTypes, kIgnored);
    return input;
  }
  const std::string text = field.string(kInputTypeForms);
  if (text == "Scalar") return {InputType::scalar, {}, false};
  if (text == "Map") return {InputType::map, {}, false};
  if (text == "Error") return {InputType::error, {}, false};
  if (text == "Fan-in") {
    field.wrong(R"({"Fan-in": {"Values": [...]}}: the list of the instances that take part)");
  }
  field.wrong(std::string(kInputTypeForms) + did_you_mean(text, kInputTypes));
}

Input Parser::parse_fan_in(IrObject& object) {
  const auto values = object.take("Values");
  if (!values) object.missing("Values", kValuesForms);
  Input input;
  input.type = InputType::fan_in;
  for (const IrField& entry : values->list(kValuesForms)) {
    input.values.push_back(ValuesPattern::parse(entry.string(kValuesForms), order_, entry.where()));
  }
  if (input.values.empty()) values->fail("is empty; it must be " + std::string(kValuesForms));
  if (const auto wait = object.take("Wait")) input.wait = wait->boolean();
  return input;
}

OnEmpty Parser::parse_on_empty(const IrField& field) {
  IrObject object(field, R"({"Name": "<aggregator>", "Payload Modifiers": [...]})");
  OnEmpty on_empty;
  on_empty.name = parse_target(object);
  if (const auto modifiers = object.take("Payload Modifiers")) {
    on_empty.modifiers = modifiers->modifiers();
  }
  parse_links(object, on_empty);
  object.finish(kOnEmptyFields, kIgnored);
  return on_empty;
}

// --- What linking added -------------------------------------------------------------------------

void Parser::parse_links(IrObject& object, FunctionIr& function) {
  const auto field = object.take("Linked");
  if (!field) return;
  IrObject links(*field, kLinkedForms);
  function.linked = true;
  function.siblings_exist = take_flag(links, "SiblingsExist");
  function.named_in_values = take_flag(links, "NamedInValues");
  function.read_by_descendants = take_flag(links, "ReadByDescendants");
  links.finish_strictly(kFunctionLinks);
}

/// `Linked` of a part of a function, which has one only if the function itself has.
std::optional<IrObject> Parser::take_links(IrObject& object) const {
  const auto field = object.take("Linked");
  if (field && !parsed_.function.linked) {
    field->fail(
        "stands in a function that is not linked itself; remove it, or run `unum link` again");
  }
  if (!field) return std::nullopt;
  return IrObject(*field, kLinkedForms);
}

void Parser::parse_links(IrObject& object, Edge& edge) const {
  std::optional<IrObject> links = take_links(object);
  const bool needs_links = parsed_.function.linked && edge.input_type == InputType::fan_in;
  if (needs_links && !links) object.missing("Linked", kLinkedForms);
  if (!links) return;
  if (!needs_links) links->field().fail("stands on an edge that is not a Fan-in");
  edge.unconditional_everywhere = take_flag(*links, "UnconditionalEverywhere");
  edge.requested_elsewhere = take_flag(*links, "RequestedElsewhere");
  edge.sole_reader = take_flag(*links, "SoleReader");
  links->finish_strictly(kEdgeLinks);
}

void Parser::parse_links(IrObject& object, OnEmpty& on_empty) const {
  std::optional<IrObject> links = take_links(object);
  if (!links) {
    if (parsed_.function.linked) object.missing("Linked", kLinkedForms);
    return;
  }
  on_empty.inner_levels = take_levels(*links);
  const auto values = links->take("Values");
  if (!values) links->missing("Values", "a list of strings");
  for (const IrField& entry : values->list("a list of strings")) {
    on_empty.values.push_back(
        ValuesPattern::parse(entry.string("a name or pattern"), order_, entry.where()));
  }
  const auto conditionals = links->take("Conditionals");
  if (!conditionals) links->missing("Conditionals", "a list");
  for (const IrField& entry : conditionals->list("a list")) {
    IrObject condition(entry, R"({"Conditional": ..., "InnerLevels": ...})");
    const auto text = condition.take("Conditional");
    if (!text) condition.missing("Conditional", "an expression");
    on_empty.conditionals.push_back({Expression::parse(text->string("an expression"),
                                                       ExpressionUse::conditional, text->where()),
                                     take_levels(condition)});
    condition.finish_strictly(kConditionLinks);
  }
  links->finish_strictly(kOnEmptyLinks);
}

// A frame for some of the edges and none for the others would give the join two names.
void Parser::refuse_partly_exclusive(const std::optional<IrField>& next) const {
  std::size_t scalar = 0;
  std::size_t exclusive = 0;
  for (const Edge& edge : parsed_.function.edges) {
    if (edge.input_type != InputType::scalar) continue;
    ++scalar;
    if (edge.exclusive) ++exclusive;
  }
  if (exclusive == 0 || exclusive == scalar) return;
  next->fail("has " + std::to_string(scalar) + " Scalar edges of which " +
             std::to_string(exclusive) + (exclusive == 1 ? " is" : " are") +
             " Exclusive; mark all of them (a choice of one) or none (parallel branches)");
}

}  // namespace

std::int64_t FunctionIr::parallel_width() const noexcept {
  if (!next_is_list) return 0;
  const auto plain = std::count_if(edges.begin(), edges.end(), [](const Edge& edge) {
    return edge.input_type == InputType::scalar && !edge.exclusive;
  });
  return plain >= 2 ? static_cast<std::int64_t>(plain) : 0;
}

bool needs_input(const Edge& edge) noexcept {
  return edge.input_alone || (edge.result_path && !edge.result_path->is_root());
}

std::size_t FunctionIr::next_size() const noexcept {
  const auto first = std::find_if(edges.begin(), edges.end(),
                                  [](const Edge& edge) { return !edge.error_equals.empty(); });
  return static_cast<std::size_t>(first - edges.begin());
}

bool FunctionIr::catches() const noexcept {
  return std::any_of(edges.begin(), edges.end(),
                     [](const Edge& edge) { return edge.input_type == InputType::error; });
}

std::string_view always_checkpointed_because(const FunctionIr& function) noexcept {
  const std::vector<Edge>& edges = function.edges;
  const auto has = [&](InputType type) {
    return std::any_of(edges.begin(), edges.end(),
                       [&](const Edge& edge) { return edge.input_type == type; });
  };
  if (function.start) return "it is the entry";
  // An edge for errors is taken by a failure only.
  if (!has(InputType::scalar) && !has(InputType::map) && !has(InputType::fan_in)) {
    return "it is terminal";
  }
  if (function.parallel_width() > 0) return "it starts parallel branches";
  if (has(InputType::map)) return "it maps";
  if (has(InputType::fan_in)) return "it takes part in a fan-in";
  // Or a success that is not written and a failure that is caught could both go on.
  if (function.catches()) return "it catches errors";
  if (function.named_in_values) return "its result is named in a fan-in's Values";
  return {};
}

ParsedIr parse_ir(std::string_view json_text, std::string_view source, IndexOrder order) {
  return Parser(json_text, source, order).parse();
}

}  // namespace unum
