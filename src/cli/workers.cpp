// `unum workers`: an application's queue, and who works on it.
#include <fmt/format.h>

#include <utility>

#include "application/application.hpp"
#include "base/json.hpp"
#include "cli/cli.hpp"
#include "hosts/redis_streams/queue.hpp"
#include "hosts/store_choice.hpp"
#include "unum/runtime.hpp"

namespace unum::cli {
namespace {

/// Which session and instance a message is for; empty where its function is unknown here.
PayloadIdentity about(const CheckedApplication& application, const streams::Message& message) {
  for (const Function& function : application.functions()) {
    if (function.name() != message.function) continue;
    try {
      return identify_payload(function, validate_payload(message.payload));
    } catch (const Error&) {
      break;  // it will be a dead letter
    }
  }
  return {};
}

double seconds(std::chrono::milliseconds time) { return static_cast<double>(time.count()) / 1000; }

void print_json(const CheckedApplication& application, const streams::QueueStatus& status) {
  std::string out = fmt::format(
      "{{\"length\":{},\"pending\":{},\"delayed\":{},\"dead\":{},\"oldest_s\":{:.3f},\"workers\":[",
      status.length, status.pending, status.delayed, status.dead, seconds(status.oldest));
  bool first = true;
  for (const streams::QueueStatus::Consumer& consumer : status.consumers) {
    out += std::exchange(first, false) ? "{\"worker\":" : ",{\"worker\":";
    json::append_string(out, consumer.name);
    out += fmt::format(",\"messages\":{},\"idle_s\":{:.3f}}}", consumer.entries,
                       seconds(consumer.idle));
  }
  out += "],\"running\":[";
  first = true;
  for (const streams::QueueStatus::Running& running : status.running) {
    const PayloadIdentity identity = about(application, running.message);
    const auto text = [&out](std::string_view key, std::string_view value) {
      out += fmt::format("\"{}\":", key);
      json::append_string(out, value);
      out += ',';
    };
    out += std::exchange(first, false) ? "{" : ",{";
    text("message", running.entry);
    text("worker", running.consumer);
    text("function", running.message.function);
    text("session", identity.session);
    text("instance", identity.instance);
    out += fmt::format("\"deliveries\":{},\"crashes\":{},\"silent_s\":{:.3f}}}", running.deliveries,
                       running.message.crashes, seconds(running.idle));
  }
  fmt::print("{}]}}\n", out);
}

void print_table(const CheckedApplication& application, const streams::Queue& queue,
                 const streams::QueueStatus& status) {
  fmt::print("queue redis:{} ({})\n", queue.name(), queue.keys().stream);
  fmt::print("  {} messages, {} of them with workers, {} delayed, {} dead", status.length,
             status.pending, status.delayed, status.dead);
  fmt::print("{}\n", status.length == 0 ? std::string()
                                        : ", oldest " + readable_seconds(seconds(status.oldest)));
  for (const streams::QueueStatus::Consumer& consumer : status.consumers) {
    fmt::print("worker {}: {} messages, heard of {} ago\n", consumer.name, consumer.entries,
               readable_seconds(seconds(consumer.idle)));
    for (const streams::QueueStatus::Running& running : status.running) {
      if (running.consumer != consumer.name) continue;
      const PayloadIdentity identity = about(application, running.message);
      fmt::print("  {}  session {}{}\n",
                 identity.instance.empty() ? running.message.function : identity.instance,
                 identity.session.empty() ? "?" : identity.session,
                 running.deliveries > 1 ? fmt::format("  (delivery {})", running.deliveries) : "");
    }
  }
}

Task<void> show(Reactor& reactor, const CheckedApplication& application,
                const WorkersArguments& arguments) {
  streams::QueueOptions options;
  options.patience = patience_of(arguments.store_patience_s);
  options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
  const StoreChoice store = choose_store(details_of(application), {});
  streams::Queue queue(reactor, queue_name(arguments.queue, store), application.name(),
                       std::move(options));
  co_await queue.open();
  const streams::QueueStatus status = co_await queue.status();
  if (arguments.json) {
    print_json(application, status);
  } else {
    print_table(application, queue, status);
  }
  queue.close();
}

}  // namespace

int workers(const WorkersArguments& arguments) {
  const CheckedApplication application = load_checked(arguments.directory, true);
  Reactor reactor;
  reactor.run(show(reactor, application, arguments));
  return kDone;
}

}  // namespace unum::cli
