// credential_process: a program of the user's that prints credentials.
#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "aws/credentials_text.hpp"
#include "aws/providers.hpp"
#include "reactor/files.hpp"
#include "reactor/process.hpp"
#include "unum/error.hpp"

namespace unum::aws {
namespace {

// How long a program may take (it may open a browser), and what it may print.
constexpr std::chrono::minutes kPatience{1};
constexpr std::size_t kOutputBytesMax = 64u * 1024;

}  // namespace

Task<Credentials> process_credentials(Reactor& reactor, std::string command, std::string name,
                                      Wait wait) {
  SpawnOptions options;
  options.argv = split_command(command);
  if (options.argv.empty()) {
    throw Error(ErrorKind::invalid, "aws", "Unum.InvalidProfile",
                name + ": credential_process is empty");
  }
  wait.deadline = std::min(wait.deadline, reactor.now() + kPatience);
  Pipe output = make_pipe();
  const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  options.descriptors = {{0, nothing.get()}, {1, output.write_end.get()}};
  Process process = Process::spawn(options);
  output.write_end.reset();
  const std::string text =
      co_await read_to_end(reactor, output.read_end.get(), kOutputBytesMax, name, wait);
  const std::optional<ExitStatus> status = co_await process.wait_exit(reactor, wait);
  if (!status) {
    throw Error(ErrorKind::timeout, "aws", "Unum.CredentialProcess",
                name + ": " + options.argv.front() + " does not end");
  }
  if (!status->succeeded()) {
    throw Error(ErrorKind::denied, "aws", "Unum.CredentialProcess",
                name + ": " + options.argv.front() + " ended with " + to_string(*status) +
                    "; what it says of it stands on the standard error");
  }
  co_return parse_credentials_json(text, CredentialsJson::process, name);
}

}  // namespace unum::aws
