// One thing that is wrong, doubtful or worth knowing about an application, and where it stands.
#pragma once

#include <string_view>
#include <vector>

#include "unum/application.hpp"

namespace unum {

bool has_errors(const std::vector<Finding>& findings) noexcept;

/// By file, line, rule and message, without repetitions: the same order on every machine.
void sort_findings(std::vector<Finding>& findings);

/// A finding from a message that may begin with `file:line: `.
Finding finding_from(Severity severity, std::string_view rule, std::string_view file,
                     std::string_view message);

}  // namespace unum
