// A store that answers when the test says so, and refuses when the test says so.
#pragma once

#include "daemon/store/volatile_store.hpp"

namespace warmpool::daemon {

class FakeStore : public Store {
 public:
  explicit FakeStore(const Options& options) : inner_(options) {}

  bool holds_answers = false;
  void set_accepting(bool accepting) { accepting_ = accepting; }

  Result<SettledTotals> recover(StoreNames& names, const Replay& replay) override {
    return inner_.recover(names, replay);
  }
  void apply(std::vector<StoreEntry>& batch) override { inner_.apply(batch); }
  StoreAnswers take_answers() override {
    StoreAnswers answers;
    if (!holds_answers) answers = inner_.take_answers();
    answers.accepting = std::exchange(accepting_, std::nullopt);
    return answers;
  }
  std::optional<StoredTask> find(TaskId task) const override { return inner_.find(task); }
  std::vector<TaskId> finished(TaskId after, std::uint32_t limit, std::optional<Verdict> verdict,
                               std::optional<TypeId> type) const override {
    return inner_.finished(after, limit, verdict, type);
  }
  std::vector<TaskId> settled_before(Instant before,
                                     std::optional<Verdict> verdict) const override {
    return inner_.settled_before(before, verdict);
  }
  bool drop(TaskId task) override { return inner_.drop(task); }
  Result<void> begin_backup(const std::string& path) override { return inner_.begin_backup(path); }
  void received(TaskId task) override { inner_.received(task); }
  void trim(Instant now) override { inner_.trim(now); }
  void set_bounds(const Options& options) override { inner_.set_bounds(options); }
  StoreFigures figures() const override { return inner_.figures(); }

 private:
  VolatileStore inner_;
  std::optional<bool> accepting_;
};

}  // namespace warmpool::daemon
