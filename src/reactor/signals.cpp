// A signalfd and the thread's signal mask around it.
#include "reactor/signals.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "unum/error.hpp"

namespace unum {
namespace {

bool stays_ignored(int signal) {
  struct sigaction action {};
  return signal == SIGHUP && ::sigaction(signal, nullptr, &action) == 0 &&
         action.sa_handler == SIG_IGN;
}

}  // namespace

Signals::Signals(std::initializer_list<int> signals) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : signals) {
    if (!stays_ignored(signal)) sigaddset(&wanted, signal);
  }
  fd_ = Descriptor(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) throw system_error("reactor", errno, "signalfd");
  ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
}

Signals::~Signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::optional<int> Signals::take() {
  signalfd_siginfo info;
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

Task<std::optional<int>> Signals::next(Reactor& reactor, Wait wait) {
  while (true) {
    if (const std::optional<int> signal = take()) co_return signal;
    const int result = co_await reactor.poll(fd_.get(), POLLIN, wait);
    if (result == -ETIME || result == -ECANCELED) co_return std::nullopt;
    if (result < 0) throw system_error("reactor", -result, "waiting for a signal");
  }
}

}  // namespace unum
