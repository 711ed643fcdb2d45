// A whole application to its result: store, workers, host, and their end.
#include "unum/run.hpp"

#include <fmt/format.h>

#include <exception>
#include <memory>
#include <utility>

#include "application/application.hpp"
#include "base/activity.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "hosts/function_code_of.hpp"
#include "hosts/local_host.hpp"
#include "hosts/store_choice.hpp"
#include "workers/worker_pool.hpp"
#include "workflow/payload.hpp"

namespace unum {

RunObserver::~RunObserver() = default;
void RunObserver::began(const RunStart&) {}
void RunObserver::queued(std::string_view, std::string_view) {}
void RunObserver::running(std::string_view, int) {}
void RunObserver::attempted(std::string_view, const StepReport&) {}
void RunObserver::ended(std::string_view, const StepReport&) {}
void RunObserver::delivered_again(std::string_view, int, const Error&) {}
void RunObserver::delayed(std::string_view, int, std::chrono::milliseconds, std::string_view) {}
void RunObserver::printed(const OutputLine&) {}
void RunObserver::finished() {}

namespace {

std::string names_of(const Application& application) {
  std::string names;
  for (const FunctionSettings& settings : application.functions) {
    names += (names.empty() ? "" : ", ") + settings.name();
  }
  return names;
}

/// The code of those functions that the caller has none for.
std::vector<FunctionCode> codes_of(const Application& application, const RunOptions& options) {
  for (const auto& [name, code] : options.code) {
    if (application.find(name) == nullptr) {
      throw Error(ErrorKind::invalid, "run", "code",
                  fmt::format("code is given for a function {}, which application {} does not "
                              "have; it has {}",
                              name, application.name, names_of(application)));
    }
    if (code == nullptr) {
      throw Error(ErrorKind::invalid, "run", "code",
                  fmt::format("the code that is given for function {} is null", name));
    }
  }
  std::vector<FunctionCode> codes;
  for (const FunctionSettings& settings : application.functions) {
    if (options.code.contains(settings.name())) continue;
    if (application.directory.empty() && settings.code_dir.is_relative()) {
      throw Error(ErrorKind::invalid, "run", "code",
                  fmt::format("function {} has no code to run: its CodeUri {} is relative, and the "
                              "application, which is text in memory, has no directory; give code "
                              "for the function or a directory for the application",
                              settings.name(), settings.code_dir.string()));
    }
    codes.push_back(function_code_of(settings));
  }
  return codes;
}

/// Nothing is chosen where the store is open already.
StoreChoice choice_for(const Application& application, const RunOptions& options) {
  if (options.open_store == nullptr) return choose_store(application, options.store);
  if (options.store.empty()) return {};
  throw Error(ErrorKind::invalid, "run", "store",
              "both a data store that is open and the name of one are given; only one is used");
}

/// One run: what it needs, in the order in which it must die.
class ApplicationRun {
 public:
  ApplicationRun(Reactor& reactor, const CheckedApplication& checked, const RunOptions& options,
                 Wait wait)
      : reactor_(reactor),
        checked_(checked),
        application_(details_of(checked)),
        options_(options),
        wait_(wait),
        choice_(choice_for(application_, options)),
        input_(options.input),
        session_(options.session),
        pool_(reactor, codes_of(application_, options), pool_options()) {
    pool_.prepare();
  }

  Task<RunResult> run();

 private:
  WorkerPoolOptions pool_options() const;
  Task<std::unique_ptr<Store>> open();
  Task<std::string> kept_input(Store& store);
  Task<void> refuse_other_entry(Store& store);
  Task<RunResult> run_in(Store& store);
  Task<RunResult> run_workflow(Store& store);

  Reactor& reactor_;
  const CheckedApplication& checked_;
  const Application& application_;
  const RunOptions& options_;
  const Wait wait_;
  const StoreChoice choice_;
  std::string input_;
  std::string session_;
  bool session_is_new_ = false;
  WorkerPool pool_;
};

WorkerPoolOptions ApplicationRun::pool_options() const {
  WorkerPoolOptions options;
  options.running_max = options_.workers;
  if (options_.observer != nullptr) {
    options.output = [observer = options_.observer](const OutputLine& line) {
      observer->printed(line);
    };
  }
  return options;
}

Task<std::unique_ptr<Store>> ApplicationRun::open() {
  StoreOptions options = options_.store_options;
  options.read_consistency = application_.read_consistency;
  if (options_.resume) {
    co_return co_await open_for_session(reactor_, choice_, session_, options, wait_);
  }
  // Only the embedded default may be made here, and only by a run that begins something.
  if (!choice_.named) {
    co_await create_store(reactor_, choice_.type, choice_.name, wait_);
  }
  co_return co_await open_store(reactor_, choice_.type, choice_.name, options, wait_);
}

/// What the session was begun with.
Task<std::string> ApplicationRun::kept_input(Store& store) {
  const SessionContext context = session_context(session_);
  const ItemId item{application_.entry, ItemKind::input};
  std::optional<std::string> kept = co_await store.get(context, item, wait_);
  if (!kept) {
    throw Error(ErrorKind::invalid, "run", "session",
                fmt::format("there is no session {} of this application in {}:{}", session_,
                            store.type(), store.name()));
  }
  try {
    json::validate(*kept, fmt::format("the input that session {} was begun with", session_));
  } catch (const Error& error) {
    throw Error(ErrorKind::corrupt, "run", "session", error.message());
  }
  // By value, so that an input that looks like a payload is not taken for one again.
  co_return entry_payload_by_value(*kept, session_).text();
}

/// A session that was begun at another entry belongs to another application, which may have
/// functions of the same names. (What was begun at this one's, the runtime looks at itself.)
Task<void> ApplicationRun::refuse_other_entry(Store& store) {
  const SessionContext context = session_context(session_);
  const std::vector<ListedItem> items = co_await store.list(context, wait_);
  for (const ListedItem& item : items) {
    const bool begins = item.id.kind == ItemKind::input || item.id.kind == ItemKind::application;
    if (!begins || item.id.name == application_.entry) continue;
    throw Error(ErrorKind::invalid, "run", "session",
                fmt::format("session {} belongs to an application whose entry is {}, not to {}, "
                            "which begins with {}; use another session",
                            session_, item.id.name, application_.name, application_.entry));
  }
}

Task<RunResult> ApplicationRun::run_workflow(Store& store) {
  LocalHostTuning options;
  options.observer = options_.observer;
  options.session_is_new = session_is_new_;
  options.runtime.collects_garbage = application_.collects_garbage;
  options.runtime.application = checked_.identity();
  options.runtime.application->accept_changes = options_.accept_changes;
  options.runtime.traces = options_.traces;
  LocalHost host(reactor_, store, options);
  for (Function& function : checked_.functions()) {
    const auto own = options_.code.find(function.name());
    UserCode& code = own == options_.code.end() ? pool_ : *own->second;
    host.add(std::move(function), code);
  }
  co_return co_await host.run(session_, input_, wait_);
}

Task<RunResult> ApplicationRun::run_in(Store& store) {
  if (options_.resume) {
    input_ = co_await kept_input(store);
  } else if (session_.empty()) {
    // It is JSON: run_application has seen to that.
    const auto payload = parse_if_payload(json::View::trusted(json::trim(input_)));
    if (payload) session_ = payload->session;
  }
  if (session_.empty()) {
    session_ = create_session_context(store).session();
    session_is_new_ = true;
  } else {
    co_await refuse_other_entry(store);
  }
  log::info(LogArea::host, {session_, {}}, "run of {} begins in {}:{}", application_.name,
            store.type(), store.name());
  if (options_.observer != nullptr) {
    const RunStart start{session_, store.type(), store.name()};
    options_.observer->began(start);
  }
  co_return co_await run_workflow(store);
}

Task<RunResult> ApplicationRun::run() {
  Activity activity("run of", application_.name);
  std::unique_ptr<Store> store;
  RunResult result;
  std::exception_ptr error;
  try {
    if (options_.open_store == nullptr) {
      activity.waits_for("its store to open");
      store = co_await open();
    }
    activity.waits_for("its steps");
    result = co_await run_in(store ? *store : *options_.open_store);
    result.session = session_;
  } catch (...) {
    error = std::current_exception();
  }
  log::info(LogArea::host, {session_, {}}, "run of {} ended", application_.name);
  if (options_.observer != nullptr) options_.observer->finished();
  activity.waits_for("its workers to end");
  co_await pool_.shutdown();
  activity.waits_for("its store to close");
  if (store) co_await store->close();
  if (store) log::info(LogArea::store, "closed {}", shown_store(choice_.type, choice_.name));
  if (error) std::rethrow_exception(error);
  co_return result;
}

}  // namespace

Task<RunResult> run_application(Reactor& reactor, const CheckedApplication& application,
                                const RunOptions& options, Wait wait) {
  if (options.resume && options.session.empty()) {
    throw Error(ErrorKind::invalid, "run", "session", "a session to go on with must be named");
  }
  const CheckedApplication kept = application;
  json::validate(options.input, "the input", kPayloadLevels);
  ApplicationRun run(reactor, kept, options, wait);
  co_return co_await run.run();
}

}  // namespace unum
