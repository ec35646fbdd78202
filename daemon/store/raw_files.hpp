// The files of a database as bytes, through its own descriptors, and which files they are.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/store/sqlite.hpp"

namespace warmpool::daemon {

// Writes all of it once more, the same bytes, and syncs them: what reads as the WAL is then on the
// disk, whatever became of it before. Returns whether there was one. Order: outside a transaction.
// Errors: Error::code is SQLite's. Blocks: while it is written; no other program can write
// meanwhile.
Result<bool> rewrite_wal(Database& database);

// 0: there is no such file.
std::uint64_t inode_of(const std::string& path);

// Reads all of the file and of its WAL. Errors: that it cannot be; Error::code is SQLite's.
Result<void> read_through(Database& database);

}  // namespace warmpool::daemon
