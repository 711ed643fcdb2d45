// The whole public C++ interface.
//
// A thread runs one Reactor. A Store is opened on it by type and name. A Runtime turns each
// delivery of a payload into a step of a workflow and calls the UserCode you pass it. Link with
// `pkg-config --libs unum-cpp`. For programs in C and other languages there is unum.h.
#pragma once

#include "unum/application.hpp"
#include "unum/error.hpp"
#include "unum/event.hpp"
#include "unum/fan_in.hpp"
#include "unum/forwarding_store.hpp"
#include "unum/function.hpp"
#include "unum/json.hpp"
#include "unum/local_host.hpp"
#include "unum/log.hpp"
#include "unum/output.hpp"
#include "unum/reactor.hpp"
#include "unum/run.hpp"
#include "unum/runtime.hpp"
#include "unum/scan_and_claim.hpp"
#include "unum/sessions.hpp"
#include "unum/stop.hpp"
#include "unum/store.hpp"
#include "unum/store_options.hpp"
#include "unum/task.hpp"
#include "unum/task_group.hpp"
#include "unum/time.hpp"
#include "unum/timer.hpp"
#include "unum/wait.hpp"
#include "unum/waiting.hpp"
