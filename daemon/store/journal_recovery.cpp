#include "daemon/store/journal_recovery.hpp"

#include <sys/stat.h>

#include "daemon/store/journal.hpp"
#include "daemon/store/store_thread.hpp"
#include "daemon/store/store_writer.hpp"

namespace warmpool::daemon {
namespace {

// Some groups of the journal a transaction.
class Taker {
 public:
  Taker(Database& database, const DiskBounds& bounds) : database_(database) {
    writer_.set_bounds(bounds);
  }
  Result<void> take(const JournalGroup& group, const ChangeBatch& batch) {
    if (end_.journal == 0) {
      if (auto ready = writer_.prepare(database_); !ready) return ready;
    }
    if (changes_ == 0) writer_.begin();
    writer_.add(batch);
    changes_ += batch.changes.size() + 1;
    end_ = {group.through, group.now, group.wall, group.sequence};
    return changes_ < StoreThread::kChangesMax ? Result<void>() : commit();
  }
  Result<void> commit() {
    if (std::exchange(changes_, 0) == 0) return {};
    return writer_.commit(end_);
  }

 private:
  Database& database_;
  StoreWriter writer_;
  GroupEnd end_{};
  std::size_t changes_ = 0;  // of this transaction
};

bool is_there(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0;
}

Result<void> take(Database& database, const SchemaPlace& place, const DiskBounds& bounds) {
  auto query = database.prepare("SELECT life, journal FROM store");
  if (!query) return query.error();
  if (const auto step = query->step(); step != Step::Row) {
    return database.no_row("the table store", step);
  }
  const auto life = query->number<std::uint64_t>(0);
  const auto sequence = query->integer(1);
  query->reset();
  if (sequence == kJournalClosed) return {};
  const auto path = journal_path(place.path);
  if (!is_there(path)) {
    if (sequence == 0) return {};
    return Error{kStoreDamaged,
                 path + " is missing: what was accepted last may be in it alone; put it back, "
                        "restore a backup, or make an empty file of that name to go on with what "
                        "the tables have"};
  }
  Taker taker(database, bounds);
  auto done = read_journal(path, place.vfs, life, static_cast<std::uint64_t>(sequence),
                           [&](const JournalGroup& group, const ChangeBatch& batch) {
                             return taker.take(group, batch);
                           });
  return done ? taker.commit() : done;
}

}  // namespace

Result<void> take_journal(Database& database, const SchemaPlace& place, const DiskBounds& bounds) {
  const auto done = take(database, place, bounds);
  return done ? Result<void>() : store_error(done.error());
}

}  // namespace warmpool::daemon
