// Nothing of this is asked of what SQLite has opened for writing: a refusal leaves all as it was.
#include "daemon/store/missing_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/body_files.hpp"
#include "daemon/store/journal.hpp"
#include "daemon/store/schema.hpp"

namespace warmpool::daemon {
namespace {

Error wal_is_missing(const std::string& path, const std::string& why, const std::string& how) {
  return {kStoreDamaged, path + "-wal is missing, or not the one that belongs to it: " + why +
                             "; put it back, or restore a backup. " + how};
}

}  // namespace

bool is_there(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0;
}

void forget_empty_wal(const std::string& path) {
  const auto wal = path + "-wal";
  struct stat found {};
  if (::lstat(wal.c_str(), &found) == 0 && S_ISREG(found.st_mode) && found.st_size == 0) {
    ::unlink(wal.c_str());
    ::unlink((path + "-shm").c_str());
  }
}

Result<void> check_wal_is_there(Database& database, const std::string& path, const std::string& vfs,
                                bool had_wal) {
  const auto knows_life = database.has_column("store", "life");
  const auto knows_open = database.has_column("store", "open");
  if (!knows_life) return knows_life.error();
  if (!knows_open) return knows_open.error();
  if (!*knows_life) return {};
  const auto life = database.integer("SELECT life FROM store");
  if (!life) return life.error();
  if (*knows_open && !had_wal) {
    const auto open = database.integer("SELECT open FROM store");
    if (!open) return open.error();
    if (*open != 0) {
      return wal_is_missing(
          path, "the last daemon did not stop in order, and what it accepted may be there alone",
          "If another program has moved it into the file and removed it, if this is a copy that "
          "`sqlite3 .backup` or VACUUM INTO made of a store at work (`warmpool backup` makes one "
          "that needs nothing else), or to go on with what the file has, make an empty file of "
          "that name");
    }
  }
  const auto written = journal_life(journal_path(path), vfs);
  if (!written) return written.error();
  if (!*written || **written <= static_cast<std::uint64_t>(*life)) return {};
  const auto lives =
      "life " + std::to_string(**written) + ", and the tables of life " + std::to_string(*life);
  return wal_is_missing(
      path, journal_path(path) + " is of " + lives + ": what was accepted since may be there alone",
      "To go on with what the tables have, move the journal away");
}

Result<void> check_no_bodies_are_left(const std::string& path) {
  const auto directory = bodies_directory(path);
  if (!newest_life_of_bodies(directory)) return {};
  return Error{kStoreDamaged,
               path + " is missing, and " + directory +
                   " has payloads or results of a store: put the file back, or restore a backup; "
                   "to begin with an empty store move that directory away"};
}

Error bodies_are_missing(const std::string& directory, std::uint64_t count) {
  return {kStoreDamaged,
          directory + " is missing, where " + std::to_string(count) +
              " payloads and results have their files: put it back, or restore a backup; to go on "
              "without them make an empty directory of that name"};
}

Result<void> check_bodies_are_there(Database& database, const std::string& directory) {
  if (is_there(directory)) return {};
  std::uint64_t count = 0;
  for (const char* table : {"tasks", "results"}) {
    const auto rows =
        database.integer("SELECT count(*) FROM " + std::string(table) + " WHERE file IS NOT NULL");
    if (!rows) return rows.error();
    count += static_cast<std::uint64_t>(*rows);
  }
  if (count == 0) return {};
  return bodies_are_missing(directory, count);
}

}  // namespace warmpool::daemon
