// Tasks, results and dead letters as they are in memory: what every store answers from. A store on
// disk has this too, so that nothing that the loop asks waits for the disk.
#pragma once

#include "daemon/store/task_rows.hpp"

namespace warmpool::daemon {

// Bounds: finished tasks by results_max, results_bytes_max and results_age_max, the oldest go
//   first; live tasks and dead letters are the core's to bound.
class TaskImage {
 public:
  explicit TaskImage(const Options& options) { set_bounds(options); }

  // Order: as records are numbered. Moves out of `attachment` what it keeps. False: it changes
  // nothing, because it was applied before or its task is gone.
  bool apply(const Record& record, Attachment& attachment);
  void keep_bounds();

  // As in the port.
  std::optional<StoredTask> find(TaskId task) const;
  bool scan_finished(FinishedScan& scan, std::uint32_t rows) const;
  std::vector<TaskId> settled_before(Instant before, std::optional<Verdict> verdict) const;
  bool drop(TaskId task);
  void trim(Instant now);
  void set_bounds(const Options& options);
  // True when it was a result and is gone now.
  bool received(TaskId task);
  StoreFigures figures() const;

  // Null: no such task.
  const TaskRow* row(TaskId task) const { return rows_.find(task); }
  const TaskRun& run(const TaskRow& row) const { return rows_.run(row); }
  // What replayed records do not tell: how many attempts are gone from its history.
  void restore_dropped(TaskId task, std::uint32_t attempts);
  void restore_checkpoint(TaskId task, Checkpoint checkpoint);
  // Its payload is not what was stored. Until a round has another one.
  void lose_payload(TaskId task);
  // Null: it has none.
  const Checkpoint* checkpoint(TaskId task) const { return checkpoints_.find(task); }
  // Whose checkpoint had to go because of the bound, since the last call.
  std::vector<TaskId> take_dropped_checkpoints() { return checkpoints_.take_dropped(); }

 private:
  bool apply_record(const record::Accepted& record, Attachment& attachment);
  bool apply_record(const record::Started& record, Attachment& attachment);
  bool apply_record(const record::Ended& record, Attachment& attachment);
  bool apply_record(const record::Settled& record, Attachment& attachment);
  bool apply_record(const record::Revived& record, Attachment& attachment);
  bool apply_record(const record::Released& record, Attachment& attachment);
  bool apply_record(const record::Removed& record, Attachment& attachment);
  bool apply_record(const record::Paused& record, Attachment& attachment);
  bool apply_record(const record::Kept& record, Attachment& attachment);
  bool apply_record(const record::Checkpointed& record, Attachment& attachment);

  bool is_live(TaskId task) const;
  void finish(TaskRow& row, Attachment& attachment);
  void replace_body(TaskRow& row, Blob body);
  void drop(TaskRow& row);

  TaskRows rows_;
  Checkpoints checkpoints_;
  std::uint64_t results_max_ = 0, results_bytes_max_ = 0;
  Duration results_age_max_;
  StoreFigures figures_;
};

}  // namespace warmpool::daemon
