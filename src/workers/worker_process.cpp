// See worker_process.hpp.
#include "workers/worker_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "reactor/children.hpp"
#include "unum/error.hpp"
#include "workers/worker_protocol.hpp"

namespace unum {
namespace {

std::string message_with(char type, std::int32_t number) {
  std::string message(1, type);
  message.append(reinterpret_cast<const char*>(&number), sizeof number);
  return message;
}

/// What a system call answered that gives a descriptor.
int checked(int result, const char* what) {
  if (result < 0) throw system_error("worker", errno, what);
  return result;
}

ExitStatus exit_status(int wait_status) {
  if (WIFSIGNALED(wait_status)) return {.code = 0, .signal = WTERMSIG(wait_status)};
  return {.code = WEXITSTATUS(wait_status), .signal = 0};
}

}  // namespace

void make_pipe(Descriptor& read_end, Descriptor& write_end) {
  int ends[2];
  checked(::pipe2(ends, O_CLOEXEC), "a pipe to a worker process");
  read_end = Descriptor(ends[0]);
  write_end = Descriptor(ends[1]);
}

void make_worker_pipes(WorkerPipes& near, WorkerFarEnds& far) {
  make_pipe(near.requests_far, near.requests);
  make_pipe(near.responses, far.responses);
  make_pipe(near.output, far.output);
  // Requests are written at once as far as there is room, never waiting in a system call.
  ::fcntl(near.requests.get(), F_SETFL, O_NONBLOCK);
}

void WorkerProcess::kill(int signal) noexcept {
  if (spawned_) {
    spawned_.kill(signal);
  } else if (pidfd_) {
    // Its id is its own until it is reaped, which its server does when we ask.
    if (server_->alive()) ::kill(-pid_, signal);
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0u);
  }
}

Task<std::optional<ExitStatus>> WorkerProcess::wait_exit(Reactor& reactor) {
  if (spawned_) co_return co_await spawned_.wait_exit(reactor);
  const int result = co_await reactor.poll(pidfd_.get(), POLLIN);
  if (result < 0) throw system_error("worker", -result, "waiting for a worker process");
  if (server_->alive()) ::kill(-pid_, SIGKILL);  // what it left behind
  pidfd_.reset();
  co_return co_await server_->reap(pid_);
}

std::shared_ptr<ForkServer> ForkServer::start(Reactor& reactor,
                                              const std::vector<std::string>& command, int output) {
  auto server = std::make_shared<ForkServer>(reactor);
  int ends[2];
  checked(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends),
          "a socket to the fork server");
  server->socket_ = Descriptor(ends[0]);
  const Descriptor far(ends[1]);
  const Descriptor null(checked(::open("/dev/null", O_RDONLY | O_CLOEXEC), "opening /dev/null"));
  SpawnOptions options;
  options.argv = command;
  options.argv.emplace_back("--fork-server");
  options.descriptors = {
      {0, null.get()}, {1, output}, {2, output}, {worker::kRequestDescriptor, far.get()}};
  server->process_ = Process::spawn(options);
  return server;
}

bool ForkServer::send(const std::string& message, const std::vector<int>& descriptors) {
  iovec part{const_cast<char*>(message.data()), message.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const std::size_t bytes = descriptors.size() * sizeof(int);
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(rights), descriptors.data(), bytes);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(message.size());
}

Task<std::optional<ForkServer::Reply>> ForkServer::ask(std::string message,
                                                       std::vector<int> descriptors) {
  while (busy_) co_await turn_.wait(reactor_, {});
  if (!alive_) {
    turn_.wake_one();
    co_return std::nullopt;
  }
  busy_ = true;
  std::optional<Reply> reply;
  if (send(message, descriptors)) {
    std::array<char, 16> buffer{};
    ssize_t count = 0;
    do {  // told readable by the wake-up for what was read before, it may have nothing yet
      const int ready = co_await reactor_.poll(socket_.get(), POLLIN);
      if (ready < 0) break;
      count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    } while (count < 0 && (errno == EAGAIN || errno == EINTR));
    if (count >= 5) {
      reply.emplace();
      reply->type = buffer[0];
      std::memcpy(&reply->first, &buffer[1], 4);
      std::memcpy(&reply->second, &buffer[5], 4);
      proven_ = true;
    }
  }
  if (!reply) {
    kill();
  }
  busy_ = false;
  turn_.wake_one();
  co_return reply;
}

Task<WorkerProcess> ForkServer::fork(int requests, int responses, int output) {
  const std::shared_ptr<ForkServer> self = shared_from_this();
  // GCC 12 cannot keep an initializer list across a suspension.
  std::vector<int> descriptors(3);
  descriptors[0] = requests;
  descriptors[1] = responses;
  descriptors[2] = output;
  const std::optional<Reply> reply = co_await ask(std::string(1, 'F'), std::move(descriptors));
  if (!reply || reply->type != 'P') {
    throw Error(ErrorKind::disconnected, "worker", "Unum.ForkServer",
                "the Python fork server has ended");
  }
  if (reply->first < 0) {
    throw system_error("worker", -reply->first,
                       "fork of a Python worker" + children::process_limits_text(-reply->first));
  }
  const pid_t pid = reply->first;
  Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0u)));
  const int error = errno;
  if (pidfd) co_return WorkerProcess(self, pid, std::move(pidfd));
  if (error == EPERM || error == ENOSYS) {
    // A filter does not know it: nothing would tell how a forked worker ends. Its own children this
    // process can watch all the same.
    proven_ = false;
    kill();
    throw Error(ErrorKind::disconnected, "worker", "Unum.ForkServer",
                "pidfd_open is refused: Python workers cannot be forked from a server");
  }
  ::kill(pid, SIGKILL);  // its id is its own until it is reaped
  co_await reap(pid);
  throw system_error("worker", error, "pidfd_open of a Python worker");
}

Task<std::optional<ExitStatus>> ForkServer::reap(pid_t pid) {
  const std::shared_ptr<ForkServer> self = shared_from_this();
  const std::optional<Reply> reply = co_await ask(message_with('R', pid), std::vector<int>());
  const bool known = reply && reply->type == 'S' && reply->first == pid && reply->second >= 0;
  if (!known) co_return std::nullopt;
  co_return exit_status(reply->second);
}

Task<void> ForkServer::watch() {
  const std::shared_ptr<ForkServer> self = shared_from_this();
  co_await process_.wait_exit(reactor_);
  alive_ = false;
}

void ForkServer::kill() noexcept {
  alive_ = false;
  process_.kill(SIGKILL);
}

}  // namespace unum
