// A store that answers when the test says so, and refuses when the test says so.
#pragma once

#include "daemon/store/volatile_store.hpp"

namespace warmpool::daemon {

class FakeStore : public Store {
 public:
  explicit FakeStore(const Options& options) : inner_(options) {}

  bool holds_answers = false;
  // Large bodies get files, which are written when the test calls end_bodies().
  bool writes_bodies = false;
  std::vector<BodyFile> begun, dropped;
  std::vector<BodyFile> kept;  // by records
  void end_bodies(const std::string& fault = {}) {
    for (const auto file : std::exchange(writing_, {})) ended_.push_back({file, fault});
  }
  // In the place of each payload.
  const Blob* payload_instead = nullptr;
  void set_accepting(bool accepting) { accepting_ = accepting; }

  Result<SettledTotals> recover(StoreNames& names, const Replay& replay) override {
    return inner_.recover(names, replay);
  }
  void apply(std::vector<StoreEntry>& batch) override {
    for (const auto& entry : batch) {
      if (entry.attachment.file) kept.push_back(entry.attachment.file);
    }
    inner_.apply(batch);
  }
  BodyFile begin_body(BodyKind, const Blob& body, std::uint64_t) override {
    if (!writes_bodies) return {};
    if (body.size() <= kBodyInRowMax && !body.is_by_descriptor()) return {};
    const BodyFile file{begun.size() + 1};
    begun.push_back(file);
    writing_.push_back(file);
    return file;
  }
  void drop_body(BodyFile file) override { dropped.push_back(file); }
  StoreAnswers take_answers() override {
    StoreAnswers answers;
    if (!holds_answers) answers = inner_.take_answers();
    answers.accepting = std::exchange(accepting_, std::nullopt);
    answers.bodies = std::exchange(ended_, {});
    return answers;
  }
  std::optional<StoredTask> find(TaskId task) const override {
    auto stored = inner_.find(task);
    if (stored && writes_bodies) stored->durability = Durability::Full;
    if (stored && !stored->verdict && payload_instead != nullptr) stored->body = payload_instead;
    return stored;
  }
  bool scan_finished(FinishedScan& scan, std::uint32_t rows) const override {
    return inner_.scan_finished(scan, rows);
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
  std::vector<BodyFile> writing_;
  std::vector<BodyEnded> ended_;
};

}  // namespace warmpool::daemon
