// Answers late all the same: nothing may come to rely on a store that is quick.
#include "daemon/store/volatile_store.hpp"

#include "pool/refusal.hpp"

namespace warmpool::daemon {

void VolatileStore::apply(std::vector<StoreEntry>& batch) {
  if (batch.empty()) return;
  for (auto& entry : batch) image_.apply(entry.record, entry.attachment);
  image_.take_dropped_checkpoints();  // nothing else has them
  applied_ = batch.back().number;
  records_ += batch.size();
  ++batches_;
  batch.clear();
  image_.keep_bounds();
}

StoreAnswers VolatileStore::take_answers() {
  if (told_ == applied_) return {};
  told_ = applied_;
  StoreAnswers answers;
  answers.persisted = applied_;
  return answers;
}

std::optional<StoredTask> VolatileStore::find(TaskId task) const {
  auto stored = image_.find(task);
  if (stored) stored->durability = Durability::None;
  return stored;
}

Result<void> VolatileStore::begin_backup(const std::string&) {
  return Error{static_cast<int>(Refusal::BadArgument),
               "this daemon keeps its tasks in memory (store = \"volatile\"); there is no store"};
}

StoreFigures VolatileStore::figures() const {
  auto figures = image_.figures();
  figures.name = "volatile";
  figures.records = records_;
  figures.batches = batches_;
  return figures;
}

}  // namespace warmpool::daemon
