// Natural group commit: a sync takes all that queued during the last one.
#include "tests/sim/fake_disk.hpp"

#include <algorithm>
#include <utility>

namespace warmpool::sim {
namespace {

TaskId task_of(const Record& record) {
  return std::visit(
      [](const auto& one) {
        if constexpr (requires { one.task; }) {
          return one.task;
        } else {
          return TaskId{};
        }
      },
      record);
}

}  // namespace

void FakeDisk::begin(Instant now) {
  const bool moody = scenario_.has(Fault::SlowDisk) || scenario_.has(Fault::StoreRefuses);
  if (moody) agenda_.plan(now + random_.between(milliseconds(1), seconds(1)), What::DiskMoodSwings);
}

void FakeDisk::sync(Instant now) {
  batch_ = pending_.size();
  if (batch_ == 0) return;
  Duration takes = random_.between(scenario_.disk_min, scenario_.disk_max);
  if (slow_) takes = takes * 50;
  agenda_.plan(now + takes, What::DiskSyncs, 0, syncs_);
}

void FakeDisk::carry_out(Instant now, const command::Persist& persist) {
  pending_.push_back(persist);
  if (batch_ == 0 && !undone_) sync(now);
}

// A full disk: what was being written is not there, and is tried again with what came since.
void FakeDisk::undo(Instant now) {
  undone_ = true;
  batch_ = 0;
  agenda_.plan(now + random_.between(milliseconds(1), milliseconds(50)), What::DiskSyncs, 0,
               ++syncs_);
}

std::optional<Event> FakeDisk::synced(Instant now, std::uint64_t syncs) {
  if (syncs != syncs_) return std::nullopt;
  if (std::exchange(undone_, false)) {
    sync(now);
    whole_ = batch_;
    return std::nullopt;
  }
  if (batch_ == 0) return std::nullopt;
  const RecordNumber through = pending_[batch_ - 1].number;
  for (std::size_t i = 0; i < batch_; ++i) kept_.push_back(pending_[i].record);
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(batch_));
  whole_ = 0;
  sync(now);
  return event::Persisted{through};
}

void FakeDisk::carry_out(Instant now, const command::Archive& archive) {
  archiving_.push_back(archive);
  // A large letter takes so long that much may happen to it meanwhile.
  const Duration most = random_.chance(100) ? milliseconds(500) : scenario_.disk_max;
  archive_ends_ = std::max(archive_ends_, now) + random_.between(scenario_.disk_min, most);
  agenda_.plan(archive_ends_, What::ArchiveEnds, 0, life_);
}

std::optional<Event> FakeDisk::archived(std::uint64_t life) {
  if (life != life_) return std::nullopt;
  const auto [task, round] = archiving_.front();
  archiving_.pop_front();
  return event::Archived{task, round, !luck_.strikes(Fault::ArchiveFails, 400)};
}

std::optional<Event> FakeDisk::swing_mood(Instant now) {
  if (luck_.calm()) return std::nullopt;
  agenda_.plan(now + random_.between(milliseconds(5), milliseconds(800)), What::DiskMoodSwings);
  if (scenario_.has(Fault::SlowDisk)) {
    slow_ = random_.chance(400);
    if (slow_) luck_.count(Fault::SlowDisk);
  }
  if (!scenario_.has(Fault::StoreRefuses) || !random_.chance(400)) return std::nullopt;
  refusing_ = !refusing_;
  if (refusing_) luck_.count(Fault::StoreRefuses);
  if (!refusing_ || !random_.chance(500)) return event::StoreState{!refusing_};
  undo(now);
  return event::StoreState{false, true};
}

std::optional<Event> FakeDisk::calm_down() {
  slow_ = false;
  if (!refusing_) return std::nullopt;
  refusing_ = false;
  return event::StoreState{true};
}

void FakeDisk::crash() {
  // Of what was being kept a beginning may have reached the platter.
  std::size_t torn = batch_ == 0 ? 0 : random_.below(batch_ + 1);
  if (torn < whole_) torn = 0;
  for (std::size_t i = 0; i < torn; ++i) kept_.push_back(pending_[i].record);
  pending_.clear();
  archiving_.clear();
  batch_ = whole_ = 0;
  ++life_;
  ++syncs_;
  refusing_ = undone_ = false;
  std::unordered_set<std::uint64_t> volatile_tasks;
  for (const Record& record : kept_) {
    const auto* accepted = std::get_if<record::Accepted>(&record);
    if (accepted != nullptr && accepted->spec.durability == Durability::None) {
      volatile_tasks.insert(accepted->task.value);
    }
  }
  std::erase_if(
      kept_, [&](const Record& record) { return volatile_tasks.contains(task_of(record).value); });
}

}  // namespace warmpool::sim
