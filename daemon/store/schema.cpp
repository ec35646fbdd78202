// A new file is made under another name and renamed when it is whole and synced, so a crash in
// between leaves nothing that looks like a store. It becomes a WAL database only then: SQLite takes
// the WAL of a file of 0 bytes for garbage and deletes it, with all that it holds.
#include "daemon/store/schema.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "daemon/exit_status.hpp"
#include "daemon/store/body_files.hpp"
#include "daemon/store/gather_vfs.hpp"
#include "daemon/store/journal.hpp"
#include "daemon/store/missing_files.hpp"
#include "daemon/store/raw_files.hpp"
#include "daemon/store/restore.hpp"
#include "daemon/store/storage_words.hpp"
#include "daemon/whole_files.hpp"
#include "ipc/fd.hpp"
#include "pool/pause.hpp"
#include "pool/words.hpp"

namespace warmpool::daemon {

std::string restoring_path(const std::string& path) { return path + ".restoring"; }

namespace {

Error damaged(std::string text) { return {kStoreDamaged, std::move(text)}; }

constexpr char kRestoreHint[] =
    "; restore a backup, or move the directory away to begin with an empty store";

// Of a missing file -1. Only what is surely missing is: over what cannot be looked at a new store
// would be made. Errors: also where it is no file.
Result<off_t> size_of(const std::string& path) {
  struct stat found {};
  // Not through a link: SQLite would look for the WAL beside what it points to.
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return off_t{-1};
    return system_error("cannot look at " + path);
  }
  if (!S_ISREG(found.st_mode)) {
    const std::string what = S_ISLNK(found.st_mode) ? " is a symbolic link" : " is no file";
    return Error{kStoreUnfit, path + what +
                                  "; put the file itself there, or give the directory where it "
                                  "is as --state-dir"};
  }
  return found.st_size;
}

// What lies there, before anything is opened: opening may already destroy. Returns whether there is
// a store.
Result<bool> look_at_files(const std::string& path) {
  const auto restoring = size_of(restoring_path(path));
  const auto size = size_of(path);
  const auto wal = size_of(path + "-wal");
  const auto journal = size_of(journal_path(path));
  for (const auto* looked : {&restoring, &size, &wal, &journal}) {
    if (!*looked) return looked->error();
  }
  if (*restoring >= 0) {
    return damaged(
        restoring_path(path) +
        " is there: a restore was not finished; run it again (warmpoold --restore "
        "FILE)" +
        (has_set_aside(path) ? "" : ", or remove that file to go on with what is there"));
  }
  if (*size > 0) return true;
  if (*size < 0 && *wal <= 0 && *journal <= 0) {
    if (auto none = check_no_bodies_are_left(path); !none) return none.error();
    return false;
  }
  return damaged(path + (*size < 0 ? " is missing beside its WAL or its journal" : " is empty") +
                 ": what it held is lost" + kRestoreHint);
}

// An empty file with the mode that the WAL and its index will have too.
Result<void> make_empty_file(const std::string& path) {
  ::unlink(path.c_str());
  ::unlink((path + "-journal").c_str());
  const ipc::UniqueFd fd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return system_error("cannot make " + path);
  return {};
}

Result<void> migrate(Database& database, std::span<const Migration> migrations) {
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  for (auto at = static_cast<std::size_t>(*version); at < migrations.size(); ++at) {
    if (auto done = migrate_one(database, {migrations[at], at + 1}); !done) return done;
  }
  return {};
}

Result<void> fill_new_file(const SchemaPlace& place, const std::string& path) {
  auto database = Database::open(path, OpenMode::ReadWrite, place.vfs);
  if (!database) return database.error();
  const auto id = "PRAGMA application_id = " + std::to_string(kApplicationId);
  Result<void> done;
  for (const auto& sql : {std::string("PRAGMA synchronous = FULL"),
                          std::string("PRAGMA auto_vacuum = INCREMENTAL"), id}) {
    if (done) done = database->run(sql);
  }
  if (done) done = migrate(*database, place.migrations);
  return done;
}

Result<void> make_new(const SchemaPlace& place) {
  const auto path = place.path + ".new";
  if (auto made = make_empty_file(path); !made) return made;
  if (auto filled = fill_new_file(place, path); !filled) return filled;
  if (::rename(path.c_str(), place.path.c_str()) != 0) {
    return system_error("cannot rename " + path);
  }
  return sync_parent(place.path);
}

Result<void> check_owner(Database& database, const std::string& path, std::size_t newest) {
  const auto id = database.integer("PRAGMA application_id");
  if (!id) {
    if ((id.error().code & 0xff) != SQLITE_NOTADB) return id.error();
    return damaged(path + " is no database" + kRestoreHint);
  }
  if (*id != kApplicationId) {
    return damaged(path + " belongs to another program (application id " + std::to_string(*id) +
                   "); give another --state-dir");
  }
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  if (*version < 1) {
    return damaged(path + " is damaged: its version is " + std::to_string(*version) + kRestoreHint);
  }
  if (*version > static_cast<std::int64_t>(newest)) {
    return damaged(path + " is of version " + std::to_string(*version) + ", this daemon knows " +
                   std::to_string(newest) + ": use the newer daemon, or restore a backup");
  }
  return {};
}

// A page that could not be read is no damage, but SQLite tells of both in the same way. So what it
// finds is looked at twice, with all of the file read in between.
Result<void> check_whole(Database& database, const std::string& path) {
  auto said = database.text("PRAGMA quick_check(1)");
  if (!said || *said == "ok") return said ? Result<void>() : said.error();
  if (auto read = read_through(database); !read) return read;
  said = database.text("PRAGMA quick_check(1)");
  if (!said || *said == "ok") return said ? Result<void>() : said.error();
  return damaged(path + " is damaged: " + *said + kRestoreHint);
}

Result<void> set_up_connection(Database& database) {
  for (const char* sql :
       {"PRAGMA synchronous = FULL", "PRAGMA cache_size = -16384", "PRAGMA wal_autocheckpoint = 0",
        "PRAGMA journal_size_limit = 67108864", "PRAGMA temp_store = MEMORY",
        "PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON"}) {
    if (auto ok = database.run(sql); !ok) return ok;
  }
  const auto mode = database.text("PRAGMA journal_mode = WAL");
  if (!mode) return mode.error();
  if (*mode == "wal") return {};
  return Error{kStoreUnfit, "its file system cannot hold a WAL (mode '" + *mode +
                                "'); give a --state-dir on a local one"};
}

template <class Word>
Result<void> write_words_of(Database& database, std::string_view kind) {
  auto insert = database.prepare("INSERT OR REPLACE INTO words(kind, number, name) VALUES(?,?,?)");
  if (!insert) return insert.error();
  for (const auto& row : Words<Word>::rows) {
    if (!insert->with(kind, static_cast<std::int64_t>(row.value), row.name).run()) {
      return database.error("words");
    }
  }
  return {};
}

}  // namespace

Error store_error(const Error& error) {
  const int code = error.code > 0 ? error.code & 0xff : 0;
  // The statements are right, so where SQLite finds fault with one the tables are not what they
  // were.
  const bool bad = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR ||
                   code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH;
  auto status = ExitStatus::StoreFailed;
  if (code == SQLITE_NOMEM || error.code == SQLITE_IOERR_NOMEM) status = ExitStatus::System;
  if (bad || error.code == kStoreDamaged) status = ExitStatus::StoreDamaged;
  return {static_cast<int>(status), with_hint(error).text};
}

Result<void> write_words(Database& database) {
  auto done = database.run("BEGIN IMMEDIATE");
  if (done) done = write_words_of<Verdict>(database, "verdict");
  if (done) done = write_words_of<EndCause>(database, "cause");
  if (done) done = write_words_of<Charge>(database, "charge");
  if (done) done = write_words_of<Durability>(database, "durability");
  if (done) done = write_words_of<Content>(database, "content");
  if (done) done = write_words_of<KeyUse>(database, "key-use");
  if (done) done = write_words_of<PauseScope>(database, "pause");
  if (done) done = database.run("COMMIT");
  return done;
}

namespace {

// Tables that cannot be read are for check_whole() to judge. What the journal alone has is asked
// for once it was read.
Result<void> check_bodies_of(Database& database, const std::string& path) {
  auto there = check_bodies_are_there(database, bodies_directory(path));
  return !there && there.error().code == kStoreDamaged ? there : Result<void>();
}

// `at_start`: and not in the middle of a life, whose rows have their files.
Result<Database> open_whole(const SchemaPlace& place, bool had_wal, bool at_start) {
  const auto vfs = gathering_vfs(place.vfs);
  auto database = Database::open(place.path, OpenMode::ReadWrite, vfs);
  if (!database) return database;
  auto done = check_owner(*database, place.path, place.migrations.size());
  if (done) done = check_wal_is_there(*database, place.path, place.vfs, had_wal);
  if (done && at_start) done = check_bodies_of(*database, place.path);
  if (!done) return done.error();
  // Nothing is believed that may not be on the disk. SQLite's index of it is made anew too.
  const auto rewritten = rewrite_wal(*database);
  if (!rewritten) return rewritten.error();
  if (*rewritten) {
    database = Database();
    database = Database::open(place.path, OpenMode::ReadWrite, vfs);
    if (!database) return database;
  }
  done = check_whole(*database, place.path);
  if (done) done = migrate(*database, place.migrations);
  if (done) done = set_up_connection(*database);
  if (!done) return done.error();
  return database;
}

Result<Database> open_file(const SchemaPlace& place, bool at_start) {
  const bool had_wal = is_there(place.path + "-wal");
  auto database = open_whole(place, had_wal, at_start);
  if (!database && !had_wal) forget_empty_wal(place.path);
  return database;
}

}  // namespace

Result<void> check_store(Database& database, const std::string& path, const SchemaPlace& place) {
  auto done = check_owner(database, path, place.migrations.size());
  if (done) done = check_whole(database, path);
  return done;
}

Result<Database> open_store_database(const SchemaPlace& place) {
  const auto is_there = look_at_files(place.path);
  if (!is_there) return store_error(is_there.error());
  if (!*is_there) {
    if (auto made = make_new(place); !made) return store_error(made.error());
  }
  auto database = open_file(place, true);
  if (!database) return store_error(database.error());
  return database;
}

Result<Database> reopen_store_database(const SchemaPlace& place) {
  const auto is_there = look_at_files(place.path);
  if (!is_there) return is_there.error();
  if (!*is_there) return damaged(place.path + " is gone");
  return open_file(place, false);
}

}  // namespace warmpool::daemon
