// A function's IR (`unum_config.json`), parsed and checked on its own.
//
// What needs the whole application (unknown targets, names reachable in two ways, ...) is the
// application layer's work: src/application/check.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workflow/expression.hpp"
#include "workflow/reference_path.hpp"
#include "workflow/retry.hpp"
#include "workflow/values.hpp"

namespace unum {

enum class InputType : std::uint8_t { scalar, map, fan_in, error };

/// Where an empty map goes on.
struct OnEmpty {
  std::string name;                 ///< The aggregator that the map ends in.
  std::vector<Modifier> modifiers;  ///< Applied to the Map edge's post-modifier frames.
  /// The rest is derived by linking, see link.hpp. Of the `Values` of the fan-in that the map ends
  /// in, those that do not stand for a branch which does not exist.
  std::vector<ValuesPattern> values{};
  /// The frames that `values` were written for: so many levels, the map's own and those inside it,
  /// and then the Map edge's post-modifier frames.
  std::size_t inner_levels = 1;
  struct Condition {
    Expression conditional;
    std::size_t inner_levels;
  };
  /// Of the fan-in edges that the map ends in; at least one must be true. Empty if one edge has
  /// none or one that cannot be evaluated without the branches.
  std::vector<Condition> conditionals{};
};

struct Edge {
  std::string target;
  InputType input_type = InputType::scalar;
  std::vector<ValuesPattern> values;  ///< Fan-in only, at least one.
  bool wait = false;                  ///< Read and kept; needs nothing more.
  std::optional<Expression> conditional;
  std::vector<Modifier> modifiers;  ///< The edge's own list, or the function's when it has none.
  bool own_modifiers = false;       ///< The edge has a list of its own (also an empty one).
  bool exclusive = false;
  /// Set by linking: no fan-in edge to this target, of any function, has a conditional. Every
  /// contributor then knows by itself that the fan-in is to happen.
  bool unconditional_everywhere = false;
  /// Unset by linking where no other function, nor an empty map, can ask this one's instances for
  /// a fan-in into the target.
  bool requested_elsewhere = true;
  /// Set by linking, of a fan-in edge: whatever its list names is read by its aggregator alone.
  bool sole_reader = false;
  std::optional<OnEmpty> on_empty;  ///< Map only; explicit in the IR or derived by linking.
  /// Which errors an edge for errors takes; empty, of one in `Next`: all.
  std::vector<std::string> error_equals{};
  /// Of an edge for errors: what its child gets. The failure itself, or the failed step's input
  /// with the failure placed in it, or (`input_alone`) that input as it is.
  std::optional<ReferencePath> result_path{};
  bool input_alone = false;  ///< `ResultPath` is null.
  std::size_t line = 0;      ///< Of the edge in `FunctionIr::source`, from 1; 0 if unknown.
};

/// Whether the child of an edge for errors gets some of the failed step's input.
bool needs_input(const Edge& edge) noexcept;

struct FunctionIr {
  std::string name;
  bool start = false;
  bool has_start = false;          ///< `Start` was written out.
  std::optional<bool> checkpoint;  ///< Absent: the template's.
  std::optional<bool> debug;
  bool next_is_list = false;  ///< `Next` is a list: two or more plain Scalar edges push a frame.
  std::vector<Retrier> retriers{};
  std::optional<std::int64_t> timeout_seconds{};  ///< Of one call of its code.
  /// Those of `Next`, then those of `Catch`, which are edges for errors with `error_equals`. Empty:
  /// terminal.
  std::vector<Edge> edges;
  bool linked = false;  ///< What follows from the other functions' edges was added.
  /// Set by linking: where an instance with a Map frame exists, so do all others of that map.
  bool siblings_exist = false;
  /// Set by linking: the `Values` of some fan-in name it.
  bool named_in_values = false;
  /// Set by linking: a fan-in that its instances know nothing of may name them, since what takes
  /// part in it comes after them.
  bool read_by_descendants = false;
  std::string source;    ///< The file, for messages.
  std::size_t line = 0;  ///< Of `Name` in `source`, from 1; 0 if unknown.

  /// Number of Scalar edges without `Exclusive`, when they push a Parallel frame; else 0.
  std::int64_t parallel_width() const noexcept;
  /// How many edges those of `Next` are.
  std::size_t next_size() const noexcept;
  /// Whether some edge takes errors of a step.
  bool catches() const noexcept;
};

/// Why a function's result is written whatever its `Checkpoint` says; empty if it need not be.
std::string_view always_checkpointed_because(const FunctionIr& function) noexcept;

struct IrWarning {
  std::string message;  ///< Names the file and the field.
};

/// Reads the JSON text of a `unum_config.json`. `source` is the file's name for messages.
/// Throws `invalid` with origin "ir"; the message names the file, the field and what would be
/// right. All generations are accepted (see docs/formats.md); the first-generation `Pop` on an
/// aggregator is recorded in `legacy_fan_out_modifiers` and moved by `migrate_application`.
struct ParsedIr {
  FunctionIr function;
  std::vector<IrWarning> warnings;
  bool migrated = false;  ///< The text was of an older generation.
  /// First generation `Fan-out Modifiers`: to be moved to every fan-in edge that targets this
  /// function.
  std::vector<Modifier> legacy_fan_out_modifiers;
};
ParsedIr parse_ir(std::string_view json_text, std::string_view source, IndexOrder order);

/// The IR as canonical JSON text of today's generation, indented, with a newline at the end; of a
/// linked function with all that linking added (`Linked`).
std::string to_json(const FunctionIr& function);
/// What a digest is made of: whatever decides which instances a result invokes, and how.
std::string linked_text(const FunctionIr& function);

}  // namespace unum
