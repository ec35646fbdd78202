// Keeps everything in memory and nothing beyond the process's life.
#pragma once

#include "daemon/store/task_rows.hpp"

namespace warmpool::daemon {

// Bounds: finished tasks by results_max, results_bytes_max and results_age_max, the oldest go
//   first; live tasks and dead letters are the core's to bound.
// Order: a record is kept as soon as it was applied, and told so at the next take_answers().
class VolatileStore : public Store {
 public:
  explicit VolatileStore(const Options& options) { set_bounds(options); }

  void apply(std::vector<StoreEntry>& batch) override;
  StoreAnswers take_answers() override;
  std::optional<StoredTask> find(TaskId task) const override;
  std::vector<TaskId> finished(TaskId after, std::uint32_t limit, std::optional<Verdict> verdict,
                               std::optional<TypeId> type) const override;
  void received(TaskId task) override;
  void trim(Instant now) override;
  void set_bounds(const Options& options) override;
  StoreFigures figures() const override;

 private:
  void apply_record(const record::Accepted& record, Attachment& attachment);
  void apply_record(const record::Started& record, Attachment& attachment);
  void apply_record(const record::Ended& record, Attachment& attachment);
  void apply_record(const record::Settled& record, Attachment& attachment);
  void apply_record(const record::Revived& record, Attachment& attachment);
  void apply_record(const record::Released& record, Attachment& attachment);
  void apply_record(const record::Removed& record, Attachment& attachment);
  void apply_record(const record::Paused& record, Attachment& attachment);

  void finish(TaskRow& row, Attachment& attachment);
  void replace_body(TaskRow& row, Blob body);
  void drop(TaskRow& row);
  void keep_bounds();

  TaskRows rows_;
  RecordNumber applied_, told_;
  std::uint64_t results_max_ = 0, results_bytes_max_ = 0;
  Duration results_age_max_;
  StoreFigures figures_;
};

}  // namespace warmpool::daemon
