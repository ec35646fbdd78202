// One read transaction over the whole copy makes it one moment of the source: without it SQLite
// begins anew whenever the writer commits, and under load never ends. The copy has no journal of
// its own: until it has its name, nobody takes it for one.
#include "daemon/store/database_copy.hpp"

#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <vector>

#include <sqlite3.h>

#include "daemon/store/body_files.hpp"
#include "daemon/store/journal_recovery.hpp"
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

struct BodyRow {
  std::int64_t row;
  BodyFile file;
  std::uint64_t bytes;
};

Result<std::vector<BodyRow>> rows_with_files(Database& copy, std::string_view sql) {
  auto query = copy.prepare(sql);
  if (!query) return query.error();
  std::vector<BodyRow> rows;
  auto step = query->step();
  for (; step == Step::Row; step = query->step()) {
    rows.push_back({query->integer(0), BodyFile{query->number<std::uint64_t>(1)},
                    query->number<std::uint64_t>(2)});
  }
  if (step == Step::Failed) return copy.error("files of bodies");
  return rows;
}

// A body whose file is damaged, or that is too large to be in a row, stays as it is: what is
// restored will say so of its task.
Result<void> take_in(Database& copy, const std::string& directory, std::string_view select,
                     std::string_view update, const std::atomic<bool>& aborted,
                     std::uint64_t& left_out) {
  const auto rows = rows_with_files(copy, select);
  if (!rows) return rows.error();
  auto change = copy.prepare(update);
  if (!change) return change.error();
  for (const auto& row : *rows) {
    if (aborted) return Error{SQLITE_INTERRUPT, "the daemon stops"};
    Result<Blob> body = Blob();
    if (row.bytes <= kBodyInMemoryMax) body = read_body(directory, row.file, row.bytes);
    if (row.bytes > kBodyInMemoryMax || !body) {
      ++left_out;
      continue;
    }
    if (!change->with(row.row, body->bytes()).run()) return copy.error("cannot take in a body");
  }
  return {};
}

Result<void> take_in_bodies(Database& copy, const std::string& directory,
                            const std::atomic<bool>& aborted, std::uint64_t& left_out) {
  auto done =
      take_in(copy, directory, "SELECT id, file, payload_bytes FROM tasks WHERE file IS NOT NULL",
              "UPDATE tasks SET file = NULL, payload = ?2 WHERE id = ?1", aborted, left_out);
  if (!done) return done;
  return take_in(
      copy, directory, "SELECT sequence, file, bytes FROM results WHERE file IS NOT NULL",
      "UPDATE results SET file = NULL, body = ?2 WHERE sequence = ?1", aborted, left_out);
}

// What the copy has is one moment of the store, whole without what its journal had by then. Stores
// of earlier versions know of none.
Result<void> end_journal(Database& copy, const std::string& source_path, SourceKind kind,
                         std::string* said) {
  const auto known =
      copy.integer("SELECT count(*) FROM pragma_table_info('store') WHERE name = 'journal'");
  if (!known) return known.error();
  if (*known == 0) return {};
  if (kind == SourceKind::Left) {
    constexpr std::uint64_t all = INT64_MAX;
    SchemaPlace place;
    place.path = source_path;
    const DiskBounds bounds{all, all, all, kDurationMax, kDurationMax};
    auto taken = take_journal(copy, place, bounds);
    if (!taken) return taken.error();
    if (said != nullptr) *said = std::move(*taken);
  }
  return copy.run("UPDATE store SET journal = " + std::to_string(kJournalClosed));
}

Result<void> fill(Database& source, const std::string& source_path, SourceKind kind,
                  const std::string& path, const std::atomic<bool>& aborted,
                  std::uint64_t& left_out, std::string* said) {
  auto copy = Database::open(path, OpenMode::ReadWrite, {});
  if (!copy) return copy.error();
  auto done = copy->run("PRAGMA synchronous = OFF");
  if (done) done = copy->run("PRAGMA journal_mode = OFF");
  if (done) done = source.run("BEGIN");
  if (!done) return done;
  // The transaction begins with the first read.
  const auto begun = source.integer("SELECT life FROM store");
  done = begun ? copy_pages(source, *copy, aborted) : Result<void>(begun.error());
  (void)source.run("COMMIT");
  if (done) done = end_journal(*copy, source_path, kind, said);
  if (done) done = take_in_bodies(*copy, bodies_directory(source_path), aborted, left_out);
  if (!done) return done;
  if (auto mode = copy->text("PRAGMA journal_mode = DELETE"); !mode) return mode.error();
  const auto checked = copy->text("PRAGMA quick_check(1)");
  if (!checked) return checked.error();
  if (*checked != "ok") return Error{SQLITE_CORRUPT, "the copy is damaged: " + *checked};
  return {};
}

}  // namespace

Result<std::uint64_t> copy_database(Database& source, const std::string& source_path,
                                    SourceKind kind, const std::string& path,
                                    const std::atomic<bool>& aborted, std::string* said) {
  const auto part = path + ".part";
  ::unlink(part.c_str());  // of a copy that was ended in the middle
  if (auto made = make_file(part); !made) return made.error();
  std::uint64_t left_out = 0;
  auto done = fill(source, source_path, kind, part, aborted, left_out, said);
  if (done) done = sync_file(part);
  if (done && ::renameat2(AT_FDCWD, part.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
    done = system_error("cannot make " + path);
  }
  if (done) done = sync_parent(path);
  if (done) return left_out;
  ::unlink(part.c_str());
  return done.error();
}

}  // namespace warmpool::daemon
