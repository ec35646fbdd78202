// Which fault is which follows from what SQLite says, and that is coarse: a full disk may come as
// SQLITE_FULL or as an input/output error, so both are waited out in the same way.
#include "daemon/store/store_connection.hpp"

#include <cerrno>

#include <sqlite3.h>

#include "daemon/exit_status.hpp"
#include "daemon/store/journal_recovery.hpp"
#include "daemon/store/raw_files.hpp"
#include "daemon/store/storage_words.hpp"

namespace warmpool::daemon {
namespace {

constexpr int kSyncsFailedMax = 3;
constexpr std::int64_t kSparePages = 1024;
constexpr int kPagesAtOnce = 512;  // some milliseconds
constexpr int kBusyTries = 10;     // then nothing new is accepted
constexpr int kRefusedTries = 3;   // then the connection itself is suspected

}  // namespace

StoreConnection::Fault StoreConnection::fault_of(int code) {
  if (code == kStoreDamaged) return Fault::Damaged;
  if (code < 0) return Fault::Refused;
  switch (code) {
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
    case SQLITE_IOERR_TRUNCATE:
      return Fault::Sync;
    case SQLITE_IOERR_NOMEM:
      return Fault::Memory;
    default:
      break;
  }
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return Fault::Busy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:  // a row is there that must not be
      return Fault::Damaged;
    case SQLITE_NOMEM:
      return Fault::Memory;
    default:
      return Fault::Refused;
  }
}

Result<void> StoreConnection::prepare() {
  ::sqlite3_wal_hook(
      database_.handle(),
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<std::uint64_t*>(pages) = static_cast<std::uint64_t>(count);
        return SQLITE_OK;
      },
      &wal_pages_);
  // Its commits only write, and what they write waits for no page that was written before.
  for (const char* sql : {"PRAGMA synchronous = NORMAL", "PRAGMA cache_spill = OFF"}) {
    if (auto set = database_.run(sql); !set) return set;
  }
  if (auto ready = writer_.prepare(database_); !ready) return ready;
  auto query = database_.prepare("SELECT life, groups FROM store");
  if (!query) return query.error();
  if (const auto step = query->step(); step != Step::Row) {
    return database_.no_row("the table store", step);
  }
  ::sqlite3_file_control(database_.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal_);
  if (wal_ == nullptr || wal_->pMethods == nullptr) {
    return Error{SQLITE_CANTOPEN, place_.path + " has no WAL"};
  }
  inode_ = inode_of(place_.path);
  wal_inode_ = inode_of(place_.path + "-wal");
  life_ = query->number<std::uint64_t>(0);
  groups_ = query->number<std::uint64_t>(1);
  return {};
}

StoreConnection::Begun StoreConnection::begin(bool last) {
  if (must_reopen_) {
    const auto kept = reopen();
    if (!kept) return {judge(kept.error(), last)};
    if (*kept) {
      ++groups_;
      forgive();
      return {{}, true};
    }
  }
  if (auto there = still_there(); !there) {
    const bool is_seen = there.error().code != SQLITE_CANTOPEN;
    return {is_seen ? broken(there.error()) : judge(there.error(), last)};
  }
  writer_.begin();
  return {};
}

Written StoreConnection::commit(const GroupEnd& end, bool synced, bool last) {
  if (auto written = writer_.commit(end); !written) return undone(judge(written.error(), last));
  if (synced) return {};
  ++groups_;
  forgive();
  return {};
}

// SQLite would do the same within its commit, where nothing could go on beside it.
Result<void> StoreConnection::sync() {
  errno = 0;
  const int code = wal_->pMethods->xSync(wal_, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
  if (code == SQLITE_OK) return {};
  return call_error(place_.path + "-wal", "it cannot be synced", code);
}

Written StoreConnection::take_sync(const Result<void>& synced, bool last) {
  if (!synced) return judge(synced.error(), last);
  ++groups_;
  forgive();
  return {};
}

void StoreConnection::forgive() {
  trouble_.clear();
  syncs_failed_ = tries_ = 0;
}

Written StoreConnection::judge(const Error& error, bool last) {
  ++tries_;
  const auto fault = fault_of(error.code);
  if (fault == Fault::Sync) {
    must_reopen_ = true;
    ++syncs_failed_;
  }
  const bool hopeless = fault == Fault::Damaged || fault == Fault::Memory;
  if (hopeless || last || syncs_failed_ >= kSyncsFailedMax) return broken(error);
  switch (fault) {
    case Fault::Busy:
      return later(error, place_.busy_wait, tries_ >= kBusyTries);
    case Fault::Sync:
      return later(error, place_.busy_wait, true);
    default:
      must_reopen_ = must_reopen_ || tries_ >= kRefusedTries;
      return later(error, place_.refused_wait, true);
  }
}

// A refused write comes before the end of the transaction is in the WAL. Of other errors that is
// not known: the WAL itself tells, once it is opened anew.
Written StoreConnection::undone(Written written) {
  if (written.kind != Written::Kind::Later) return written;
  const int code = written.error.code;
  const bool sure = code == SQLITE_IOERR_WRITE || (code & 0xff) == SQLITE_FULL ||
                    (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_READONLY;
  written.undone = sure && written.refuses;
  must_reopen_ = must_reopen_ || !sure;
  return written;
}

Written StoreConnection::later(const Error& error, Duration wait, bool refuses) {
  trouble_ = with_hint(error).text;
  return {Written::Kind::Later, wait, refuses, error};
}

Written StoreConnection::broken(const Error& error) {
  const auto told = store_error(error);
  trouble_ = told.text;
  return {Written::Kind::Broken, {}, true, told};
}

// Nothing is believed of the old connection. To open writes the WAL anew (raw_files.cpp), so that
// what it holds of the group counts.
Result<bool> StoreConnection::reopen() {
  writer_.release();
  database_ = Database();
  auto opened = reopen_store_database(place_);
  if (!opened) return opened.error();
  database_ = std::move(*opened);
  const auto life = life_;
  const auto groups = groups_;
  if (auto ready = prepare(); !ready) return ready.error();
  if (life_ != life || (groups_ != groups && groups_ != groups + 1)) {
    const auto found = std::to_string(life_) + "/" + std::to_string(groups_);
    life_ = life;
    groups_ = groups;
    return Error{kStoreDamaged, "what was acknowledged is gone from " + place_.path + ": group " +
                                    std::to_string(life) + "/" + std::to_string(groups) +
                                    " was kept, " + found + " is there"};
  }
  must_reopen_ = false;
  const bool kept = groups_ == groups + 1;
  groups_ = groups;
  return kept;
}

// What is written to files that nobody finds again is not kept. Two stat() a group are nothing
// beside its sync.
Result<void> StoreConnection::still_there() {
  auto there = daemon::still_there(place_.path, inode_);
  return there ? daemon::still_there(place_.path + "-wal", wal_inode_) : there;
}

Result<void> StoreConnection::checkpoint(std::string_view mode) {
  auto run = database_.prepare("PRAGMA wal_checkpoint(" + std::string(mode) + ")");
  if (!run) return run.error();
  if (const auto step = run->step(); step != Step::Row) {
    return database_.no_row("cannot move the WAL into the file", step);
  }
  if (mode == "TRUNCATE" && run->integer(0) != 0) {
    return Error{SQLITE_BUSY, "another program reads an old state of " + place_.path};
  }
  // All is moved, so it is written from its beginning again.
  if (run->integer(1) == run->integer(2)) {
    wal_pages_ = 0;
    says_life_ = true;
  }
  return {};
}

// A checkpoint that failed has lost nothing: what it was to move is still in the WAL. After a
// failed sync it is written anew before anything is moved.
void StoreConnection::check_wal() {
  if (must_reopen_) {
    if (const auto kept = reopen(); !kept) {
      trouble_ = with_hint(kept.error()).text;
      return;
    }
  }
  const auto moved = checkpoint("PASSIVE");
  if (moved || fault_of(moved.error().code) != Fault::Sync) return;
  must_reopen_ = true;
  trouble_ = moved.error().text;
}

// Free pages are used again, so it is begun only where they are most of the file, and then done
// until few are left. What fails leaves them where they are.
bool StoreConnection::give_back_pages() {
  if (!database_ || must_reopen_) return false;
  const auto free = database_.integer("PRAGMA freelist_count");
  const auto all = database_.integer("PRAGMA page_count");
  if (!free || !all || *free <= kSparePages) return gives_back_ = false;
  gives_back_ = gives_back_ || *free > *all / 2;
  if (!gives_back_) return false;
  const auto given =
      database_.run("PRAGMA incremental_vacuum(" + std::to_string(kPagesAtOnce) + ")");
  if (!given && fault_of(given.error().code) == Fault::Sync) {
    must_reopen_ = true;
    trouble_ = given.error().text;
  }
  // The file is shortened by the move of the WAL into it.
  gives_back_ = given && *free - kPagesAtOnce > kSparePages;
  if (!gives_back_ || wal_pages_ >= place_.checkpoint_pages) check_wal();
  return gives_back_;
}

// After a failed sync nothing is moved: what the WAL reads as may not be on the disk. The next
// start writes it anew. A program that reads an old state only keeps the WAL from being taken away.
Result<void> StoreConnection::finish(bool in_order, bool has_journal) {
  writer_.release();
  if (!in_order) database_ = Database();
  if (!database_) return {};
  // Where this fails the next life needs the journal, and finds nothing new in it, and the WAL.
  // They go when this is on the disk, also where a reader keeps the WAL from being moved.
  if (!must_reopen_) {
    auto said = database_.run(
        "UPDATE store SET open = 0" +
        (has_journal ? ", journal = " + std::to_string(kJournalClosed) : std::string()));
    if (said) said = sync();
    if (!said) {
      return Error{static_cast<int>(ExitStatus::StoreFailed),
                   with_hint(said.error()).text + "; what was acknowledged is in " + place_.path +
                       " and the files beside it"};
    }
  }
  const auto moved =
      must_reopen_ ? Result<void>(Error{SQLITE_IOERR_FSYNC, trouble_}) : checkpoint("TRUNCATE");
  if (moved) {
    database_.close_whole();
    return {};
  }
  database_ = Database();
  if (fault_of(moved.error().code) == Fault::Busy) return {};
  return Error{
      static_cast<int>(ExitStatus::StoreFailed),
      with_hint(moved.error()).text + "; what was acknowledged is in " + place_.path + "-wal"};
}

}  // namespace warmpool::daemon
