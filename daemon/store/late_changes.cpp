// A start and the end of its task are two writes of the same rows; with short tasks dropping the
// first is half of the store's work beyond the task's own rows.
#include "daemon/store/late_changes.hpp"

#include <algorithm>

#include "daemon/store/body_file.hpp"

namespace warmpool::daemon {
Demand Suspects::need_of(const std::vector<change::Started>& starts, Instant now) {
  bool is_any = false;
  for (const auto& [start, slot] : starts) {
    if (start.task.value >> kLifeShift >= life_) continue;
    if (start.attempt > 1 || start.round > 1) return Demand::Synced;
    is_any = true;
  }
  if (!is_any) return Demand::Later;
  if (now < next_) return Demand::Written;
  next_ = now + LateChanges::kLateness;
  return Demand::Synced;
}

void LateChanges::take(ChangeBatch& batch, Instant now) {
  const bool urgent = batch.starts_need == Demand::Synced;
  for (const auto& start : batch.starts) {
    const auto due = urgent ? now : now + kLateness;
    starts_.insert_or_assign(start.record.task.value, Waiting{start, due, batch.starts_need});
    const Place place{start.record.task, due};
    if (urgent) {
      order_.push_front(place);
    } else {
      order_.push_back(place);
    }
  }
  for (const auto& change : batch.changes) overtake(change);
  if (batch.receipts.empty()) return;
  receipts_.insert(receipts_.end(), batch.receipts.begin(), batch.receipts.end());
  receipts_due_ = std::min(receipts_due_, now + kLateness);
}

void LateChanges::overtake(const Change& change) {
  if (const auto* finished = std::get_if<change::Finished>(&change)) {
    drop(finished->record.task, nullptr);
  } else if (const auto* buried = std::get_if<change::Buried>(&change)) {
    drop(buried->record.task, nullptr);
  } else if (const auto* ended = std::get_if<change::Ended>(&change)) {
    drop(ended->record.task, &ended->record);
  }
}

// An end may be followed by the next start within one batch; that one stays.
void LateChanges::drop(TaskId task, const record::Ended* ended) {
  const auto found = starts_.find(task.value);
  if (found == starts_.end()) return;
  if (ended != nullptr && found->second.start.record.attempt > ended->attempt) return;
  starts_.erase(found);
}

Instant LateChanges::due() const {
  auto due = receipts_due_;
  if (!order_.empty()) due = std::min(due, order_.front().due);
  return due;
}

Demand LateChanges::collect(Instant now, std::vector<change::Started>& starts,
                            std::vector<change::Received>& receipts) {
  auto demand = Demand::Later;
  while (!order_.empty() && order_.front().due <= now) {
    const auto found = starts_.find(order_.front().task.value);
    const bool current = found != starts_.end() && found->second.due == order_.front().due;
    order_.pop_front();
    if (!current) continue;
    demand = std::max(demand, found->second.need);
    starts.push_back(std::move(found->second.start));
    starts_.erase(found);
  }
  std::ranges::move(receipts_, std::back_inserter(receipts));
  receipts_.clear();
  receipts_due_ = kNever;
  return demand;
}

}  // namespace warmpool::daemon
