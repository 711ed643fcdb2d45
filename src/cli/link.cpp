// `unum link`: what to deploy for each function.
#include <fmt/format.h>

#include <vector>

#include "application/application.hpp"
#include "application/link_files.hpp"
#include "base/json.hpp"
#include "cli/cli.hpp"

namespace unum::cli {

void drop_password(StoreName& store) {
  if (!store.named) return;
  const std::string type(to_string(store.type));
  const std::string shown = store_without_secret(type, store.name);
  const std::string name = shown.substr(type.size() + 1);
  if (name == store.name) return;
  say("unum: warning: the password in the data store's name is left out; a deployment finds it in "
      "UNUM_REDIS_PASSWORD\n");
  store.name = name;
}

namespace {

void print(const std::vector<LinkedFile>& files) {
  std::string out = "{";
  for (const LinkedFile& file : files) {
    out += out.size() > 1 ? ",\n" : "\n";
    json::append_string(out, file.name);
    out += ": ";
    out += json::trim(file.text);
  }
  fmt::print("{}\n}}\n", out);
}

}  // namespace

int link(const LinkArguments& arguments) {
  const CheckedApplication checked = load_checked(arguments.directory, false);
  Application application = details_of(checked);
  drop_password(application.store);
  const std::vector<LinkedFile> files = linked_files(application);
  if (arguments.out.empty()) {
    print(files);
    return kDone;
  }
  write_linked_files(files, arguments.out);
  for (const LinkedFile& file : files) {
    fmt::print("written: {}\n", (std::filesystem::path(arguments.out) / file.name).string());
  }
  return kDone;
}

}  // namespace unum::cli
