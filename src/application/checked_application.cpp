// An application that was read and passed all checks: see unum/application.hpp.
#include <utility>

#include "application/application.hpp"
#include "application/check.hpp"
#include "unum/error.hpp"

namespace unum {

CheckedApplication::CheckedApplication(Application application)
    : application_(std::make_shared<const Application>(std::move(application))) {}

CheckedApplication CheckedApplication::load(const std::string& directory,
                                            const FindingSink& found) {
  Application application = load_application(directory);
  const std::vector<Finding> findings = check_application(application);
  if (found) {
    for (const Finding& finding : findings) found(finding);
  }
  if (has_errors(findings)) {
    throw Error(ErrorKind::invalid, "application", "Unum.Refused",
                directory + " is refused; nothing was run");
  }
  return CheckedApplication(std::move(application));
}

const std::string& CheckedApplication::name() const noexcept { return application_->name; }
const std::string& CheckedApplication::entry() const noexcept { return application_->entry; }
std::size_t CheckedApplication::function_count() const noexcept {
  return application_->functions.size();
}

const Application& details_of(const CheckedApplication& application) noexcept {
  return *application.application_;
}

}  // namespace unum
