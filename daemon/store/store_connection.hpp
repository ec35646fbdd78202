// The connection that writes, and what becomes of it when the disk says no.
#pragma once

#include <string>

#include "daemon/store/schema.hpp"
#include "daemon/store/store_writer.hpp"

struct sqlite3_file;

namespace warmpool::daemon {

// What a group came to.
struct Written {
  enum class Kind : std::uint8_t {
    Done,    // it is in the tables
    Later,   // not yet: the same group is to be written again after `wait`
    Broken,  // it never will be: `error`
  };
  Kind kind = Kind::Done;
  Duration wait;
  bool refuses = false;  // nothing new is to be accepted meanwhile
  Error error;
  bool is_done() const { return kind == Kind::Done; }
  bool undone = false;  // of the group nothing is on disk, whatever becomes of this process
};

// A group is written in two steps: into the WAL, and from there to the disk by a sync, beside which
// the next one may be begun and filled.
//
// A full disk, a file system that became read-only, an input or output error: nothing is
// acknowledged, the group is kept and tried again until it is written. A failed sync is never tried
// again by itself, because the kernel forgets what it could not write: the connection is closed and
// opened, what the WAL holds is written anew and synced, and what of the group is not there is
// applied again; several in a row are the end.
//
// Threads: one at a time, but for sync(). Blocks: in every call, as long as the disk does.
class StoreConnection {
 public:
  StoreConnection(SchemaPlace place, Database database)
      : place_(std::move(place)), database_(std::move(database)) {}

  Result<void> prepare();  // errors: Error::code is SQLite's
  struct Begun {
    Written written;
    bool kept = false;  // the group that failed before is in the tables all the same
  };
  // Order: begin(), add() of each batch, and commit() or roll_back(); no sync() runs at a begin()
  // after what failed, nor at a commit(). `last`: no time is left, so what cannot be written now is
  // Broken. What begin() finds kept was not begun.
  Begun begin(bool last);
  void add(const ChangeBatch& batch) { writer_.add(batch); }
  // `synced`: the group counts only after a sync().
  Written commit(const GroupEnd& end, bool synced, bool last);
  void roll_back() { writer_.roll_back(); }
  // What commit() has written. Threads: any, beside begin() and add(). Errors: Error::code is
  // SQLite's.
  Result<void> sync();
  // Whether what was committed may be synced by itself.
  bool can_sync() const { return database_ && !must_reopen_; }
  // Takes what a sync() came to.
  Written take_sync(const Result<void>& synced, bool last);

  void set_bounds(const DiskBounds& bounds) { writer_.set_bounds(bounds); }
  bool trim_due(Instant now) const { return writer_.trim_due(now); }
  std::vector<BodyFile> take_gone() { return writer_.take_gone(); }
  const DiskFigures& figures() const { return writer_.figures(); }
  std::uint64_t wal_bytes() const { return wal_pages_ * kPageBytes; }
  // Whether so much waits to be moved from the WAL into the file that no more may come.
  bool wal_is_full() const { return wal_pages_ >= place_.wal_pages_max; }
  // Why nothing can be written; empty where it can.
  const std::string& trouble() const { return trouble_; }
  bool wal_is_due() const { return wal_pages_ >= place_.checkpoint_pages; }
  // Whether the file, and not its WAL alone, says that this life has begun.
  bool says_life() const { return says_life_; }
  // Moves what it can of the WAL into the file. Order: while no sync() runs: of a page that the
  // kernel could not write only one of both would hear.
  void check_wal();
  // Shortens the file by some pages that nothing uses, if many are so. Order: while nothing waits
  // to be written. Returns whether there are more.
  bool give_back_pages();
  // The end of a life: after it the file alone is whole. Errors: then the WAL beside it is still
  // part of it, and nothing is lost; Error::code is the ExitStatus.
  // `has_journal`: this life may have written one, and the tables have all of it.
  // Not `in_order`: not all could be written; the file goes on saying so, and the WAL stays.
  Result<void> finish(bool in_order, bool has_journal);

 private:
  static constexpr std::uint64_t kPageBytes = 4096;
  enum class Fault : std::uint8_t { Busy, Refused, Sync, Damaged, Memory };
  static Fault fault_of(int code);

  void forgive();
  Written judge(const Error& error, bool last);
  Written later(const Error& error, Duration wait, bool refuses);
  Written undone(Written written);
  Written broken(const Error& error);
  // Whether the group that failed is in the tables all the same.
  Result<bool> reopen();
  Result<void> still_there();
  Result<void> checkpoint(std::string_view mode);

  SchemaPlace place_;
  Database database_;
  StoreWriter writer_;
  sqlite3_file* wal_ = nullptr;          // the connection's
  std::uint64_t life_ = 0, groups_ = 0;  // groups of this life that count
  std::uint64_t inode_ = 0, wal_inode_ = 0, wal_pages_ = 0;
  bool must_reopen_ = false, gives_back_ = false, says_life_ = false;
  int syncs_failed_ = 0, tries_ = 0;  // in a row
  std::string trouble_;
};

}  // namespace warmpool::daemon
