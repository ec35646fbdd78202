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

// Errors: the file that had the inode `before` is not there, or another is (SQLITE_IOERR); or that
// cannot be seen now (SQLITE_CANTOPEN), as where nobody may go through a directory.
Result<void> still_there(const std::string& path, std::uint64_t before);
// 0: there is no such file, or it cannot be seen.
std::uint64_t inode_of(const std::string& path);

// Reads all of the file and of its WAL. Errors: that it cannot be; Error::code is SQLite's.
Result<void> read_through(Database& database);

}  // namespace warmpool::daemon
