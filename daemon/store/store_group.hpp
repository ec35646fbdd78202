// What goes into the store's threads, and what they tell.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/clock.hpp"
#include "daemon/store/change.hpp"
#include "daemon/store/journal.hpp"
#include "daemon/store/schema.hpp"
#include "daemon/store/store_writer.hpp"

namespace warmpool::daemon {

struct StoreThreadSetup {
  SchemaPlace place;
  Database database;
  std::uint64_t life = 1;
  // Its Instant and what the steady clock showed then.
  Instant begin;
  std::int64_t begin_steady_ns = 0;
  TimeSource* time = nullptr;  // called on both threads
  DiskBounds bounds;
};

// What is written together: batches, in the order that they were given, and after those that a
// commit was tried with one of what came late.
struct StoreGroup {
  std::vector<ChangeBatch> batches;
  std::vector<BodyFile> gone;  // files that no row names once this is synced
  std::size_t added = 0;       // batches that are in the transaction
  std::size_t tried = 0;       // batches that a commit was tried with
  std::size_t changes = 0, bytes = 0;
  Demand demand = Demand::Later;

  bool is_full() const;
  std::optional<RecordNumber> through(std::size_t count) const;  // of the first so many
  // The newest group of the journal in the first so many, if one is newer than `newest`.
  std::uint64_t journal(std::uint64_t newest, std::size_t count) const;
  void append(ChangeBatch batch);
  // With the files, which are theirs.
  void drop_first(std::size_t count);
  void clear();
};

// For the main thread, since it asked last.
struct StoreNews {
  std::optional<bool> accepting;  // since it changed
  // Of what is not written() nothing is on disk. It is tried again after go_on(), in one
  // transaction with all that was given until then.
  bool undone = false;
  std::optional<Error> broken;  // once: nothing more is written; Error::code is the ExitStatus
  // Why the journal is not used from now on; empty: it is again.
  std::optional<std::string> slower;
};

struct WriterFigures {
  DiskFigures disk;
  std::uint64_t commits = 0, syncs = 0, wal_bytes = 0;
  std::uint64_t ahead = 0;      // turns that were given and are not in the tables yet
  std::string trouble;          // why nothing is written; empty: it is
  std::string journal_trouble;  // why the journal is not used; empty: it is, or there is none
  Duration stalled;             // for how long what is to be told next has been on its way
};

// What became of a group that was written to the journal. `unsure`: what failed may be there all
// the same. `ends`: the journal is not to be tried again.
struct KeptAhead {
  Result<void> done;
  bool unsure = false, ends = false;
};

// What the journal's thread has in its hands.
struct AheadHand {
  std::optional<Journal> journal;
  std::uint64_t sequence = 0;  // of its newest group
  std::vector<ChangeBatch*> fresh;
  std::uint32_t changes = 0;  // in them
  std::string encoded;
  std::optional<Instant> dirty_since;  // when what is not synced was written
};

// What was acknowledged as written is synced after this. With what it may wait before that it is
// the second that a power cut may lose.
inline constexpr Duration kRelaxedWindow = milliseconds(900);

}  // namespace warmpool::daemon
