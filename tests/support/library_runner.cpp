// Runs an application through the public library, for apps/library_test.py to compare with the
// command: library-runner DIR SESSION INPUT|--resume [TYPE:NAME]
//
// With UNUM_TEST_FROM_TEXT=1 the application's files are read here and handed over as text.
//
// Prints what came of it: a line with status or kind of error, then result, failures or message.
#include <unum/unum.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
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

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Each configuration by the name that it has itself; directories are those of the examples.
unum::CheckedApplication from_text(const std::string& directory) {
  unum::ApplicationText text;
  text.directory = directory;
  text.template_yaml = read_file(std::filesystem::path(directory) / "unum-template.yaml");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.path().filename() != "unum_config.json") continue;
    std::string configuration = read_file(entry.path());
    const auto function = unum::Function::parse(configuration, entry.path().string());
    text.configurations.emplace(function.name(), std::move(configuration));
  }
  return unum::CheckedApplication::from_text(text);
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
    const auto application = std::getenv("UNUM_TEST_FROM_TEXT") == nullptr
                                 ? unum::CheckedApplication::load(argv[1])
                                 : from_text(argv[1]);
    unum::Reactor reactor;
    print_result(reactor.run(unum::run_application(reactor, application, options)));
  } catch (const unum::Error& error) {
    print(unum::to_string(error.kind()));
    print(error.message());
  }
  return 0;
}
