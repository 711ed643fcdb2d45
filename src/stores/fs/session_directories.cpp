// Opening and making session directories, component by component, and never through a symbolic
// link.
#include "stores/fs/session_directories.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "reactor/descriptor_limit.hpp"
#include "reactor/files.hpp"
#include "stores/fs/path.hpp"

namespace unum::fs {
namespace {

// Directories held open: a process works on few sessions at a time, and descriptors are not plenty.
constexpr std::size_t kOpenMax = 64;
constexpr int kOpenFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
constexpr unsigned kDirectoryMode = 0777;  // as far as the umask allows

}  // namespace

SessionDirectories::SessionDirectories(SystemCalls& calls, StoreCounters& counters,
                                       DirectoryPtr root)
    : calls_(calls), counters_(counters), root_(std::move(root)) {}

DirectoryPtr SessionDirectories::cached(std::string_view session) noexcept {
  const auto found = open_.find(session);
  if (found == open_.end()) return nullptr;
  order_.splice(order_.end(), order_, found->second.order);
  return found->second.directory;
}

Task<DirectoryPtr> SessionDirectories::find(std::string_view session, Wait wait) {
  return open(session, false, wait);
}

Task<DirectoryPtr> SessionDirectories::make(std::string_view session, Wait wait) {
  return open(session, true, wait);
}

Task<DirectoryPtr> SessionDirectories::open(std::string_view session, bool make, Wait wait) {
  while (true) {
    if (DirectoryPtr known = cached(session)) co_return known;
    const auto other = opening_.find(session);
    if (other == opening_.end()) break;
    const std::shared_ptr<detail::WaitList> opened = other->second;
    const int woken = co_await opened->wait(calls_.reactor(), wait);
    if (woken < 0) throw system_error("fs", -woken, "opening the directory of a session");
  }
  struct Opening {
    SessionDirectories& owner;
    const std::string session;
    ~Opening() {
      const auto node = owner.opening_.extract(session);
      node.mapped()->wake_all();
    }
  };
  opening_.emplace(std::string(session), std::make_shared<detail::WaitList>());
  const Opening opening{*this, std::string(session)};
  const std::vector<std::string> components = session_components(session);
  DirectoryPtr directory = co_await descend(root_, components, make, wait);
  if (directory) keep(session, directory);
  co_return directory;
}

Task<DirectoryPtr> SessionDirectories::descend(DirectoryPtr from,
                                               const std::vector<std::string>& components,
                                               bool make, Wait wait) {
  for (const std::string& component : components) {
    const int above = from->fd.get();
    const char* name = component.c_str();
    int fd = -ENOENT;
    bool made_here = false;
    // Somebody may remove an empty directory between our making and opening it.
    for (int attempt = 0; fd == -ENOENT && attempt < 8; ++attempt) {
      ++counters_.requests;
      fd = co_await calls_.open_at(above, name, kOpenFlags, 0, wait);
      if (means_no_descriptor(fd)) {
        fd = co_await calls_.open_patiently(above, name, kOpenFlags, 0, wait);
      }
      if (fd != -ENOENT) break;
      if (!make) co_return nullptr;
      ++counters_.requests;
      const int made = co_await calls_.make_dir_at(above, name, kDirectoryMode, wait);
      made_here = made == 0;
      if (made < 0 && made != -EEXIST) {
        if (made == -ENOENT && calls_.is_gone(above)) {
          throw Error(ErrorKind::not_found, "fs", "ENOENT",
                      "the directory of the data store was taken away while it was open: " +
                          path_name(above, ""));
        }
        throw file_error(-made, "making the directory", above, name);
      }
    }
    if (fd < 0) throw file_error(-fd, "opening the directory", above, name);
    ++counters_.connections;
    from = std::make_shared<Directory>(Descriptor(fd), from, component);
    from->made_here = made_here;
  }
  co_return from;
}

void SessionDirectories::keep(std::string_view session, const DirectoryPtr& directory) {
  if (open_.size() >= kOpenMax) {
    open_.erase(open_.find(order_.front()));
    order_.pop_front();
  }
  order_.emplace_back(session);
  open_.emplace(std::string(session), Entry{directory, std::prev(order_.end())});
}

void SessionDirectories::drop(std::string_view session) noexcept {
  const auto found = open_.find(session);
  if (found == open_.end()) return;
  order_.erase(found->second.order);
  open_.erase(found);
}

void SessionDirectories::clear() noexcept {
  open_.clear();
  order_.clear();
}

}  // namespace unum::fs
