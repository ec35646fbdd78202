// Trees of files that somebody else wrote: removed, or measured.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "pool/result.hpp"

namespace warmpool::daemon {

// `left`: what could not be removed; `fault` names the first of that, with the reason.
struct TreeRemoval {
  std::uint64_t removed = 0, left = 0;
  std::string fault;
};

// Removes `name` of the directory `parent`, whatever it is; that it is missing is no fault. No
// symlink is followed, and no mount entered, also none of the same file system. Directories that
// are nested very deep are moved up into `parent` meanwhile, so that nobody else uses that.
// `path`: of `parent`, for texts. Blocks: until done; ends early once `stop` is set. Threads: any.
TreeRemoval remove_tree(int parent, const std::string& path, const std::string& name,
                        const std::atomic<bool>& stop);

// What it takes of the disk. Errors: what cannot be read, or it is nested more than 256 deep.
// Blocks and follows as remove_tree().
Result<std::uint64_t> tree_bytes(const std::string& path, const std::atomic<bool>& stop);

}  // namespace warmpool::daemon
