// One read transaction over the whole copy makes it one moment of the source: without it SQLite
// begins anew whenever the writer commits, and under load never ends. The copy has no journal of
// its own: until it has its name, nobody takes it for one.
#include "daemon/store/database_copy.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <sqlite3.h>

#include "daemon/store/body_files.hpp"
#include "daemon/store/checksum.hpp"
#include "daemon/store/journal_recovery.hpp"
#include "daemon/store/missing_files.hpp"
#include "daemon/store/storage_words.hpp"
#include "daemon/whole_files.hpp"
#include "ipc/fd.hpp"

namespace warmpool::daemon {
namespace {

constexpr int kPagesAtOnce = 1024;

Result<void> make_file(const std::string& path) {
  const ipc::UniqueFd fd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return system_error("cannot make " + path);
  return {};
}

Result<void> sync_file(const std::string& path) {
  const ipc::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd || ::fsync(fd.get()) != 0) return system_error("cannot sync " + path);
  return {};
}

// Of one that is not for sure lost.
Error of_body(const Error& error) { return {kStoreUnfit, body_trouble(error)}; }

Result<void> copy_pages(Database& source, Database& copy, const std::atomic<bool>& aborted) {
  const std::unique_ptr<sqlite3_backup, int (*)(sqlite3_backup*)> backup(
      ::sqlite3_backup_init(copy.handle(), "main", source.handle(), "main"),
      ::sqlite3_backup_finish);
  if (!backup) return copy.error("cannot copy");
  int code = SQLITE_OK;
  while (code == SQLITE_OK) {
    if (aborted) return Error{SQLITE_INTERRUPT, "the daemon stops"};
    code = ::sqlite3_backup_step(backup.get(), kPagesAtOnce);
  }
  if (code == SQLITE_DONE) return {};
  // SQLite does not say on which side: what it tells of the copy, if it was there.
  const auto told = copy.error("cannot copy");
  if (told.code == code) return told;
  return Error{code, std::string("cannot copy: ") + std::string(storage_trouble(code)) + ": " +
                         ::sqlite3_errstr(code)};
}

// Which side failed a copy the system does not say: this tells of the bytes that were to be read.
// `path`: what it is copied to, for the text.
Result<void> can_read(int from, std::uint64_t at, std::uint64_t count, const std::string& path) {
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(1U << 20);
  for (const auto end = at + count; at < end;) {
    const auto wanted = std::min<std::uint64_t>(1U << 20, end - at);
    const auto got = ::pread(from, buffer.get(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const int why = got < 0 ? errno : EIO;
      return of_body({why, "cannot read the one that goes to " + path + ": " + std::strerror(why)});
    }
    at += static_cast<std::uint64_t>(got);
  }
  return {};
}

// Whatever its size it is not in memory whole; where the file system can share the bytes of both it
// takes no time.
Result<void> copy_file(int from, std::uint64_t bytes, const std::string& path,
                       const std::atomic<bool>& aborted) {
  constexpr std::uint64_t at_once = 16U << 20;
  const ipc::UniqueFd to(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!to) return system_error("cannot make " + path);
  loff_t at = 0;
  const auto end = static_cast<loff_t>(bytes);
  while (at < end) {
    if (aborted) return Error{SQLITE_INTERRUPT, "the daemon stops"};
    const auto count = std::min<std::uint64_t>(at_once, static_cast<std::uint64_t>(end - at));
    auto got = ::copy_file_range(from, &at, to.get(), nullptr, count, 0);
    const bool cannot = got < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
                                    errno == EOPNOTSUPP || errno == EPERM);
    if (cannot) got = ::sendfile(to.get(), from, &at, count);
    if (got < 0 && errno == EINTR) continue;
    if (got > 0) continue;
    const auto why = errno;
    if (auto read = can_read(from, static_cast<std::uint64_t>(at), count, path); !read) return read;
    errno = got == 0 ? EIO : why;
    return system_error("cannot write a body to " + path);
  }
  if (::fsync(to.get()) != 0) return system_error("cannot sync " + path);
  return {};
}

struct BodyRow {
  std::int64_t row;
  BodyFile file;
  std::uint64_t bytes;
  TaskId task;
  std::optional<std::uint64_t> checksum;
};

// Of a table: all rows that name a file, and how one is given the bytes instead.
struct BodyTable {
  std::string_view select, update;
};
constexpr BodyTable kBodyTables[] = {
    {"SELECT id, file, payload_bytes, id, checksum FROM tasks WHERE file IS NOT NULL",
     "UPDATE tasks SET file = NULL, payload = ?2, checksum = ?3 WHERE id = ?1"},
    {"SELECT sequence, file, bytes, task, checksum FROM results WHERE file IS NOT NULL",
     "UPDATE results SET file = NULL, body = ?2, checksum = ?3 WHERE sequence = ?1"}};

Result<std::vector<BodyRow>> rows_with_files(Database& copy, std::string_view sql) {
  auto query = copy.prepare(sql);
  if (!query) return query.error();
  std::vector<BodyRow> rows;
  auto step = query->step();
  for (; step == Step::Row; step = query->step()) {
    rows.push_back(
        {query->integer(0), BodyFile{query->number<std::uint64_t>(1)},
         query->number<std::uint64_t>(2), TaskId{query->number<std::uint64_t>(3)},
         query->is_null(4) ? std::nullopt : std::optional(query->number<std::uint64_t>(4))});
  }
  if (step == Step::Failed) return copy.error("files of bodies");
  return rows;
}

// What belongs to the copy beside its one file, and what there is none of.
class BodyCopies {
 public:
  BodyCopies(std::string from, std::string to, const std::atomic<bool>& aborted,
             CopiedStore& figures)
      : from_(std::move(from)), to_(std::move(to)), aborted_(aborted), figures_(figures) {}

  // A body whose file is damaged stays as it is: what is restored will say so of its task.
  Result<void> take(Database& copy, const BodyTable& table) {
    const auto rows = rows_with_files(copy, table.select);
    if (!rows) return rows.error();
    auto change = copy.prepare(table.update);
    if (!change) return change.error();
    for (const auto& row : *rows) {
      if (aborted_) return Error{SQLITE_INTERRUPT, "the daemon stops"};
      auto taken = row.bytes <= kBodyInMemoryMax ? into_row(copy, *change, row) : to_file(row);
      if (!taken) return taken.error();
      if (!*taken) figures_.left_out.push_back(row.task);
    }
    return {};
  }
  // A directory says that what rows name and is not there was left out knowingly.
  Result<void> end() {
    if (!figures_.left_out.empty()) {
      if (auto made = make_directory(); !made) return made;
    }
    return is_made_ ? sync_directory(to_) : Result<void>();
  }
  bool is_made() const { return is_made_; }

 private:
  // False: it is gone or damaged, by the rule that a start has for it. What may be whole and cannot
  // be read now is no such thing.
  static Result<bool> lost(const Error& error) {
    return is_body_gone(error) ? Result<bool>(false) : Result<bool>(of_body(error));
  }
  Result<bool> into_row(Database& copy, Statement& change, const BodyRow& row) {
    const auto body = read_body(from_, row.file, row.bytes);
    if (!body) return lost(body.error());
    auto checksum = row.checksum;
    if (is_unread(row.task, row.bytes, checksum)) {
      checksum = checksum_of(row.task, body->bytes());  // in a row it is held against the bytes
    } else if (checksum && !is_whole(row.task, body->bytes(), *checksum)) {
      return false;
    }
    if (!change.with(row.row, body->bytes(), checksum).run()) {
      return copy.error("cannot take in a body");
    }
    return true;
  }
  Result<bool> to_file(const BodyRow& row) {
    const auto opened = open_body(from_, row.file, row.bytes);
    if (!opened) return lost(opened.error());
    if (row.checksum && !is_unread(row.task, row.bytes, row.checksum)) {
      const auto sum = checksum_of_file(opened->get(), row.bytes);
      if (!sum) return lost(sum.error());
      if (*sum != *row.checksum) return false;
    }
    if (auto made = make_directory(); !made) return made.error();
    auto copied = copy_file(opened->get(), row.bytes, to_ + "/" + body_name(row.file), aborted_);
    if (!copied) return copied.error();
    figures_.bytes += row.bytes;
    return true;
  }
  Result<void> make_directory() {
    if (is_made_) return {};
    if (::mkdir(to_.c_str(), 0700) != 0) return system_error("cannot make " + to_);
    is_made_ = true;
    return {};
  }

  const std::string from_, to_;
  const std::atomic<bool>& aborted_;
  CopiedStore& figures_;
  bool is_made_ = false;
};

// What the copy has is one moment of the store, whole without what its journal had by then. Stores
// of earlier versions know of none.
Result<void> end_life(Database& copy, const std::string& source_path, SourceKind kind,
                      std::string& said) {
  const auto knows_journal = copy.has_column("store", "journal"),
             knows_open = copy.has_column("store", "open");
  if (!knows_journal) return knows_journal.error();
  if (!knows_open) return knows_open.error();
  if (!*knows_journal) return {};
  if (kind == SourceKind::Left) {
    constexpr std::uint64_t all = INT64_MAX;
    SchemaPlace place;
    place.path = source_path;
    const DiskBounds bounds{all, all, all, kDurationMax, kDurationMax};
    auto taken = take_journal(copy, place, bounds);
    if (!taken) return taken.error();
    said = std::move(*taken);
  }
  return copy.run("UPDATE store SET journal = " + std::to_string(kJournalClosed) +
                  (*knows_open ? ", open = 0" : ""));
}

struct CopyPlace {
  const std::string& source;
  SourceKind kind;
  const std::string& path;  // of the copy, until it is whole
};

// Backups of versions before 7 had what is large nowhere beside them: of those it is left out, and
// named.
Result<void> take_bodies(Database& copy, const CopyPlace& place, BodyCopies& bodies,
                         CopiedStore& figures) {
  const auto has_bodies = copy.has_column("store", "open");
  if (!has_bodies) return has_bodies.error();
  if (place.kind == SourceKind::Left && *has_bodies) {
    const auto there = check_bodies_are_there(copy, bodies_beside(place.source));
    if (!there) return there;
  }
  for (const auto& table : kBodyTables) {
    if (auto taken = bodies.take(copy, table); !taken) return taken;
  }
  if (!*has_bodies && !figures.left_out.empty()) {
    figures.said +=
        (figures.said.empty() ? "" : "; ") + place.source +
        " is of an earlier version, whose backups lack payloads and results over 16 MiB";
  }
  return bodies.end();
}

Result<void> fill(Database& source, const CopyPlace& place, BodyCopies& bodies,
                  const std::atomic<bool>& aborted, CopiedStore& figures) {
  auto copy = Database::open(place.path, OpenMode::ReadWrite, {});
  if (!copy) return copy.error();
  auto done = copy->run("PRAGMA synchronous = OFF");
  if (done) done = copy->run("PRAGMA journal_mode = OFF");
  if (done) done = source.run("BEGIN");
  if (!done) return done;
  // The transaction begins with the first read.
  const auto begun = source.integer("SELECT life FROM store");
  done = begun ? copy_pages(source, *copy, aborted) : Result<void>(begun.error());
  (void)source.run("COMMIT");
  if (done) done = end_life(*copy, place.source, place.kind, figures.said);
  if (done) done = take_bodies(*copy, place, bodies, figures);
  if (!done) return done;
  if (auto mode = copy->text("PRAGMA journal_mode = DELETE"); !mode) return mode.error();
  const auto checked = copy->text("PRAGMA quick_check(1)");
  if (!checked) return checked.error();
  if (*checked != "ok") return Error{SQLITE_CORRUPT, "the copy is damaged: " + *checked};
  return {};
}

// Nothing that is there is replaced.
Result<void> give_name(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  return system_error("cannot make " + to);
}

}  // namespace

std::string bodies_beside(const std::string& database) {
  auto own = database + ".bodies";
  return is_there(own) ? own : bodies_directory(database);
}

// What is beside the file has its name first: nobody takes a copy without it for a whole one.
Result<CopiedStore> copy_database(Database& source, const std::string& source_path, SourceKind kind,
                                  const std::string& path, const std::atomic<bool>& aborted) {
  const auto part = path + ".part", bodies_part = part + ".bodies", own = path + ".bodies";
  ::unlink(part.c_str());  // of a copy that was ended in the middle
  remove_bodies(bodies_part);
  if (is_there(own)) return Error{SQLITE_CANTOPEN, own + " is there already; give a new name"};
  if (auto made = make_file(part); !made) return made.error();
  CopiedStore figures;
  const bool at_work = kind == SourceKind::AtWork;
  BodyCopies bodies(at_work ? bodies_directory(source_path) : bodies_beside(source_path),
                    bodies_part, aborted, figures);
  auto done = fill(source, {source_path, kind, part}, bodies, aborted, figures);
  if (done) done = sync_file(part);
  if (done && bodies.is_made()) done = give_name(bodies_part, own);
  const bool has_own = done && bodies.is_made();
  if (done) done = give_name(part, path);
  const bool has_name = static_cast<bool>(done);
  if (done) done = sync_parent(path);
  struct stat made {};
  if (::stat(path.c_str(), &made) == 0) figures.bytes += static_cast<std::uint64_t>(made.st_size);
  if (done) return figures;
  // The name first: without its bodies it would be taken for damaged.
  if (has_name) ::unlink(path.c_str());
  ::unlink(part.c_str());
  remove_bodies(bodies_part);
  if (has_own) remove_bodies(own);
  return done.error();
}

}  // namespace warmpool::daemon
