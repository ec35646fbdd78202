// The tables of the durable store, and how a file comes to have them. docs/store.md is the page.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "daemon/store/sqlite.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

inline constexpr char kDatabaseName[] = "warmpool.db";
// "wpol", for file(1) and for whoever opens a wrong file.
inline constexpr std::int32_t kApplicationId = 0x77706f6c;

// From version `n - 1` to `n`, where n is its place in the list, counted from 1. One transaction.
using Migration = std::function<Result<void>(Database&)>;
std::span<const Migration> schema_migrations();
struct MigrationStep {
  const Migration& migration;
  std::size_t version;  // that it comes to
};
Result<void> migrate_one(Database& database, const MigrationStep& step);

struct SchemaPlace {
  std::string path;
  std::string vfs;  // empty: the system's
  std::span<const Migration> migrations = schema_migrations();
  // The store thread moves the WAL into the file when it has this many pages.
  std::uint32_t checkpoint_pages = 4096;
  // While it has this many nothing new is accepted: a program reads an old state and does not stop.
  std::uint32_t wal_pages_max = 262'144;
  // Of the journal, and so much of it is made at once. 0: there is none, and what is accepted waits
  // for the tables.
  std::uint64_t journal_bytes = 0, journal_step = 1U << 20;
  // Until what the disk refused, and what another program was in the way of, is tried again.
  Duration refused_wait = seconds(1), busy_wait = milliseconds(100);
};

// Opens the file for writing; makes it where it is missing, writes its WAL anew so that all that
// can be read is on the disk, brings older ones up to date, and checks it. Blocks: while all of it
// is read. Errors: Error::code is the ExitStatus: StoreDamaged for what is no database of ours, is
// damaged, of a newer version or has lost its other half; StoreFailed for what the system refuses.
// The text says what to do.
Result<Database> open_store_database(const SchemaPlace& place);

// The vocabularies of this version, for people who read the tables. Errors: Error::code is
// SQLite's.
Result<void> write_words(Database& database);

// The same of a store that this daemon has made or opened before. Errors: Error::code is SQLite's,
// or kStoreDamaged.
Result<Database> reopen_store_database(const SchemaPlace& place);

// Whether this is a store that such a daemon can use, and whole. Blocks: while all of it is read.
// Errors: Error::code is SQLite's, or kStoreDamaged; `path` is for the text.
Result<void> check_store(Database& database, const std::string& path, const SchemaPlace& place);
// While this file is there a restore was not finished, and no store is opened.
std::string restoring_path(const std::string& path);

// What SQLite has no code for: rows that are not what they must be, a file that is gone.
inline constexpr int kStoreDamaged = -1;
// What is there and cannot be used as it is; the text says what to do.
inline constexpr int kStoreUnfit = -2;
// `error` with the exit status that fits SQLite's code, or kStoreDamaged.
Error store_error(const Error& error);

}  // namespace warmpool::daemon
