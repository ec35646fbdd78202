// Groups of changes as transactions.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "daemon/store/change.hpp"
#include "daemon/store/sqlite.hpp"
#include "daemon/store/store.hpp"
#include "pool/flat_map.hpp"

namespace warmpool::daemon {

// The state of the store that a transaction ends with.
struct GroupEnd {
  RecordNumber through;
  Instant now;                // when it is written
  WallTime wall;              // the same moment
  std::uint64_t journal = 0;  // the newest group of the journal that it has with all before
};

// What the disk holds of settled tasks.
struct DiskFigures {
  std::uint64_t results = 0, result_bytes = 0, keys = 0;
  SettledTotals settled{};
};

// Order: prepare() first; release() before its connection is closed. Threads: its connection's.
class StoreWriter {
 public:
  // Statements, and what the tables hold already.
  Result<void> prepare(Database& database);
  void release() { statements_.clear(); }

  // A transaction: begin(), add() of each batch in order, and commit() or roll_back(). It is
  // written then, and synced by whoever may tell of it. The first error of all of them is what
  // commit() gives: Error::code is SQLite's, or kStoreDamaged when a change found no row to change;
  // then nothing of it is in the tables. Blocks: until it is written.
  void begin();
  void add(const ChangeBatch& batch);
  Result<void> commit(const GroupEnd& end);
  void roll_back();

  void set_bounds(const DiskBounds& bounds) { bounds_ = bounds; }
  const DiskFigures& figures() const { return kept_.figures; }
  // Files that no row names any more. Order: they may go only after a group that was synced.
  std::vector<BodyFile> take_gone() { return std::exchange(gone_, {}); }
  // Whether a group without changes would have something to do.
  bool trim_due(Instant now) const;

 private:
  enum class Sql : std::uint8_t;
  struct SqlRow;
  static const std::span<const SqlRow> kSql;
  // What transactions begin with and what a failed one goes back to.
  struct State {
    DiskFigures figures;
    std::int64_t result_sequence = 0, key_sequence = 0;
  };

  using NamedFile = std::pair<TaskId, BodyFile>;

  void write(const Change& change);
  void change(const change::Named& named);
  void change(const change::Added& added);
  void change(const change::Started& started);
  void change(const change::Ended& ended);
  void change(const change::Buried& buried);
  void change(const change::Finished& finished);
  void change(const change::Revived& revived);
  void change(const record::Released& record);
  void change(const record::Removed& record);
  void change(const change::Paused& paused);
  void change(const change::Received& received);
  void change(const change::Cleaned& cleaned);
  void change(const record::Kept& record);
  void change(const change::Checkpointed& checkpointed);
  void change(const change::CheckpointGone& gone);

  template <class... Values>
  void run(Sql sql, const Values&... values);
  // As run(), of a statement that must change exactly one row.
  template <class... Values>
  void run_one(Sql sql, const Values&... values);
  // Of a statement that is to give a row or none: anything else is the fault of the group.
  bool has_row(Sql sql, Statement& statement);
  template <class End>
  void add_attempt(const End& record, const AttemptRow& row);
  void drop_task(TaskId task);
  void drop_file(const Statement& row, int column);
  void name_payload(TaskId task, BodyFile file);
  void write_state(const GroupEnd& end);
  void trim_results(Instant now);
  void trim_keys(Instant now);
  Result<void> read_state();
  Result<void> read_files();
  void take_files();

  Database* database_ = nullptr;
  std::vector<Statement> statements_;
  DiskBounds bounds_;
  State kept_, state_;                    // of the last commit, of the group that is being written
  Instant results_due_, keys_due_;        // when the oldest of them is too old, or may be
  FlatMap<std::uint64_t> payload_files_;  // by task
  // Of this group: files that payloads have from now on (the last counts), and that nobody names
  // any more; of groups that are written.
  std::vector<NamedFile> named_;
  std::vector<BodyFile> dropped_;
  std::vector<BodyFile> gone_;
  Result<void> fault_;  // the first of this group; what follows it does nothing
};

}  // namespace warmpool::daemon
