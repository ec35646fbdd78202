// Which attempts are with workers that others started, in a file: these workers outlive the daemon,
// and its next life may not start again what one of them may still be running.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/process/peer_process.hpp"
#include "ipc/fd.hpp"
#include "pool/ids.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// Written before an attempt is sent and not synced: what loses the file's pages is the end of the
// boot, and with it of all these processes. So a file of another boot says nothing.
// Bounds: 32 bytes an attempt that such workers hold at once.
class AttemptFile {
 public:
  struct Entry {
    TaskId task;
    ProcessName process;
    std::uint32_t place = 0;  // in the file: for erase()
  };

  AttemptFile() = default;
  // What is in it comes back in entries(); empty where it is of another boot, or no such file.
  // Errors: errno and a text; nothing is remembered then.
  static Result<AttemptFile> open(const std::string& path);

  const std::vector<Entry>& entries() const { return entries_; }
  // Returns the place. Blocks: for a write to the page cache.
  // Errors: errno and a text, as where the file system is full; it is not remembered then.
  Result<std::uint32_t> add(TaskId task, const ProcessName& process);
  void erase(std::uint32_t place);

 private:
  bool read(std::string_view boot);

  std::string path_;
  ipc::UniqueFd file_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::uint32_t places_ = 0;
};

}  // namespace warmpool::daemon
