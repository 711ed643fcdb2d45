// Any sequence of calls of the C interface: three bytes a call, which say the function, the handle
// that it gets (any that there ever was, also of another kind) and an argument.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "fuzz.hpp"
#include "unum.h"
#include "unum/assert.hpp"

namespace {

enum Function : unsigned char {
  loop_new,
  loop_free,
  loop_dispatch,
  loop_run,
  loop_wake,
  loop_about,
  store_create,
  store_open,
  store_about,
  store_close,
  new_session,
  write_value,
  read_values,
  check_values,
  stream_values,
  get,
  put,
  remove_item,
  list,
  list_sessions,
  commit,
  join,
  op_wait,
  op_cancel,
  op_free,
  op_results,
  function_parse,
  function_about,
  function_free,
  runtime_new,
  runtime_free,
  step,
  give_up,
  call_answer,
  invocation_answer,
  payloads,
  application_load,
  application_about,
  application_run,
  set_log,
  function_count,
};

constexpr std::size_t kCallsMax = 400;

unum_text text(std::string_view from) { return {from.data(), from.size()}; }

/// What the callbacks share with the calls. A handle may be of any kind, and of any age.
struct World {
  std::vector<void*> handles{nullptr, this};
  std::vector<unum_loop*> loops;
  std::map<unum_op*, int> ends;
  std::set<unum_op*> freed;
  int depth = 0;
  unsigned char last = 0;
};
World* world = nullptr;

void keep(const void* handle) {
  if (handle != nullptr) world->handles.push_back(const_cast<void*>(handle));
}

/// Each function says whether it went well, and if it did not, why.
void check(unum_status status) {
  UNUM_ASSERT(status >= UNUM_PENDING && status <= UNUM_BUG);
  if (status <= UNUM_OK) return;
  const unum_error* error = unum_last_error();
  UNUM_ASSERT(error->struct_bytes == sizeof *error);
  UNUM_ASSERT(error->message.bytes > 0 && error->code.bytes > 0);
}

void* any(unsigned char which) {
  // The last ones more often: what is done with them reaches further.
  const std::size_t count = world->handles.size();
  return which < 128 ? world->handles[count - 1 - which % std::min<std::size_t>(count, 16)]
                     : world->handles[which % count];
}
template <class Handle>
Handle* any_of(unsigned char which) {
  return static_cast<Handle*>(any(which));
}

void on_done(unum_op* op, void*) {
  UNUM_ASSERT(++world->ends[op] == 1);
  UNUM_ASSERT(!world->freed.contains(op));
  UNUM_ASSERT(unum_op_status(op) != UNUM_PENDING);
  if (world->last % 3 == 0) {
    UNUM_ASSERT(unum_op_free(op) == UNUM_OK);
    world->freed.insert(op);
  }
  check(unum_loop_dispatch(any_of<unum_loop>(world->last)));
}

unum_start start_for(unsigned char argument) {
  return {sizeof(unum_start), argument % 5 == 0 ? 1 : 0, argument % 2 == 0 ? &on_done : nullptr,
          nullptr};
}

const std::array<std::string, 5> kNames{"F", "G-unumIndex-0", "G-unumIndex-1", "", "H"};
const std::array<std::string, 4> kInputs{"1", "[1,2,3]", "{", "{\"Data\":{}}"};
const std::array<std::string, 4> kConfigurations{
    R"({"Name": "F", "Start": true})",
    R"({"Name": "F", "Start": true, "Next": {"Name": "G", "InputType": "Map"}})",
    R"({"Name": "G", "Next": {"Name": "H",
        "InputType": {"Fan-in": {"Values": ["G-unumIndex-*"]}}}})",
    "{"};

void on_call(unum_call* call, void*) {
  keep(call);
  if (world->last % 2 == 0) {
    const unum_call_details* details = unum_call_info(call);
    UNUM_ASSERT(details != nullptr && details->input.data != nullptr);
    check(unum_call_succeed(call, details->input));
  }
}
void on_cancel(unum_call* call, void*) { UNUM_ASSERT(unum_call_info(call) != nullptr); }
void on_invocation(unum_invocation* invocation, void*) {
  keep(invocation);
  if (world->last % 2 == 0) check(unum_invocation_accepted(invocation));
}
unum_status on_value(std::size_t, unum_text value, void*) {
  return value.bytes % 2 == 0 ? UNUM_OK : UNUM_CANCELLED;
}

void loops(unsigned char function, unsigned char which, unsigned char argument) {
  auto* loop = any_of<unum_loop>(which);
  switch (function) {
    case loop_new: {
      if (world->loops.size() >= 4) return;
      const unum_loop_options options{sizeof options, argument % 4, 0};
      unum_loop* made = nullptr;
      const unum_status status = unum_loop_new(&options, &made);
      check(status);
      if (status == UNUM_OK) world->loops.push_back(made);
      return keep(made);
    }
    case loop_free: return check(unum_loop_free(loop));
    case loop_dispatch: return check(unum_loop_dispatch(loop));
    case loop_run: return check(unum_loop_run(loop, argument % 2));
    case loop_wake: return check(unum_loop_wake(loop));
    default:
      unum_loop_fd(loop);
      unum_loop_timeout_ms(loop);
      unum_loop_backend(loop);
  }
}

void stores(unsigned char function, unsigned char which, unsigned char argument) {
  const unum_start start = start_for(argument);
  auto* loop = any_of<unum_loop>(which);
  auto* store = any_of<unum_store>(which);
  const std::string& name = kNames[argument % kNames.size()];
  const std::array<unum_text, 2> both{text(kNames[1]), text(kNames[2])};
  const unum_fan_in fan_in{sizeof fan_in, text("H"), both.data(), argument % 3u};
  switch (function) {
    case store_create: return keep(unum_store_create(loop, text("memory"), text("fuzz"), &start));
    case store_open:
      return keep(unum_store_open(loop, text(argument % 4 == 0 ? "fs" : "memory"), text("fuzz"),
                                  nullptr, &start));
    case store_about:
      unum_store_type(store);
      unum_store_name(store);
      return keep(unum_op_store(any_of<unum_op>(which)));
    case store_close: return keep(unum_store_close(store, &start));
    case new_session: {
      char session[UNUM_SESSION_BYTES];
      return check(unum_create_session_context(store, session));
    }
    case write_value:
      return keep(unum_write_return_value(store, {text("s"), text(name)}, text("1"), &start));
    case read_values: return keep(unum_read_input(store, text("s"), both.data(), 2, &start));
    case check_values:
      return keep(unum_check_values_exist(store, text("s"), both.data(), argument % 3, &start));
    case stream_values:
      return keep(
          unum_read_input_stream(store, text("s"), both.data(), 2, &on_value, nullptr, &start));
    case get: return keep(unum_store_get(store, text("s"), text(name), argument % 9, &start));
    case put:
      return keep(unum_store_put(store, text("s"), text(name), argument % 9, text("v"), &start));
    case remove_item:
      return keep(unum_store_remove(store, text("s"), text(name), argument % 9, &start));
    case list: return keep(unum_store_list(store, text("s"), &start));
    case list_sessions: return keep(unum_store_list_sessions(store, &start));
    case commit:
      return keep(unum_store_commit(store, {text("s"), text(name)}, text("1"), &fan_in, 1, &start));
    default: return keep(unum_store_join(store, {text("s"), text(name)}, &fan_in, 1, &start));
  }
}

void ops(unsigned char function, unsigned char which, unsigned char argument) {
  auto* op = any_of<unum_op>(which);
  switch (function) {
    case op_wait: return check(unum_op_wait(op, argument % 2));
    case op_cancel: return check(unum_op_cancel(op));
    case op_free: {
      const unum_status status = unum_op_free(op);
      check(status);
      if (status == UNUM_OK) world->freed.insert(op);
      return;
    }
    default:
      unum_op_error(op);
      unum_op_number(op);
      for (std::size_t i = 0; i <= unum_op_count(op); ++i) {
        unum_op_value(op, i);
        unum_op_item(op, i);
        unum_op_fan_in(op, i);
        unum_op_failure(op, i);
      }
      unum_op_report(op);
      unum_op_run_result(op);
      keep(unum_op_store(op));
  }
}

void steps(unsigned char function, unsigned char which, unsigned char argument) {
  const unum_start start = start_for(argument);
  const unum_code code{sizeof code, argument % 16 == 15 ? nullptr : &on_call, &on_cancel, nullptr};
  const std::string& input = kInputs[argument % kInputs.size()];
  switch (function) {
    case function_parse: {
      unum_function* parsed = nullptr;
      check(unum_function_parse(any_of<unum_loop>(which), text(kConfigurations[argument % 4]),
                                text("fuzz"), &parsed));
      return keep(parsed);
    }
    case function_about:
      unum_function_name(any_of<unum_function>(which));
      unum_function_configuration(any_of<unum_function>(which));
      return;
    case function_free: return check(unum_function_free(any_of<unum_function>(which)));
    case runtime_new: {
      const unum_runtime_options options{
          sizeof options,
          &on_invocation,
          nullptr,
          argument % 8u,
          0,
          argument % 2u,
          argument % 2,
          argument % 8 == 7 ? any_of<unum_application>(argument) : nullptr};
      unum_runtime* made = nullptr;
      check(unum_runtime_new(any_of<unum_store>(which), &options, &made));
      return keep(made);
    }
    case runtime_free: return check(unum_runtime_free(any_of<unum_runtime>(which)));
    case step: {
      unum_text payload{};
      const std::string session = "s" + std::to_string(argument % 3);
      for (unum_loop* loop : world->loops) {
        if (unum_entry_payload(loop, text(input), text(session), &payload) == UNUM_OK) break;
      }
      return keep(unum_runtime_step(any_of<unum_runtime>(which), any_of<unum_function>(argument),
                                    payload, argument % 4, &code, &start));
    }
    default:
      return keep(unum_runtime_give_up(any_of<unum_runtime>(which), any_of<unum_function>(argument),
                                       text(input), 1, text("E"), text("why"), &start));
  }
}

void answers(unsigned char function, unsigned char which, unsigned char argument) {
  switch (function) {
    case call_answer: {
      auto* call = any_of<unum_call>(which);
      unum_call_info(call);
      if (argument % 3 == 0) return check(unum_call_succeed(call, text(kInputs[argument % 4])));
      if (argument % 3 == 1) return check(unum_call_fail(call, text("E"), text("why")));
      return check(unum_call_lost(call, text("gone")));
    }
    case invocation_answer: {
      auto* invocation = any_of<unum_invocation>(which);
      unum_invocation_info(invocation);
      if (argument % 2 == 0) return check(unum_invocation_accepted(invocation));
      return check(unum_invocation_refused(invocation, argument % 14, text("why")));
    }
    case payloads: {
      unum_text payload{};
      check(unum_entry_payload(any_of<unum_loop>(which), text(kInputs[argument % 4]), text("s"),
                               &payload));
      unum_context context{};
      return check(unum_identify_payload(any_of<unum_function>(argument), payload, &context));
    }
    case application_load: {
      unum_application* loaded = nullptr;
      if (argument % 4 == 0) {
        check(unum_application_load(any_of<unum_loop>(which), text("nowhere"), &loaded));
        return keep(loaded);
      }
      const std::string yaml =
          "Functions: {F: {Properties: {CodeUri: f/, Runtime: native, Start: true}}}";
      const unum_configuration file{sizeof file, text("F"), text(kConfigurations[argument % 2])};
      check(unum_application_parse(any_of<unum_loop>(which), text(yaml), &file, 1, {nullptr, 0},
                                   &loaded));
      return keep(loaded);
    }
    case application_about: {
      auto* application = any_of<unum_application>(which);
      unum_application_findings(application);
      unum_application_name(application);
      unum_application_entry(application);
      unum_application_function_count(application);
      unum_function* made = nullptr;
      check(unum_application_function(application, argument % 2, &made));
      keep(made);
      return argument % 4 == 0 ? check(unum_application_free(application)) : void();
    }
    case application_run: {
      const unum_start start = start_for(argument);
      const unum_code code{sizeof code, &on_call, &on_cancel, nullptr};
      const unum_function_code of_f{sizeof of_f, text("F"), &code};
      unum_run_options options{};
      options.struct_bytes = sizeof options;
      options.opened = argument % 8 == 7 ? nullptr : any_of<unum_store>(argument);
      options.codes = &of_f;
      options.code_count = 1;
      return keep(unum_application_run(any_of<unum_application>(which), &options, &start));
    }
    default: return check(unum_set_log(text(argument % 2 == 0 ? "off" : "loud"), nullptr, nullptr));
  }
}

void calls(std::string_view bytes) {
  World own;
  world = &own;
  for (std::size_t at = 0; at + 2 < bytes.size() && at / 3 < kCallsMax; at += 3) {
    const auto function =
        static_cast<unsigned char>(static_cast<unsigned char>(bytes[at]) % function_count);
    const auto which = static_cast<unsigned char>(bytes[at + 1]);
    const auto argument = static_cast<unsigned char>(bytes[at + 2]);
    own.last = argument;
    if (function <= loop_about) {
      loops(function, which, argument);
    } else if (function <= join) {
      stores(function, which, argument);
    } else if (function <= op_results) {
      ops(function, which, argument);
    } else if (function <= give_up) {
      steps(function, which, argument);
    } else {
      answers(function, which, argument);
    }
  }
  for (unum_loop* loop : own.loops) unum_loop_free(loop);
  for (void* handle : own.handles)
    UNUM_ASSERT(unum_op_status(static_cast<unum_op*>(handle)) == UNUM_BUG);
  world = nullptr;
}

}  // namespace

UNUM_FUZZ_TARGETS({"capi-calls", &calls})
