// `unum check`: what can be seen to be wrong with an application before anything runs.
#pragma once

#include <vector>

#include "compiler/application.hpp"
#include "compiler/finding.hpp"

namespace unum {

/// All findings about an application, those of loading included, sorted. `unum run` refuses what
/// has an error among them.
///
/// References between functions are looked at first; only when all of them hold (and everything
/// could be read) is the workflow followed: by shapes of frames for loops, and on samples with
/// small maps for fan-ins and for instances that are reached twice. An error of a sample is
/// reported only if maps of every width tried show it, so that a workflow written for one width is
/// not refused for another.
std::vector<Finding> check_application(const Application& application);

}  // namespace unum
