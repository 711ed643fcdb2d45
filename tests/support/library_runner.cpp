// Runs an application through the public library, for apps/library_test.py to compare with the
// command: library-runner DIR SESSION INPUT|--resume [TYPE:NAME]
//
// Prints what came of it: a line with status or kind of error, then result, failures or message.
#include <unum/unum.hpp>

#include <cstdio>
#include <string>

namespace {

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
}

void print_result(const unum::RunResult& result) {
  switch (result.status) {
    case unum::RunResult::Status::succeeded: print("succeeded"); break;
    case unum::RunResult::Status::failed: print("failed"); break;
    case unum::RunResult::Status::interrupted: print("interrupted"); break;
    case unum::RunResult::Status::timed_out: print("timed_out"); break;
  }
  if (!result.result.empty()) print(result.result);
  for (const unum::RunFailure& failure : result.failures) {
    print(failure.instance + ": " + failure.error);
  }
  print(result.session + ": " + std::to_string(result.instances));
}

/// Counts what it is told, so that the test sees that nothing was left out.
struct Counts final : unum::RunObserver {
  void began(const unum::RunStart&) override { ++starts; }
  void queued(std::string_view, std::string_view) override { ++accepted; }
  void running(std::string_view, int) override { ++calls; }
  void ended(std::string_view, const unum::StepReport&) override { ++steps; }
  void printed(const unum::OutputLine& line) override {
    print("[" + std::string(line.instance) + "] " + std::string(line.text));
  }
  void finished() override {
    print("observed: " + std::to_string(starts) + " " + std::to_string(accepted) + " " +
          std::to_string(calls) + " " + std::to_string(steps));
  }
  std::size_t starts = 0;
  std::size_t accepted = 0;
  std::size_t calls = 0;
  std::size_t steps = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  try {
    Counts observer;
    unum::RunOptions options;
    options.session = argv[2];
    options.resume = std::string_view(argv[3]) == "--resume";
    if (!options.resume) options.input = argv[3];
    if (argc > 4) options.store = argv[4];
    options.observer = &observer;
    const auto application = unum::CheckedApplication::load(argv[1]);
    unum::Reactor reactor;
    print_result(reactor.run(unum::run_application(reactor, application, options)));
  } catch (const unum::Error& error) {
    print(unum::to_string(error.kind()));
    print(error.message());
  }
  return 0;
}
