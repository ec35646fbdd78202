// A file of lines that is appended to and has a bound.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// Mode 0600. Where a line would bring it above `bytes_max` it becomes FILE.1, in place of an
// earlier one, so both together have at most twice that (but for a line that is longer by itself).
// Made again when somebody removed it; cut by hand it goes on.
class BoundedFile {
 public:
  // Opens nothing yet. `path` empty: nothing is ever written.
  BoundedFile(std::string path, std::uint64_t bytes_max)
      : path_(std::move(path)), bytes_max_(bytes_max) {}

  // The line and a line feed, in one write. Blocks: on the disk alone, whatever the path was
  // replaced by. Errors: errno; what is in the way is left alone.
  Result<void> append(std::string_view line);
  const std::string& path() const { return path_; }

 private:
  Result<void> open();
  Result<void> make_room(std::uint64_t bytes);

  std::string path_;
  std::uint64_t bytes_max_;
  ipc::UniqueFd file_;
};

}  // namespace warmpool::daemon
