// A kernel that could not write a page reports it once, to one fsync, and takes the page for clean:
// it reads as it was meant, the next fsync succeeds, and after a power cut it is not there. Neither
// a connection that was closed and opened nor a new process sees the difference, and SQLite's own
// recovery finds every checksum right. Only what is written again is known to be on the disk. To
// move the WAL into the file would not do: cut in the middle, the file has new pages and old ones,
// and the WAL that would mend it is gone.
#include "daemon/store/raw_files.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>

#include <sqlite3.h>

#include "daemon/store/storage_words.hpp"

namespace warmpool::daemon {
namespace {

// SQLite itself never writes more than a page, and its VFS takes no more than 128 KiB at once.
constexpr sqlite3_int64 kBytesAtOnce = 1 << 16;

// Returns whether there was something.
Result<bool> rewrite(sqlite3_file& wal, const std::string& path) {
  const auto refused = [&](int code) {
    return call_error(path, "it cannot be written anew", code);
  };
  errno = 0;
  sqlite3_int64 size = 0;
  if (const int code = wal.pMethods->xFileSize(&wal, &size)) return refused(code);
  std::string bytes(static_cast<std::size_t>(std::min(size, kBytesAtOnce)), '\0');
  for (sqlite3_int64 at = 0; at < size; at += kBytesAtOnce) {
    const int count = static_cast<int>(std::min(size - at, kBytesAtOnce));
    if (const int code = wal.pMethods->xRead(&wal, bytes.data(), count, at)) return refused(code);
    if (const int code = wal.pMethods->xWrite(&wal, bytes.data(), count, at)) return refused(code);
  }
  if (size == 0) return false;
  if (const int code = wal.pMethods->xSync(&wal, SQLITE_SYNC_NORMAL)) return refused(code);
  return true;
}

Result<void> read_all(sqlite3_file* file, const std::string& path) {
  if (file == nullptr || file->pMethods == nullptr) return {};
  const auto unreadable = [&](int code) { return call_error(path, "it cannot be read", code); };
  errno = 0;
  sqlite3_int64 size = 0;
  if (const int code = file->pMethods->xFileSize(file, &size)) return unreadable(code);
  std::string bytes(static_cast<std::size_t>(kBytesAtOnce), '\0');
  for (sqlite3_int64 at = 0; at < size; at += kBytesAtOnce) {
    const int count = static_cast<int>(std::min(size - at, kBytesAtOnce));
    if (const int code = file->pMethods->xRead(file, bytes.data(), count, at)) {
      return unreadable(code);
    }
  }
  return {};
}

std::string path_of(const Database& database) {
  const char* path = ::sqlite3_db_filename(database.handle(), "main");
  return path == nullptr ? std::string("the store") : std::string(path);
}

}  // namespace

std::uint64_t inode_of(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

Result<void> still_there(const std::string& path, std::uint64_t before) {
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0) {
    if (found.st_ino == before) return {};
  } else if (errno != ENOENT && errno != ENOTDIR) {
    return call_error(path, "it cannot be looked at", SQLITE_CANTOPEN);
  }
  return Error{SQLITE_IOERR, path + " was removed or replaced meanwhile"};
}

Result<void> read_through(Database& database) {
  for (const int which : {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER}) {
    sqlite3_file* file = nullptr;
    ::sqlite3_file_control(database.handle(), "main", which, &file);
    if (auto read = read_all(file, path_of(database)); !read) return read;
  }
  return {};
}

Result<bool> rewrite_wal(Database& database) {
  const auto mode = database.text("PRAGMA journal_mode");
  if (!mode) return mode.error();
  if (*mode != "wal") return false;
  // Whoever may write has the WAL open, and is alone with it.
  if (auto begun = database.run("BEGIN IMMEDIATE"); !begun) return begun.error();
  sqlite3_file* wal = nullptr;
  ::sqlite3_file_control(database.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  const bool is_open = wal != nullptr && wal->pMethods != nullptr;
  auto done = is_open ? rewrite(*wal, path_of(database) + "-wal") : Result<bool>(false);
  (void)database.run("ROLLBACK");
  return done;
}

}  // namespace warmpool::daemon
