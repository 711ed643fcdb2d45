#include "unum/function.hpp"

#include <utility>

#include "base/digest.hpp"
#include "workflow/ir.hpp"

namespace unum {

Function::Function(FunctionIr ir) : ir_(std::make_shared<const FunctionIr>(std::move(ir))) {}

Function Function::parse(std::string_view json_text, std::string_view source) {
  return Function(parse_ir(json_text, source, IndexOrder::innermost_first).function);
}

const std::string& Function::name() const noexcept { return ir_->name; }
bool Function::is_entry() const noexcept { return ir_->start; }

bool Function::is_linked() const noexcept { return ir_->linked; }
std::chrono::milliseconds Function::longest_delay() const {
  return unum::longest_delay(ir_->retriers);
}
std::string Function::text() const { return to_json(*ir_); }
std::string Function::digest() const { return unum::digest(linked_text(*ir_)); }

}  // namespace unum
