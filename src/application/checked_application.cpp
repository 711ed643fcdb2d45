// An application that was read and passed all checks: see unum/application.hpp.
#include <utility>

#include "application/application.hpp"
#include "application/check.hpp"
#include "unum/error.hpp"

namespace unum {

CheckedApplication::CheckedApplication(Application application)
    : application_(std::make_shared<const Application>(std::move(application))) {}

namespace {

void refuse_errors(const Application& application, const std::string& what,
                   const CheckedApplication::FindingSink& found) {
  const std::vector<Finding> findings = check_application(application);
  if (found) {
    for (const Finding& finding : findings) found(finding);
  }
  if (has_errors(findings)) {
    throw Error(ErrorKind::invalid, "application", "Unum.Refused",
                what + " is refused; nothing was run");
  }
}

}  // namespace

CheckedApplication CheckedApplication::load(const std::string& directory,
                                            const FindingSink& found) {
  Application application = load_application(directory);
  refuse_errors(application, directory, found);
  return CheckedApplication(std::move(application));
}

CheckedApplication CheckedApplication::from_text(const ApplicationText& text,
                                                 const FindingSink& found) {
  Application application = application_from(text);
  refuse_errors(application,
                application.name.empty() ? "the application" : "application " + application.name,
                found);
  return CheckedApplication(std::move(application));
}

const std::string& CheckedApplication::name() const noexcept { return application_->name; }
const std::string& CheckedApplication::entry() const noexcept { return application_->entry; }
std::size_t CheckedApplication::function_count() const noexcept {
  return application_->functions.size();
}

std::vector<Function> CheckedApplication::functions() const {
  std::vector<Function> functions;
  functions.reserve(function_count());
  for (const FunctionSettings& settings : application_->functions) {
    functions.emplace_back(settings.ir);
  }
  return functions;
}

std::chrono::seconds CheckedApplication::timeout_of(std::string_view function) const {
  const FunctionSettings* const settings = application_->find(function);
  if (settings == nullptr) {
    throw Error(ErrorKind::not_found, "application", "Unum.UnknownFunction",
                "application " + name() + " has no function " + std::string(function));
  }
  return std::chrono::seconds(settings->timeout_seconds);
}

ApplicationIdentity CheckedApplication::identity() const {
  ApplicationIdentity identity;
  identity.name = name();
  for (const Function& function : functions()) {
    identity.functions.emplace(function.name(), function.digest());
  }
  return identity;
}

bool CheckedApplication::collects_garbage() const noexcept {
  return application_->collects_garbage;
}
std::string_view CheckedApplication::store_type() const noexcept {
  return to_string(application_->store.type);
}
std::string CheckedApplication::store_name() const { return store_name_of(*application_); }
ReadConsistency CheckedApplication::read_consistency() const noexcept {
  return application_->read_consistency;
}

const Application& details_of(const CheckedApplication& application) noexcept {
  return *application.application_;
}

}  // namespace unum
