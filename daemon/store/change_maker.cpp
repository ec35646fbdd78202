// Bodies are shared with the image and not copied. What the tables get beside a record (worker,
// start, history) is read from the image, which has just taken the record.
#include "daemon/store/change_maker.hpp"

#include <nlohmann/json.hpp>

namespace warmpool::daemon {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) {
    if (!text.empty()) text += '\n';
    text += line;
  }
  return text;
}

TaskId task_of(const Record& record) {
  return std::visit(
      [](const auto& each) {
        if constexpr (requires { each.task; }) {
          return each.task;
        } else {
          return TaskId{};
        }
      },
      record);
}

const History* history_of(const TaskRow* row) {
  return row == nullptr || !row->extras ? nullptr : &row->extras->history;
}

}  // namespace

void ChangeMaker::before(const StoreEntry& entry) {
  body_ = entry.attachment.body.share();
  file_ = entry.attachment.file;
  texts_.reset();
  const auto* accepted = std::get_if<record::Accepted>(&entry.record);
  if (accepted != nullptr && entry.attachment.texts) {
    texts_ = std::make_unique<KeyText>();
    texts_->key = entry.attachment.texts->key;
    const auto& labels = entry.attachment.texts->labels;
    if (!labels.empty()) texts_->labels = nlohmann::json(labels).dump();
  }
  if (accepted != nullptr) {  // nothing is there of it
    has_checkpoint_ = false;
    history_before_ = dropped_before_ = 0;
    durability_ = accepted->spec.durability;
    return;
  }
  const auto* row = image_.row(task_of(entry.record));
  has_checkpoint_ = image_.checkpoint(task_of(entry.record)) != nullptr;
  const auto* history = history_of(row);
  history_before_ = history == nullptr ? 0 : history->count();
  dropped_before_ = history == nullptr ? 0 : history->dropped();
  durability_ = row == nullptr ? Durability::Full : row->durability;
}

void ChangeMaker::after(const StoreEntry& entry, ChangeBatch& batch) {
  std::visit([&](const auto& record) { make(record, batch); }, entry.record);
  body_ = {};
}

void ChangeMaker::demand(Durability durability, ChangeBatch& batch) const {
  const auto demand = durability == Durability::Full ? Demand::Synced : Demand::Written;
  batch.demand = std::max(batch.demand, demand);
}

const TaskRow* ChangeMaker::kept_row(TaskId task) const {
  const auto* row = image_.row(task);
  return row == nullptr || row->durability == Durability::None ? nullptr : row;
}

template <class Id>
std::uint32_t ChangeMaker::number_of(NameKind kind, Id id, ChangeBatch& batch) {
  auto& numbers = this->numbers(kind);
  if (const auto known = numbers.find(id.value); known != 0) return known;
  return numbers.number(id.value, names_->name_of(id), batch.changes);
}

void ChangeMaker::make(const record::Accepted& record, ChangeBatch& batch) {
  const auto* row = kept_row(record.task);
  if (row == nullptr) return;
  const auto type = number_of(NameKind::Type, record.spec.type, batch);
  const auto tenant = number_of(NameKind::Tenant, record.spec.tenant, batch);
  if (!file_) batch.bytes += body_.size();
  demand(record.spec.durability, batch);
  batch.changes.push_back(change::Added{record, type, tenant, row->uid, row->content,
                                        row->keep_result, std::move(body_), file_,
                                        std::move(texts_)});
}

void ChangeMaker::make(const record::Started& record, ChangeBatch& batch) {
  if (kept_row(record.task) == nullptr) return;
  const auto slot = number_of(NameKind::Slot, record.slot, batch);
  batch.starts.push_back({record, slot});
}

void ChangeMaker::make(const record::Ended& record, ChangeBatch& batch) {
  const auto* row = kept_row(record.task);
  if (row == nullptr) return;
  auto attempt = attempt_of(*row, batch);
  demand(row->durability, batch);
  auto bound = record.bound == kNoClass ? std::string() : names_->name_of(record.bound);
  batch.changes.push_back(change::Ended{record, std::move(attempt), std::move(bound)});
}

void ChangeMaker::make(const record::Settled& record, ChangeBatch& batch) {
  const auto* row = kept_row(record.task);
  if (row == nullptr) return;
  auto attempt = attempt_of(*row, batch);
  demand(row->durability, batch);
  if (record.verdict == Verdict::Dead) {
    batch.changes.push_back(change::Buried{record, std::move(attempt)});
  } else {
    make_finished(record, *row, std::move(attempt), batch);
    drop_checkpoint(record.task, batch);
  }
}

void ChangeMaker::make_finished(const record::Settled& record, const TaskRow& row,
                                std::unique_ptr<AttemptRow> attempt, ChangeBatch& batch) {
  const auto& run = image_.run(row);
  change::Finished finished{
      record, 0,           run.started_at,
      0,      row.content, row.extras && row.extras->texts && !row.extras->texts->key.empty(),
      {},     {},          std::move(attempt)};
  if (record.attempt != 0) finished.slot = number_of(NameKind::Slot, run.slot, batch);
  if (const auto* history = history_of(&row)) {
    finished.attempts = static_cast<std::uint32_t>(history->attempts().size());
  }
  if (record.verdict == Verdict::Done) {
    if (!file_) batch.bytes += body_.size();
    finished.body = std::move(body_);
    finished.file = file_;
  }
  batch.changes.push_back(std::move(finished));
}

// The row that the record added to its task's history, if it added one.
std::unique_ptr<AttemptRow> ChangeMaker::attempt_of(const TaskRow& row, ChangeBatch& batch) {
  const auto* history = history_of(&row);
  if (history == nullptr || history->count() == history_before_) return nullptr;
  const auto& entry = history->attempts().back();
  auto attempt = std::make_unique<AttemptRow>();
  attempt->position = history->count() - 1;
  attempt->slot = number_of(NameKind::Slot, image_.run(row).slot, batch);
  attempt->started_at = entry.started_at;
  if (!entry.error.empty()) attempt->error = history->last_error();
  attempt->output = joined(entry.output);
  attempt->autopsy = entry.autopsy;
  attempt->drops = history->dropped() != dropped_before_;
  attempt->dropped = static_cast<std::uint32_t>(kFirstAttemptsKept) + dropped_before_;
  return attempt;
}

// As it is, with what its task needs.
template <class Kind>
void ChangeMaker::pass_on(const Kind& record, ChangeBatch& batch) {
  const auto* row = kept_row(record.task);
  if (row == nullptr) return;
  demand(row->durability, batch);
  batch.changes.emplace_back(record);
}

void ChangeMaker::make(const record::Revived& record, ChangeBatch& batch) {
  const auto* row = kept_row(record.task);
  if (row == nullptr) return;
  if (!file_) batch.bytes += body_.size();
  demand(row->durability, batch);
  batch.changes.push_back(change::Revived{record, row->content, std::move(body_), file_});
  if (record.payload_bytes) drop_checkpoint(record.task, batch);
}

void ChangeMaker::make(const record::Released& record, ChangeBatch& batch) {
  pass_on(record, batch);
}

void ChangeMaker::make(const record::Kept& record, ChangeBatch& batch) { pass_on(record, batch); }

// Its row is gone already.
void ChangeMaker::make(const record::Removed& record, ChangeBatch& batch) {
  if (durability_ == Durability::None) return;
  demand(Durability::Full, batch);
  batch.changes.emplace_back(record);
  drop_checkpoint(record.task, batch);
}

void ChangeMaker::make(const record::Checkpointed& record, ChangeBatch& batch) {
  const auto* row = kept_row(record.task);
  if (row == nullptr) return;
  const auto* checkpoint = image_.checkpoint(record.task);
  const bool none = body_.size() == 0 || checkpoint == nullptr;  // taken back, or there is no room
  if (none && !has_checkpoint_) return;
  demand(row->durability, batch);
  if (none) return drop_checkpoint(record.task, batch);
  batch.bytes += body_.size();
  batch.changes.push_back(change::Checkpointed{record, checkpoint->content, std::move(body_)});
}

void ChangeMaker::drop_checkpoint(TaskId task, ChangeBatch& batch) const {
  if (has_checkpoint_) batch.changes.push_back(change::CheckpointGone{task});
}

void ChangeMaker::make(const record::Paused& record, ChangeBatch& batch) {
  std::string name;
  if (record.target.scope == PauseScope::Type) name = names_->name_of(record.target.type);
  if (record.target.scope == PauseScope::Class) name = names_->name_of(record.target.worker_class);
  demand(Durability::Full, batch);
  batch.changes.push_back(change::Paused{record.target.scope, std::move(name), record.paused});
}

}  // namespace warmpool::daemon
