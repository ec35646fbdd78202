// The file of the board: made, put in its place, taken away again.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>

#include "ipc/fd.hpp"
#include "ipc/shared_memory.hpp"

namespace warmpool::daemon {

// Where boards are published.
struct BoardPlace {
  ipc::UniqueFd directory;          // the runtime directory
  std::string path;                 // of it, for people
  std::optional<gid_t> group;       // may read it too
  std::string memory = "/dev/shm";  // where the file lies if the directory is on a disk
};

// A file under a private name, to be filled; publish() then puts it into its public place in one
// rename, where it replaces the board before it.
//
// Owns: the descriptor, and with it the lock by which readers see that the daemon lives. The file
// stays when it is destroyed.
class BoardFile {
 public:
  // Errors: errno, and a text that says what was being done. `place` must outlive it.
  static Result<BoardFile> make(const BoardPlace& place, std::size_t bytes);

  ipc::Mapping take_mapping() { return std::move(*mapping_); }
  Result<void> publish();
  // Whether a reader that looks for it still finds this one.
  bool still_there() const;
  // Whether it lies in memory; on a disk a write to it may have to wait for the disk.
  bool in_memory() const { return in_memory_; }
  // Unlinks it if it is still there.
  void remove();

 private:
  const BoardPlace* place_ = nullptr;
  ipc::UniqueFd outside_;  // directory in memory, if the file is there
  std::string outside_path_, name_;
  bool in_memory_ = true;
  ipc::UniqueFd fd_;
  std::optional<ipc::Mapping> mapping_;
  dev_t device_ = 0;
  ino_t inode_ = 0;

  int directory() const { return outside_ ? outside_.get() : place_->directory.get(); }
  Result<void> choose_place();
  Result<void> fill(std::size_t bytes);
};

}  // namespace warmpool::daemon
