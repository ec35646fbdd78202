// Where the directories of workers lie:
//   ROOT/CLASS/kept/SLOT             of a place, and SLOT.ready beside it once it is prepared
//   ROOT/CLASS/fresh/TASK.ROUND.ATTEMPT
//   ROOT/.removed/...                on their way out
// All of it but these directories belongs to the daemon, and others may only walk through.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/directory/tree.hpp"
#include "daemon/process/identity.hpp"
#include "ipc/endpoint.hpp"

namespace warmpool::daemon {

enum class DirectoryKind : std::uint8_t { Kept, Fresh };

// A text as the name of a file: what is no letter, digit, '_' or '-', nor a '.' within, is coded as
// %XX, so that no name leads elsewhere. Different texts have different names.
std::string file_name_of(std::string_view text);

// Of one directory, within its root. Both names are of file_name_of().
struct DirectoryName {
  std::string class_name;
  DirectoryKind kind{};
  std::string name;
};

struct Leftovers {
  std::vector<DirectoryName> fresh;
  std::vector<std::string> removed;
};

// Threads: any; it holds a descriptor and makes system calls. Blocks: all of it may, on the disk.
class DirectoryRoot {
 public:
  // Made if it is missing. Errors: those of RuntimeDirectory, or another daemon uses it.
  static Result<DirectoryRoot> open(const std::string& path);

  const std::string& path() const { return directory_.path(); }
  std::string path_of(const DirectoryName& name) const;

  // It is there, empty if it is new, with mode 0700 and its worker's owner; `owner` none: the
  // daemon's user. True: it is to be prepared; what an earlier try left of it is out of the way.
  Result<bool> make(const DirectoryName& name, const Identity* owner) const;
  // It is prepared, for as long as it is there. Of a kept one.
  Result<void> mark_ready(const DirectoryName& name) const;
  bool exists(const DirectoryName& name) const;
  // Its name is free from here on. Returns what destroy() is to be given; empty: it was not there.
  Result<std::string> discard(const DirectoryName& name) const;
  TreeRemoval destroy(const std::string& removed, const std::atomic<bool>& stop) const;

  // What earlier lives left.
  Leftovers leftovers() const;

 private:
  DirectoryRoot(ipc::RuntimeDirectory directory, ipc::RuntimeLock lock)
      : directory_(std::move(directory)), lock_(std::move(lock)) {}
  Result<ipc::UniqueFd> open_parent(const DirectoryName& name) const;
  Result<ipc::UniqueFd> open_removed() const;

  ipc::RuntimeDirectory directory_;
  ipc::RuntimeLock lock_;
};

}  // namespace warmpool::daemon
