#include "capi/application.hpp"

#include <fmt/format.h>

#include <memory>

#include "application/application.hpp"
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

Task<void> run(std::shared_ptr<ApplicationObject> application, RunOptions options,
               unum_run_options callbacks, Op& op) {
  // Callbacks are called in turns of the loop only.
  co_await op.loop.reactor.yield();
  Printer printer(callbacks);
  options.observer = &printer;
  const CheckedApplication& own = accepted(*application);
  RunResult result = co_await run_application(op.loop.reactor, own, options, op.wait());
  op.result = std::make_unique<RunResult>(std::move(result));
}

}  // namespace

ApplicationIdentity identity_of(const ApplicationObject& object) {
  ApplicationIdentity identity;
  identity.name = accepted(object).name();
  for (const Function& function : object.functions) {
    identity.functions.emplace(function.name(), function.digest());
  }
  return identity;
}

}  // namespace unum::capi

using namespace unum;
using namespace unum::capi;

extern "C" {

unum_status unum_application_load(unum_loop* loop, unum_text directory,
                                  unum_application** application) {
  return guarded([&] {
    Loop& own = loop_of(number_of(loop), Kind::loop);
    if (application == nullptr) refuse("application", "NULL; it must say where the handle goes");
    *application = nullptr;
    auto object = std::make_shared<ApplicationObject>();
    object->findings = "[";
    std::exception_ptr refused;
    try {
      object->application = CheckedApplication::load(
          string_of(directory, "directory"),
          [&](const Finding& finding) { append_finding(object->findings, finding); });
      std::vector<Function> functions;
      for (const FunctionSettings& settings : details_of(*object->application).functions) {
        functions.emplace_back(settings.ir);
      }
      object->functions = link_functions(std::move(functions));
    } catch (const Error&) {
      if (object->findings == "[") throw;  // it was not even looked at
      refused = std::current_exception();
    }
    object->findings += ']';
    *application =
        handle_of<unum_application>(own.handles.add(Kind::application, std::move(object)));
    if (refused) std::rethrow_exception(refused);
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
      return capi::run(own, run_options_of(wanted), wanted, op);
    });
  });
}

const unum_run_result* unum_op_run_result(unum_op* op) {
  return guarded_or<const unum_run_result*>(nullptr, [&]() -> const unum_run_result* {
    const std::shared_ptr<Op> asked = object_of(op);
    const RunResult* run = large_given_by<RunResult>(*asked);
    if (run == nullptr) return nullptr;
    const bool succeeded = run->status == RunResult::Status::succeeded;
    return show(*asked, unum_run_result{
                            sizeof(unum_run_result), static_cast<std::int32_t>(run->status) + 1, 0,
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
    return show(*asked, unum_failure{sizeof(unum_failure), text_of(failure.instance),
                                     text_of(failure.error), text_of(failure.cause)});
  });
}

}  // extern "C"
