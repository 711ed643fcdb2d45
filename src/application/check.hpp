// `unum check`: what can be seen to be wrong with an application before anything runs.
#pragma once

#include <vector>

#include "application/application.hpp"
#include "application/finding.hpp"

namespace unum {

/// All findings about an application, those of loading included, sorted. `unum run` refuses what
/// has an error among them.
///
/// References between functions are looked at first; only when all of them hold (and everything
/// could be read) is the workflow followed: by shapes of frames for loops, and on samples with
/// lists of many lengths for fan-ins and for instances that are reached twice. What no length,
/// depth or result makes right is an error; what fails in some samples is a warning with their
/// lengths.
std::vector<Finding> check_application(const Application& application);

}  // namespace unum
