// The IR as canonical JSON text of today's generation.
#include <fmt/format.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "workflow/ir.hpp"
#include "workflow/object_writer.hpp"

namespace unum {
namespace {

/// What is written beside the author's own fields.
struct Form {
  bool links = false;            ///< What linking added (`Linked`).
  bool innermost_first = false;  ///< `Values` so, whatever the template's IndexOrder is.
};

void write_values(ObjectWriter& writer, const std::vector<ValuesPattern>& values, Form form) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const ValuesPattern& pattern : values) {
    texts.push_back(form.innermost_first ? pattern.innermost_first_text() : pattern.text());
  }
  writer.texts("Values", texts);
}

void write_input_type(ObjectWriter& writer, const Edge& edge, Form form, std::size_t indent) {
  switch (edge.input_type) {
    case InputType::scalar: writer.text("InputType", "Scalar"); return;
    case InputType::map: writer.text("InputType", "Map"); return;
    case InputType::error: writer.text("InputType", "Error"); return;
    case InputType::fan_in: break;
  }
  std::string& out = writer.key("InputType");
  ObjectWriter input(out, indent + 2);
  ObjectWriter fan_in(input.key("Fan-in"), indent + 4);
  write_values(fan_in, edge.values, form);
  if (edge.wait) fan_in.boolean("Wait", true);
  fan_in.end();
  input.end();
}

void write_result_path(ObjectWriter& writer, const Edge& edge) {
  if (edge.input_alone) writer.key("ResultPath") += "null";
  if (edge.result_path) writer.text("ResultPath", edge.result_path->text());
}

void write_catcher(std::string& out, const Edge& edge) {
  ObjectWriter writer(out, 4);
  writer.texts("ErrorEquals", edge.error_equals);
  writer.text("Next", edge.target);
  write_result_path(writer, edge);
  if (edge.own_modifiers) writer.texts("Payload Modifiers", edge.modifiers);
  writer.end();
}

/// What differs from the default.
void write_retrier(std::string& out, const Retrier& retrier) {
  const Retrier usual;
  ObjectWriter writer(out, 4);
  writer.texts("ErrorEquals", retrier.error_equals);
  if (retrier.interval_seconds != usual.interval_seconds) {
    writer.number("IntervalSeconds", retrier.interval_seconds);
  }
  if (retrier.backoff_rate != usual.backoff_rate) {
    writer.number("BackoffRate", retrier.backoff_rate);
  }
  if (retrier.attempts_max != usual.attempts_max) {
    writer.number("MaxAttempts", retrier.attempts_max);
  }
  if (retrier.delay_seconds_max) writer.number("MaxDelaySeconds", *retrier.delay_seconds_max);
  if (retrier.jitter == Jitter::full) writer.text("JitterStrategy", "FULL");
  writer.end();
}

template <typename Entries, typename Write>
void write_list(std::string& out, const Entries& entries, Write write) {
  out += '[';
  bool first = true;
  for (const auto& entry : entries) {
    out += first ? "\n    " : ",\n    ";
    first = false;
    write(out, entry);
  }
  out += first ? "]" : "\n  ]";
}

/// `Linked` of an edge's part: the members that are true.
template <std::size_t kCount>
void write_links(ObjectWriter& writer, std::size_t indent,
                 const std::pair<std::string_view, bool> (&members)[kCount]) {
  ObjectWriter links(writer.key("Linked"), indent + 2);
  for (const auto& [name, value] : members) {
    if (value) links.boolean(name, true);
  }
  links.end();
}

void write_condition(std::string& out, const OnEmpty::Condition& condition, std::size_t indent) {
  ObjectWriter writer(out, indent);
  writer.text("Conditional", condition.conditional.text());
  writer.number("InnerLevels", condition.inner_levels);
  writer.end();
}

void write_on_empty(ObjectWriter& edge, const OnEmpty& on_empty, Form form, std::size_t indent) {
  ObjectWriter writer(edge.key("OnEmpty"), indent);
  writer.text("Name", on_empty.name);
  if (!on_empty.modifiers.empty()) writer.texts("Payload Modifiers", on_empty.modifiers);
  if (form.links) {
    ObjectWriter links(writer.key("Linked"), indent + 2);
    links.number("InnerLevels", on_empty.inner_levels);
    write_values(links, on_empty.values, form);
    std::string& out = links.key("Conditionals");
    out += '[';
    for (const OnEmpty::Condition& condition : on_empty.conditionals) {
      if (&condition != on_empty.conditionals.data()) out += ", ";
      write_condition(out, condition, indent + 4);
    }
    out += ']';
    links.end();
  }
  writer.end();
}

void write_edge(std::string& out, const Edge& edge, Form form, std::size_t indent) {
  ObjectWriter writer(out, indent);
  writer.text("Name", edge.target);
  write_input_type(writer, edge, form, indent);
  if (edge.conditional) writer.text("Conditional", edge.conditional->text());
  if (edge.own_modifiers || !edge.modifiers.empty()) {
    writer.texts("Payload Modifiers", edge.modifiers);
  }
  write_result_path(writer, edge);
  if (edge.exclusive) writer.boolean("Exclusive", true);
  if (edge.on_empty) write_on_empty(writer, *edge.on_empty, form, indent + 2);
  if (form.links && edge.input_type == InputType::fan_in) {
    write_links(writer, indent,
                {{"UnconditionalEverywhere", edge.unconditional_everywhere},
                 {"RequestedElsewhere", edge.requested_elsewhere},
                 {"SoleReader", edge.sole_reader}});
  }
  writer.end();
}

std::string write_function(const FunctionIr& function, Form form) {
  std::string out;
  ObjectWriter writer(out, 0);
  writer.text("Name", function.name);
  // It may stand in the template alone.
  if (function.has_start || function.start) writer.boolean("Start", function.start);
  if (function.checkpoint) writer.boolean("Checkpoint", *function.checkpoint);
  if (function.debug) writer.boolean("Debug", *function.debug);
  if (function.timeout_seconds) writer.number("TimeoutSeconds", *function.timeout_seconds);
  const std::span edges(function.edges);
  const std::span next = edges.first(function.next_size());
  if (function.next_is_list) {
    write_list(writer.key("Next"), next,
               [&](std::string& to, const Edge& edge) { write_edge(to, edge, form, 4); });
  } else if (!next.empty()) {
    write_edge(writer.key("Next"), next.front(), form, 2);
  }
  if (!function.retriers.empty()) {
    write_list(writer.key("Retry"), function.retriers, write_retrier);
  }
  if (next.size() < edges.size()) {
    write_list(writer.key("Catch"), edges.subspan(next.size()), write_catcher);
  }
  if (form.links) {
    write_links(writer, 0,
                {{"SiblingsExist", function.siblings_exist},
                 {"NamedInValues", function.named_in_values},
                 {"ReadByDescendants", function.read_by_descendants}});
  }
  writer.end();
  out += '\n';
  return out;
}

}  // namespace

std::string to_json(const FunctionIr& function) {
  return write_function(function, {function.linked, function.linked});
}

std::string linked_text(const FunctionIr& function) {
  std::string text = write_function(function, {.links = false, .innermost_first = true});
  text += function.siblings_exist ? 's' : '-';
  for (const Edge& edge : function.edges) {
    text += edge.unconditional_everywhere ? 'u' : '-';
    text += edge.requested_elsewhere ? 'r' : '-';
    if (edge.input_type == InputType::fan_in && !edge.sole_reader) text += "\nshared";
    if (!edge.on_empty) continue;
    text += std::to_string(edge.on_empty->inner_levels);
    for (const ValuesPattern& pattern : edge.on_empty->values) {
      text += '\n' + pattern.innermost_first_text();
    }
    for (const OnEmpty::Condition& condition : edge.on_empty->conditionals) {
      text += "\n?" + condition.conditional.text();
    }
    text += '\n';
  }
  if (function.read_by_descendants) text += "\nread by descendants";
  return text;
}

}  // namespace unum
