#include "capi/application.hpp"

#include <fmt/format.h>

#include <functional>
#include <memory>

#include "base/json.hpp"
#include "capi/op.hpp"
#include "capi/runtime.hpp"
#include "unum/error.hpp"
#include "unum/run.hpp"

namespace unum::capi {
namespace {

void append_finding(std::string& out, const Finding& finding) {
  if (out.size() > 1) out += ',';
  const auto member = [&out](std::string_view key, std::string_view text) {
    out += out.back() == '{' ? "\"" : ",\"";
    out += key;
    out += "\":";
    json::append_string(out, text);
  };
  out += '{';
  member("severity", to_string(finding.severity));
  member("rule", finding.rule);
  member("file", finding.file);
  out += fmt::format(",\"line\":{}", finding.line);
  member("message", finding.message);
  out += '}';
}

const CheckedApplication& accepted(const ApplicationObject& object) {
  if (object.application) return *object.application;
  throw Error(ErrorKind::invalid, "application", "Unum.Refused",
              "the application is refused: see its findings");
}

/// Passes on what user code prints.
class Printer final : public RunObserver {
 public:
  explicit Printer(const unum_run_options& options)
      : print_(options.printed), user_(options.user) {}
  void printed(const OutputLine& line) override {
    if (print_ != nullptr) print_(text_of(line.instance), text_of(line.text), user_);
  }

 private:
  void (*print_)(unum_text, unum_text, void*);
  void* user_;
};

RunOptions run_options_of(const unum_run_options& wanted) {
  RunOptions chosen;
  if (wanted.input.data != nullptr) chosen.input = value_of(wanted.input, "input");
  chosen.session = string_of(wanted.session, "session");
  chosen.store = string_of(wanted.store, "store");
  chosen.store_options = store_options_of(wanted.store_options);
  chosen.workers = wanted.workers;
  chosen.resume = wanted.resume != 0;
  chosen.accept_changes = wanted.accept_changes != 0;
  return chosen;
}

/// A run's own code and options. Its store, if it is the caller's, is kept until the run has ended.
struct Run {
  RunOptions options;
  StorePtr opened;
  std::vector<std::unique_ptr<CallbackCode>> codes;
};

Run run_of(Loop& loop, const unum_run_options& wanted) {
  Run run;
  run.options = run_options_of(wanted);
  if (wanted.opened != nullptr) {
    Loop* other = nullptr;
    run.opened = object_of(wanted.opened, &other);
    if (other != &loop) {
      throw Error(ErrorKind::bug, "capi", "Unum.OtherLoop",
                  "the store belongs to another loop than the application");
    }
    run.options.open_store = run.opened->store.get();
  }
  for (const unum_function_code& one :
       structs_of(wanted.codes, wanted.code_count, "unum_function_code")) {
    run.codes.push_back(std::make_unique<CallbackCode>(loop, code_of(one.code)));
    run.options.code[string_of(one.function, "function")] = run.codes.back().get();
  }
  return run;
}

/// Makes an application's handle of what `read(found)` returns or throws.
void make_application(
    Loop& loop, unum_application** application,
    const std::function<CheckedApplication(const CheckedApplication::FindingSink&)>& read) {
  if (application == nullptr) refuse("application", "NULL; it must say where the handle goes");
  *application = nullptr;
  auto object = std::make_shared<ApplicationObject>();
  object->findings = "[";
  std::exception_ptr refused;
  try {
    object->application =
        read([&](const Finding& finding) { append_finding(object->findings, finding); });
    object->functions = object->application->functions();
  } catch (const Error&) {
    if (object->findings == "[") throw;  // it was not even looked at
    refused = std::current_exception();
  }
  object->findings += ']';
  *application =
      handle_of<unum_application>(loop.handles.add(Kind::application, std::move(object)));
  if (refused) std::rethrow_exception(refused);
}

Task<void> run(std::shared_ptr<ApplicationObject> application, Run run, unum_run_options callbacks,
               Op& op) {
  // Callbacks are called in turns of the loop only.
  co_await op.loop.reactor.yield();
  Printer printer(callbacks);
  run.options.observer = &printer;
  const CheckedApplication& own = accepted(*application);
  RunResult result = co_await run_application(op.loop.reactor, own, run.options, op.wait());
  op.result = std::make_unique<RunResult>(std::move(result));
}

}  // namespace

ApplicationIdentity identity_of(const ApplicationObject& object) {
  return accepted(object).identity();
}

}  // namespace unum::capi

using namespace unum;
using namespace unum::capi;

extern "C" {

unum_status unum_application_load(unum_loop* loop, unum_text directory,
                                  unum_application** application) {
  return guarded([&] {
    Loop& own = loop_of(number_of(loop), Kind::loop);
    make_application(own, application, [&](const CheckedApplication::FindingSink& found) {
      return CheckedApplication::load(string_of(directory, "directory"), found);
    });
  });
}

unum_status unum_application_parse(unum_loop* loop, unum_text template_yaml,
                                   const unum_configuration* configurations, size_t count,
                                   unum_text directory, unum_application** application) {
  return guarded([&] {
    Loop& own = loop_of(number_of(loop), Kind::loop);
    make_application(own, application, [&](const CheckedApplication::FindingSink& found) {
      ApplicationText text;
      text.template_yaml = value_of(template_yaml, "template_yaml");
      text.directory = string_of(directory, "directory");
      for (const unum_configuration& one :
           structs_of(configurations, count, "unum_configuration")) {
        text.configurations[string_of(one.function, "function")] = value_of(one.text, "text");
      }
      return CheckedApplication::from_text(text, found);
    });
  });
}

unum_status unum_application_free(unum_application* application) {
  if (application == nullptr) return UNUM_OK;
  return guarded([&] { take_object(application); });
}

unum_text unum_application_findings(unum_application* application) {
  return guarded_or(kAbsent, [&] { return text_of(object_of(application)->findings); });
}

unum_text unum_application_name(unum_application* application) {
  return guarded_or(kAbsent, [&] { return text_of(accepted(*object_of(application)).name()); });
}

unum_text unum_application_entry(unum_application* application) {
  return guarded_or(kAbsent, [&] { return text_of(accepted(*object_of(application)).entry()); });
}

size_t unum_application_function_count(unum_application* application) {
  return guarded_or(std::size_t{0}, [&] { return object_of(application)->functions.size(); });
}

unum_status unum_application_function(unum_application* application, size_t place,
                                      unum_function** function) {
  return guarded([&] {
    Loop* loop = nullptr;
    const std::shared_ptr<ApplicationObject> own = object_of(application, &loop);
    if (function == nullptr) refuse("function", "NULL; it must say where the handle goes");
    *function = nullptr;
    accepted(*own);
    if (place >= own->functions.size()) {
      refuse("place", fmt::format("{}; there are {} functions", place, own->functions.size()));
    }
    auto object = std::make_shared<FunctionObject>(own->functions[place]);
    *function = handle_of<unum_function>(loop->handles.add(Kind::function, std::move(object)));
  });
}

unum_op* unum_application_run(unum_application* application, const unum_run_options* options,
                              const unum_start* start) {
  return guarded_or<unum_op*>(nullptr, [&] {
    Loop* loop = nullptr;
    const std::shared_ptr<ApplicationObject> own = object_of(application, &loop);
    return begin_op(*loop, start, [&](Op& op) {
      const unum_run_options wanted = struct_of(options, "unum_run_options");
      return capi::run(own, run_of(*loop, wanted), wanted, op);
    });
  });
}

const unum_run_result* unum_op_run_result(unum_op* op) {
  return guarded_or<const unum_run_result*>(nullptr, [&]() -> const unum_run_result* {
    const std::shared_ptr<Op> asked = object_of(op);
    const RunResult* run = large_given_by<RunResult>(*asked);
    if (run == nullptr) return nullptr;
    const bool succeeded = run->status == RunResult::Status::succeeded;
    return show_whole(
        *asked,
        unum_run_result{sizeof(unum_run_result), static_cast<std::int32_t>(run->status) + 1, 0,
                        text_of(run->session), succeeded ? text_of(run->result) : kAbsent,
                        run->instances, run->user_code_runs});
  });
}

const unum_failure* unum_op_failure(unum_op* op, size_t place) {
  return guarded_or<const unum_failure*>(nullptr, [&]() -> const unum_failure* {
    const std::shared_ptr<Op> asked = object_of(op);
    const RunResult* run = large_given_by<RunResult>(*asked);
    if (run == nullptr || place >= run->failures.size()) return nullptr;
    const RunFailure& failure = run->failures[place];
    return show_part(*asked, unum_failure{sizeof(unum_failure), text_of(failure.instance),
                                          text_of(failure.error), text_of(failure.cause)});
  });
}

}  // extern "C"
