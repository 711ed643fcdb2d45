// The fields of an IR that say what becomes of a failed step: `Retry`, `Catch`, `ResultPath`.
#pragma once

#include <vector>

#include "workflow/ir_fields.hpp"

namespace unum {

/// A list of retriers, or a number of attempts for all errors.
std::vector<Retrier> parse_retry(const IrField& field);
/// Appends an edge for each catcher.
void parse_catch(const IrField& field, FunctionIr& function);
void parse_result_path(const IrField& field, Edge& edge);

}  // namespace unum
