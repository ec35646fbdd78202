// Files of a store that are not where they must be: what is left of it reads as an older store, or
// as none.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/store/sqlite.hpp"

namespace warmpool::daemon {

// Whether something is there, of whatever kind.
bool is_there(const std::string& path);

// A WAL that is missing takes with it what a life has written since its beginning, and with that
// the life itself: the tables then tell of the one before, which ended in order. Two witnesses: the
// file says by `open` that a life has begun and not ended in order (from version 7 on), and the
// journal has the number of its life.
//
// `had_wal`: of `path`, before SQLite looked, which makes an empty one; an empty one that was there
// stands for the wish to go on with what the file has. Errors: kStoreDamaged, with what to do, or
// SQLite's code. Nothing is written.
Result<void> check_wal_is_there(Database& database, const std::string& path, const std::string& vfs,
                                bool had_wal);
// What SQLite made where there was none: it would stand for that wish. Order: after the database is
// closed.
void forget_empty_wal(const std::string& path);

// Errors: the database at `path` is missing where the directory beside it has bodies.
Result<void> check_no_bodies_are_left(const std::string& path);
// Rows name so many files and there is no such directory at all: what is copied without it is no
// whole store. One file that is missing is damage of its task alone.
Error bodies_are_missing(const std::string& directory, std::uint64_t count);
// Errors: so it is. Cost: where there is none, all rows are read.
Result<void> check_bodies_are_there(Database& database, const std::string& directory);

}  // namespace warmpool::daemon
