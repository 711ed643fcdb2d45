// Any program as a function: one process an invocation, JSON on stdin, JSON on stdout.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "unum/output.hpp"
#include "unum/reactor.hpp"
#include "unum/runtime.hpp"
#include "workers/worker_programs.hpp"

namespace unum {

/// Runs `command` for the call: the event on its stdin, then end of file; its result from stdout
/// when it ends with code 0 (nothing printed: null). Another code is a failure "Runtime.ExitError"
/// whose cause ends with what it wrote to stderr; lines of stderr go to `sink`. UNUM_FUNCTION,
/// UNUM_SESSION, UNUM_INSTANCE, UNUM_ATTEMPT and TRACEPARENT stand in its environment. Throws as
/// WorkerPool::call does; a process that is stopped gets SIGTERM, SIGKILL after `grace`, and has
/// ended when this returns.
Task<UserResult> run_executable(Reactor& reactor, const FunctionCode& code,
                                const std::vector<std::string>& command, const Variables& variables,
                                const UserCall& call, Wait wait, const OutputSink& sink,
                                std::chrono::milliseconds grace);

}  // namespace unum
