// Keeps accepted tasks, results and dead letters in a SQLite database: docs/store.md.
#pragma once

#include "daemon/clock.hpp"
#include "daemon/store/backup.hpp"
#include "daemon/store/change_maker.hpp"
#include "daemon/store/recovery.hpp"
#include "daemon/store/schema.hpp"
#include "daemon/store/store_thread.hpp"

namespace warmpool::daemon {

struct SqliteStoreSetup {
  SchemaPlace place;
  Options options;
  TimeSource* time = nullptr;    // outlives the store; called on both threads
  std::uint64_t life_least = 1;  // this life's number is at least this
};

// The image in memory answers; the store thread writes. Order: open(), recover(), then the rest.
// Threads: the main thread's, but for what is the store thread's.
class SqliteStore : public Store {
 public:
  // Of an earlier life's nothing is changed, but what its journal has comes to the tables. Errors:
  // Error::code is the ExitStatus. Blocks: while the file is checked.
  static Result<std::unique_ptr<SqliteStore>> open(const SqliteStoreSetup& setup);
  ~SqliteStore() override { (void)close(); }

  // Of this life; kept when recover() returns, so nothing may be given out with it before.
  std::uint64_t life() const { return life_; }
  // At which this life begins: the last one that was kept, and what the wall says has passed.
  Instant begin() const { return begin_; }

  Result<SettledTotals> recover(StoreNames& names, const Replay& replay) override;
  Result<void> close() override;
  std::vector<TaskId> damaged() const override { return recovered_.damaged; }
  std::vector<std::string> found() const override { return found_; }
  void apply(std::vector<StoreEntry>& batch) override;
  StoreAnswers take_answers() override;
  int answers_fd() const override { return thread_ ? thread_->fd() : -1; }
  std::optional<StoredTask> find(TaskId task) const override { return image_.find(task); }
  bool scan_finished(FinishedScan& scan, std::uint32_t rows) const override {
    return image_.scan_finished(scan, rows);
  }
  std::vector<TaskId> settled_before(Instant before,
                                     std::optional<Verdict> verdict) const override {
    return image_.settled_before(before, verdict);
  }
  BodyFile begin_body(BodyKind kind, const Blob& body, std::uint64_t seed) override;
  void drop_body(BodyFile file) override { thread_->bodies().remove({file}); }
  bool drop(TaskId task) override;
  Result<void> begin_backup(const std::string& path) override;
  void received(TaskId task) override;
  void trim(Instant now) override;
  void set_bounds(const Options& options) override;
  StoreFigures figures() const override;

 private:
  explicit SqliteStore(const SqliteStoreSetup& setup);
  Result<void> read_life(std::uint64_t least);
  Result<void> keep_life();
  Result<void> start_thread();
  void give();
  void take(std::vector<StoreEntry>& batch);
  void end_backup();

  SqliteStoreSetup setup_;
  TaskImage image_;
  ChangeMaker maker_;
  Database database_;  // until the thread has it
  std::unique_ptr<StoreThread> thread_;
  std::unique_ptr<StoreBackup> backup_;  // after the thread, whose eventfd it writes
  std::uint64_t life_ = 0;
  std::uint64_t last_life_ = 0;
  Instant last_, begin_;  // the last one that the life before has kept; the first of this one
  std::int64_t begin_steady_ns_ = 0;
  SettledTotals settled_{};
  RecoveryFigures recovered_;
  std::vector<std::string> found_;
  ChangeBatch batch_;  // of this turn
  RecordNumber given_, direct_, told_;
  bool undone_ = false;  // and the thread waits for what is to come with it
  std::uint64_t records_ = 0, batches_ = 0;
};

}  // namespace warmpool::daemon
