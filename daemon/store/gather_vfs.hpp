// Frames of the WAL in one write.
#pragma once

#include <string>

namespace warmpool::daemon {

// SQLite writes each frame of its WAL as a header of 24 bytes and a page: two system calls for each
// page of a transaction. Through this VFS they are gathered and written when the transaction's last
// frame is there, or when anything else is asked of the file; the file holds the same bytes in the
// same order, and what cannot be written is told by the write of the last frame. All other files
// are the VFS's below.
//
// `below`: the name of a registered VFS, empty for the system's. Returns the name of the one over
// it, which is registered for good when it is asked for first. Threads: any.
std::string gathering_vfs(const std::string& below);

}  // namespace warmpool::daemon
