// Findings: their text and their order.
#include "application/finding.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "base/secrets.hpp"

namespace unum {

std::string Finding::text() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line);
  if (!out.empty()) out += ": ";
  return out + hide_passwords(message);
}

std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::info: return "info";
    case Severity::warning: return "warning";
    case Severity::error: return "error";
  }
  return "error";
}

bool has_errors(const std::vector<Finding>& findings) noexcept {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& f) { return f.severity == Severity::error; });
}

void sort_findings(std::vector<Finding>& findings) {
  const auto key = [](const Finding& f) { return std::tie(f.file, f.line, f.rule, f.message); };
  std::stable_sort(findings.begin(), findings.end(),
                   [&](const Finding& a, const Finding& b) { return key(a) < key(b); });
  findings.erase(std::unique(findings.begin(), findings.end()), findings.end());
}

Finding finding_from(Severity severity, std::string_view rule, std::string_view file,
                     std::string_view message) {
  Finding finding{severity, std::string(rule), std::string(file), 0, std::string(message)};
  if (!message.starts_with(file)) return finding;
  std::string_view rest = message.substr(file.size());
  if (!rest.starts_with(':')) return finding;
  rest.remove_prefix(1);
  std::size_t line = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), line);
  if (error == std::errc{}) {
    finding.line = line;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const std::size_t message_at = rest.find(": ");  // A column may stand between.
    if (message_at != std::string_view::npos) {
      rest.remove_prefix(rest.find_first_not_of(":0123456789") == message_at + 1 ? message_at + 1
                                                                                 : 1);
    }
  }
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  finding.message = std::string(rest);
  return finding;
}

}  // namespace unum
