// A directory leaves by a rename, which takes no time however much is in it: what needs the name
// again, a retry or another worker, waits for that and not for the disk.
#include "daemon/directory/directory_root.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/random.hpp"

namespace warmpool::daemon {
namespace {

constexpr const char* kRemoved = ".removed";
constexpr mode_t kPassage = 0711, kOwn = 0700;

const char* folder_of(DirectoryKind kind) { return kind == DirectoryKind::Kept ? "kept" : "fresh"; }

std::string marker_of(const DirectoryName& name) { return name.name + ".ready"; }

Error fault(const std::string& path, int error) {
  return {error, path + ": " + std::strerror(error)};
}

ipc::UniqueFd open_below(int parent, const char* name) {
  return ipc::UniqueFd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Made if it is missing.
ipc::UniqueFd walk(int parent, const char* name, mode_t mode) {
  const bool made = ::mkdirat(parent, name, mode) == 0;
  if (!made && errno != EEXIST) return {};
  auto fd = open_below(parent, name);
  if (fd && made) (void)!::fchmod(fd.get(), mode);  // whatever the umask
  return fd;
}

std::vector<std::string> names_in(const ipc::UniqueFd& fd) {
  std::vector<std::string> names;
  const int copy = fd ? ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3) : -1;
  DIR* listing = copy < 0 ? nullptr : ::fdopendir(copy);
  if (listing == nullptr) return names;
  ::rewinddir(listing);  // a copy of a descriptor goes on where the other one was
  while (const auto* entry = ::readdir(listing)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(listing);
  return names;
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

std::string drawn_name(const std::string& name) {
  char drawn[32];
  std::snprintf(drawn, sizeof drawn, ".%016llx", static_cast<unsigned long long>(random_u64()));
  return name + drawn;
}

}  // namespace

std::string file_name_of(std::string_view text) {
  std::string name;
  for (const char c : text) {
    if (is_plain(c) || (c == '.' && !name.empty())) {
      name += c;
      continue;
    }
    char coded[4];
    std::snprintf(coded, sizeof coded, "%%%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    name += coded;
  }
  return name;
}

Result<DirectoryRoot> DirectoryRoot::open(const std::string& path) {
  auto directory = ipc::RuntimeDirectory::open(path, {}, ipc::kWorkUse);
  if (!directory) return directory.error();
  auto lock = ipc::RuntimeLock::take(*directory);
  if (!lock) return lock.error();
  if (::fchmod(directory->fd(), kPassage) != 0) return fault(directory->path(), errno);
  return DirectoryRoot(std::move(*directory), std::move(*lock));
}

std::string DirectoryRoot::path_of(const DirectoryName& name) const {
  return path() + "/" + name.class_name + "/" + folder_of(name.kind) + "/" + name.name;
}

Result<ipc::UniqueFd> DirectoryRoot::open_parent(const DirectoryName& name) const {
  const auto of_class = walk(directory_.fd(), name.class_name.c_str(), kPassage);
  if (!of_class) return fault(path() + "/" + name.class_name, errno);
  auto parent = walk(of_class.get(), folder_of(name.kind), kPassage);
  if (!parent) return fault(path() + "/" + name.class_name + "/" + folder_of(name.kind), errno);
  return parent;
}

Result<ipc::UniqueFd> DirectoryRoot::open_removed() const {
  auto fd = walk(directory_.fd(), kRemoved, kOwn);
  if (!fd) return fault(path() + "/" + kRemoved, errno);
  return fd;
}

Result<bool> DirectoryRoot::make(const DirectoryName& name, const Identity* owner) const {
  const auto whole = path_of(name);
  const auto parent = open_parent(name);
  if (!parent) return parent.error();
  const bool ready = name.kind == DirectoryKind::Kept &&
                     ::faccessat(parent->get(), marker_of(name).c_str(), F_OK, 0) == 0;
  struct stat found {};
  const bool there = ::fstatat(parent->get(), name.name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0;
  const auto uid = owner != nullptr && ::geteuid() == 0 ? owner->uid : ::geteuid();
  if (there && ready) {
    if (S_ISDIR(found.st_mode) && found.st_uid == uid) return false;
    return Error{EPERM, whole + " is kept from before and belongs to user " +
                            std::to_string(found.st_uid) + ", workers of this class are user " +
                            std::to_string(uid) + "; give it to them (chown -R), or remove it"};
  }
  if (there) {
    // Half prepared by a life that was killed then: seldom, so that who waits for this may wait.
    static const std::atomic<bool> goes_on = false;
    auto gone = discard(name);
    if (!gone) return gone.error();
    if (!gone->empty()) destroy(*gone, goes_on);
  }
  if (::mkdirat(parent->get(), name.name.c_str(), kOwn) != 0) return fault(whole, errno);
  const auto made = open_below(parent->get(), name.name.c_str());
  if (!made) return fault(whole, errno);
  // The group is the user's own: mode 0700 lets nobody else in.
  const bool given =
      owner == nullptr || ::geteuid() != 0 || ::fchown(made.get(), owner->uid, owner->gid) == 0;
  if (!given || ::fchmod(made.get(), kOwn) != 0) return fault(whole, errno);
  return true;
}

Result<void> DirectoryRoot::mark_ready(const DirectoryName& name) const {
  const auto parent = open_parent(name);
  if (!parent) return parent.error();
  const ipc::UniqueFd file(::openat(parent->get(), marker_of(name).c_str(),
                                    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fault(path_of(name) + ".ready", errno);
  return {};
}

bool DirectoryRoot::exists(const DirectoryName& name) const {
  struct stat found {};
  return ::lstat(path_of(name).c_str(), &found) == 0;
}

Result<std::string> DirectoryRoot::discard(const DirectoryName& name) const {
  const auto parent = open_parent(name);
  if (!parent) return parent.error();
  const auto removed = open_removed();
  if (!removed) return removed.error();
  // First: what stays without it is no directory that was prepared.
  if (::unlinkat(parent->get(), marker_of(name).c_str(), 0) != 0 && errno != ENOENT) {
    return fault(path_of(name) + ".ready", errno);
  }
  const auto drawn = drawn_name(name.name);
  if (::renameat(parent->get(), name.name.c_str(), removed->get(), drawn.c_str()) == 0) {
    return drawn;
  }
  if (errno == ENOENT) return std::string();
  return fault(path_of(name), errno);
}

TreeRemoval DirectoryRoot::destroy(const std::string& removed,
                                   const std::atomic<bool>& stop) const {
  const auto fd = open_removed();
  if (!fd) return {.removed = 0, .left = 1, .fault = fd.error().text};
  return remove_tree(fd->get(), path() + "/" + kRemoved, removed, stop);
}

Leftovers DirectoryRoot::leftovers() const {
  Leftovers left;
  left.removed = names_in(open_below(directory_.fd(), kRemoved));
  const ipc::UniqueFd root(::fcntl(directory_.fd(), F_DUPFD_CLOEXEC, 3));
  for (const auto& class_name : names_in(root)) {
    if (class_name == kRemoved) continue;
    const auto of_class = open_below(root.get(), class_name.c_str());
    if (!of_class) continue;
    for (auto& name : names_in(open_below(of_class.get(), folder_of(DirectoryKind::Fresh)))) {
      left.fresh.push_back({class_name, DirectoryKind::Fresh, std::move(name)});
    }
  }
  return left;
}

}  // namespace warmpool::daemon
