// Keeps everything in memory and nothing beyond the process's life.
#pragma once

#include "daemon/store/task_image.hpp"

namespace warmpool::daemon {

// Order: a record is kept as soon as it was applied, and told so at the next take_answers().
class VolatileStore : public Store {
 public:
  explicit VolatileStore(const Options& options) : image_(options) {}

  Result<SettledTotals> recover(StoreNames&, const Replay&) override { return SettledTotals{}; }
  void apply(std::vector<StoreEntry>& batch) override;
  StoreAnswers take_answers() override;
  std::optional<StoredTask> find(TaskId task) const override;
  bool scan_finished(FinishedScan& scan, std::uint32_t rows) const override {
    return image_.scan_finished(scan, rows);
  }
  std::vector<TaskId> settled_before(Instant before,
                                     std::optional<Verdict> verdict) const override {
    return image_.settled_before(before, verdict);
  }
  bool drop(TaskId task) override { return image_.drop(task); }
  Result<void> begin_backup(const std::string& path) override;
  void received(TaskId task) override { image_.received(task); }
  void trim(Instant now) override { image_.trim(now); }
  void set_bounds(const Options& options) override { image_.set_bounds(options); }
  StoreFigures figures() const override;

 private:
  TaskImage image_;
  RecordNumber applied_, told_;
  std::uint64_t records_ = 0, batches_ = 0;
};

}  // namespace warmpool::daemon
