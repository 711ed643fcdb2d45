// Progress of a run, drawn at most ten times a second.
#include "cli/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "cli/cli.hpp"

namespace unum::cli {
namespace {

constexpr auto kRedrawEvery = std::chrono::milliseconds(100);
constexpr auto kPlainLineEvery = std::chrono::seconds(1);
constexpr std::size_t kRowsMax =
    12;  // live: a few lines of a terminal; older ones that are done scroll away
constexpr std::size_t kTimelineRowsMax = 40;
constexpr std::size_t kBarWidth = 24;

double seconds_between(Deadline from, Deadline to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string bar(double from, double to, double whole) {
  const auto cell = [&](double at) {
    return std::min(kBarWidth - 1,
                    static_cast<std::size_t>(at / std::max(whole, 1e-9) * kBarWidth));
  };
  std::string text(kBarWidth, ' ');
  for (std::size_t i = cell(from); i <= cell(to); ++i) text[i] = '#';
  return text;
}

/// A line that wrapped would be two to erase.
std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return 79;
  return size.ws_col - 1u;
}

}  // namespace

Progress::Progress(Reactor& reactor, bool live, bool silent)
    : reactor_(reactor), live_(live && !silent), silent_(silent), begun_(reactor.exact_now()) {}

Progress::Row& Progress::row(std::string_view function) {
  const auto [found, is_new] = row_of_.try_emplace(std::string(function), rows_.size());
  if (is_new) {
    rows_.emplace_back().function = function;
    rows_.back().first_queued = reactor_.exact_now();
  }
  return rows_[found->second];
}

// A host may deliver an instance again that has ended, to look for what it left: it is counted
// once.

void Progress::queued(std::string_view function, std::string_view instance) {
  if (silent_) return;
  if (!seen_.try_emplace(std::string(instance), Seen::queued).second) return;
  ++row(function).queued;
  refresh(false);
}

void Progress::ended(std::string_view function, const StepReport& report) {
  any_ended_ = true;
  if (silent_) return;
  Seen& seen = seen_.try_emplace(report.instance, Seen::queued).first->second;
  if (std::exchange(seen, Seen::ended) == Seen::ended) return;
  Row& entry = row(function);
  ++entry.ended;
  entry.failed += report.status == StepReport::Status::failed ? 1 : 0;
  entry.adopted += report.adopted ? 1 : 0;
  entry.last_ended = reactor_.exact_now();
  refresh(false);
}

void Progress::delivered_again(std::string_view instance, int attempt, const Error& why) {
  const bool names_it = why.message().starts_with(instance);
  line(fmt::format("{}{}{}; delivered again (attempt {})", names_it ? "" : instance,
                   names_it ? "" : ": ", why.message(), attempt));
}

void Progress::delayed(std::string_view instance, int attempt, std::chrono::milliseconds delay,
                       std::string_view error) {
  line(fmt::format("{}: {}; attempt {} in {}", instance, error, attempt,
                   readable_seconds(std::chrono::duration<double>(delay).count())));
}

void Progress::line(std::string_view text) { this->text(std::string(text) + '\n'); }

void Progress::text(std::string_view lines) {
  erase_live();
  say(lines);
  if (live_) refresh(false);
}

void Progress::refresh(bool force) {
  const Deadline now = reactor_.exact_now();
  if (live_) {
    if (!force && now - last_drawn_ < kRedrawEvery) return;
    erase_live();
    draw_live();
  } else {
    if (now - std::max(last_drawn_, begun_) < kPlainLineEvery) return;
    for (const Row& entry : rows_) {
      if (entry.ended < entry.queued) plain_line(entry);
    }
  }
  last_drawn_ = now;
}

void Progress::plain_line(const Row& entry) {
  say("{}: {} done, {} waiting\n", entry.function, entry.ended, entry.queued - entry.ended);
}

void Progress::erase_live() {
  if (lines_drawn_ == 0) return;
  say("\x1b[{}A\x1b[0J", lines_drawn_);
  lines_drawn_ = 0;
}

void Progress::draw_live() {
  std::vector<const Row*> shown;
  for (const Row& entry : rows_) {
    if (entry.ended < entry.queued) shown.push_back(&entry);
  }
  for (auto entry = rows_.rbegin(); entry != rows_.rend() && shown.size() < kRowsMax; ++entry) {
    if (entry->ended >= entry->queued) shown.insert(shown.begin(), &*entry);
  }
  if (shown.size() > kRowsMax) shown.resize(kRowsMax);
  const std::size_t columns = terminal_columns();
  std::string lines;  // written at once: a terminal shows the old lines or the new ones
  for (const Row* entry : shown) {
    const double share = static_cast<double>(entry->ended) /
                         static_cast<double>(std::max<std::size_t>(1, entry->queued));
    const auto filled = static_cast<std::size_t>(share * kBarWidth);
    const std::string text = fmt::format(
        "{:<24.24} [{}{}] {} done, {} waiting", entry->function, std::string(filled, '#'),
        std::string(kBarWidth - filled, '.'), entry->ended, entry->queued - entry->ended);
    lines += text.substr(0, columns);
    lines += '\n';
  }
  say(lines);
  lines_drawn_ = shown.size();
}

void Progress::finish(bool show_timeline) {
  erase_live();
  if (silent_ || !show_timeline) return;
  const double whole = seconds_between(begun_, reactor_.exact_now());
  std::size_t width = 8;
  for (const Row& entry : rows_)
    width = std::max(width, std::min<std::size_t>(entry.function.size(), 40));
  say("{:<{}}  {:>9}  {:>10}  |{:<{}}|\n", "function", width, "instances", "time",
      fmt::format("0 .. {}", readable_seconds(whole)), kBarWidth);
  const std::size_t shown = std::min(rows_.size(), kTimelineRowsMax);
  for (std::size_t i = 0; i < shown; ++i) {
    const Row& entry = rows_[i];
    const Deadline last = std::max(entry.last_ended, entry.first_queued);
    std::string note;
    if (entry.failed > 0) note += fmt::format("  {} failed", entry.failed);
    if (entry.adopted > 0) note += fmt::format("  {} were done already", entry.adopted);
    say("{:<{}.{}}  {:>9}  {:>10}  |{}|{}\n", entry.function, width, width, entry.ended,
        readable_seconds(seconds_between(entry.first_queued, last)),
        bar(seconds_between(begun_, entry.first_queued), seconds_between(begun_, last), whole),
        note);
  }
  if (shown < rows_.size()) say("... and {} more functions\n", rows_.size() - shown);
}

}  // namespace unum::cli
