// The files of a database as bytes, through its own descriptors.
#pragma once

#include "daemon/store/sqlite.hpp"

namespace warmpool::daemon {

// Writes all of it once more, the same bytes, and syncs them: what reads as the WAL is then on the
// disk, whatever became of it before. Returns whether there was one. Order: outside a transaction.
// Errors: Error::code is SQLite's. Blocks: while it is written; no other program can write
// meanwhile.
Result<bool> rewrite_wal(Database& database);

// Reads all of the file and of its WAL. Errors: that it cannot be; Error::code is SQLite's.
Result<void> read_through(Database& database);

}  // namespace warmpool::daemon
