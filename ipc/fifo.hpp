// FIFOs (named pipes): made, opened and judged by descriptor, so that nothing waits in an open and
// nothing foreign is read, whatever a path was replaced by.
#pragma once

#include <optional>
#include <string>
#include <sys/stat.h>

#include "ipc/endpoint.hpp"
#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

// DIRECTORY/NAME, or NAME alone with AT_FDCWD. `mode`: O_RDONLY, O_WRONLY or O_RDWR. What comes is
// a FIFO of user `owner` that has no other name, non-blocking and close-on-exec; its last component
// was no symlink.
// Blocks: never. Errors: errno; ENXIO: O_WRONLY, and nobody has it open for reading; ELOOP: a
// symlink; EINVAL: no FIFO, not the owner's, or it has another name too.
Result<UniqueFd> open_fifo(int directory, const std::string& name, int mode, uid_t owner);

// A file in a directory that only we may change. Owns: the name, which goes with it if it still
// leads to the same file. Order: the directory outlives it.
class FileName {
 public:
  FileName() = default;
  FileName(const RuntimeDirectory& directory, std::string name, int fd);
  FileName(FileName&& other) noexcept { *this = std::move(other); }
  FileName& operator=(FileName&& other) noexcept;
  ~FileName() { remove(); }

  // False when the name was removed, or leads elsewhere, or its directory does.
  bool still_ours() const;
  void remove();
  std::string path() const;
  explicit operator bool() const { return directory_ != nullptr; }

 private:
  const RuntimeDirectory* directory_ = nullptr;
  std::string name_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// The daemon's side of one worker's channel: a FIFO each way.
//
// A FIFO has no life of its own that its ends could see: an open waits for the other end, a read
// says "end" where nobody has opened yet, a write kills where nobody reads. So the daemon holds,
// until the worker has opened both, one end more than it needs: whoever opens in whatever order
// and way then never waits, and nobody sees an end that is none. Once the worker has opened both,
// this is destroyed: the names go, and from then on an end that the worker closes is seen, as with
// a socket.
class FifoPair {
 public:
  // NAME.in, which the worker reads, and NAME.out, which it writes, in `directory`; mode 0600.
  // `owner`: to whom they are given, where the worker runs as another user.
  // Order: the directory outlives it. Errors: errno and a text that says what to do.
  static Result<FifoPair> make(const RuntimeDirectory& directory, const std::string& name,
                               std::optional<uid_t> owner = {});

  // Owns: from here on the caller does.
  UniqueFd take_read_end() { return std::move(read_end_); }
  UniqueFd take_write_end() { return std::move(write_end_); }
  // Absolute.
  std::string in_path() const { return in_.path(); }
  std::string out_path() const { return out_.path(); }

 private:
  UniqueFd read_end_, write_end_;
  UniqueFd spare_;     // a reader of `in`
  FileName in_, out_;  // go with it
};

// Removes what a daemon that was killed left of its pairs in a directory that is ours and locked.
// Returns how many files.
std::size_t sweep_fifos(const RuntimeDirectory& directory);

}  // namespace warmpool::ipc
