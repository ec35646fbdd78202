// The file of the archive: lines that are there for good, in files that take turns.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/archive_line.hpp"
#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// A line is appended whole or not at all, and counts once sync() has said so; what could not be
// synced is taken back. Lines of others in the file, and one that a crash cut short, stay.
// Bounds: FILE, and FILE.1 (the newest) and so on that it was before, together `files_max` of at
//   most `bytes_max`, but for a longer line, which has a file by itself.
// Threads: one. Errors: the text names the file. Blocks: as long as the disk does.
class ArchiveFile {
 public:
  explicit ArchiveFile(std::string path) : path_(std::move(path)) {}
  void set_bounds(std::uint64_t bytes_max, std::uint64_t files_max);

  // For a line of so many bytes, beside what is in it.
  bool has_room(std::uint64_t bytes) const;
  // Order: all is synced. What has no place any more goes, counted.
  Result<void> rotate();
  Result<void> append(const ArchiveLine& line);
  Result<void> sync();
  // Lines that went with the oldest file since the last call.
  std::uint64_t take_lost() { return std::exchange(lost_, 0); }

 private:
  std::string name(std::uint64_t number) const;
  Result<void> open();
  Result<void> take_back(std::uint64_t size, Error why);
  Error failed(const std::string& what) const;

  const std::string path_;
  std::uint64_t bytes_max_ = 0, files_max_ = 1;
  ipc::UniqueFd file_;
  bool unsynced_ = false, names_changed_ = false;
  std::uint64_t synced_size_ = 0;  // while something is unsynced
  std::uint64_t lost_ = 0;
};

}  // namespace warmpool::daemon
