#include "daemon/store/journal_recovery.hpp"

#include <algorithm>

#include <sqlite3.h>

#include "daemon/store/journal.hpp"
#include "daemon/store/missing_files.hpp"
#include "daemon/store/store_thread.hpp"
#include "daemon/store/store_writer.hpp"

namespace warmpool::daemon {
namespace {

// What the tables say of themselves.
struct Tables {
  std::uint64_t life = 0;
  std::int64_t journal = 0;
  bool has_journal = false;  // and its file is part of the store, whatever it has
  Instant instant;
  WallTime wall;
};

Result<Tables> look_at(Database& database) {
  auto query = database.prepare("SELECT life, journal, instant, wall FROM store");
  if (!query) return query.error();
  if (const auto step = query->step(); step != Step::Row) {
    return database.no_row("the table store", step);
  }
  Tables tables{query->number<std::uint64_t>(0),
                query->integer(1),
                false,
                {query->integer(2)},
                {query->integer(3)}};
  query->reset();
  const auto knows = database.has_column("store", "open");
  if (!knows) return knows.error();
  if (*knows) {
    const auto open = database.integer("SELECT open FROM store");
    if (!open) return open.error();
    tables.has_journal = *open == kOpenWithJournal;
  }
  if (tables.journal >= 0) return tables;
  return Error{kStoreDamaged, "a journal of number " + std::to_string(tables.journal) +
                                  " cannot be; restore a backup"};
}

// Some groups of the journal a transaction. Time does not go back: what came late to the tables may
// be newer than the group after it.
class Taker {
 public:
  Taker(Database& database, const DiskBounds& bounds, const Tables& tables)
      : database_(database), end_{{}, tables.instant, tables.wall, 0} {
    writer_.set_bounds(bounds);
  }
  Result<void> take(const JournalGroup& group, const ChangeBatch& batch) {
    if (end_.journal == 0) {
      if (auto ready = writer_.prepare(database_); !ready) return ready;
    }
    if (changes_ == 0) writer_.begin();
    writer_.add(batch);
    changes_ += batch.changes.size() + 1;
    const bool newer = group.now > end_.now;
    end_ = {group.through, newer ? group.now : end_.now, newer ? group.wall : end_.wall,
            group.sequence};
    return changes_ < StoreThread::kChangesMax ? Result<void>() : commit();
  }
  Result<void> commit() {
    if (std::exchange(changes_, 0) == 0) return {};
    return writer_.commit(end_);
  }

 private:
  Database& database_;
  StoreWriter writer_;
  GroupEnd end_;
  std::size_t changes_ = 0;  // of this transaction
};

// It is of no use to try it again and again: what to do stands in the text.
Error unfit(const std::string& path, const Error& error) {
  const bool fits = error.code != kStoreDamaged && (error.code & 0xff) != SQLITE_CONSTRAINT;
  if (fits || error.text.starts_with(path)) return error;
  return {kStoreDamaged, path + " does not fit to the tables (" + error.text +
                             "): keep a copy and report it; restore a backup, or empty it "
                             "(truncate -s 0) to go on with what the tables have"};
}

}  // namespace

Result<std::string> take_journal(Database& database, const SchemaPlace& place,
                                 const DiskBounds& bounds) {
  const auto tables = look_at(database);
  if (!tables) return tables.error();
  if (tables->journal == kJournalClosed) return std::string();
  const auto path = journal_path(place.path);
  if (!is_there(path)) {
    if (tables->journal == 0 && !tables->has_journal) return std::string();
    return Error{kStoreDamaged,
                 path +
                     " is missing: what was accepted last may be in it alone; put it back, "
                     "restore a backup, or make an empty file of that name to go on with what "
                     "the tables have (also of a copy that `sqlite3 .backup` or VACUUM INTO made)"};
  }
  Taker taker(database, bounds, *tables);
  const auto read =
      read_journal(path, place.vfs, tables->life, static_cast<std::uint64_t>(tables->journal),
                   [&](const JournalGroup& group, const ChangeBatch& batch) {
                     return taker.take(group, batch);
                   });
  if (!read) return unfit(path, read.error());
  if (auto done = taker.commit(); !done) return unfit(path, done.error());
  if (!*read) return std::string();
  return path +
         ": the end is not whole and is left out: a write failed, the power was cut before it was "
         "synced, or the disk has lost it";
}

}  // namespace warmpool::daemon
