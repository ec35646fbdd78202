// What outlives its task for a while: dead letters within their bounds, the oldest go first, and
// the keys of what is done.
#include <algorithm>

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {
namespace {

constexpr std::size_t kArchivingMax = 64;

}  // namespace

void Oracle::bury(std::uint32_t index) {
  tasks_[index].death = ++deaths_;
  letters_.emplace(deaths_, index);
  letter_bytes_ += tasks_[index].spec.payload_bytes;
}

void Oracle::unbury(std::uint32_t index) {
  const SeenTask& task = tasks_[index];
  letters_.erase(task.death);
  letter_bytes_ -= task.spec.payload_bytes;
  if (archiving_.erase(task.death) != 0) archiving_bytes_ -= task.spec.payload_bytes;
}

// Of those that are not on their way to the archive. Order: there is one.
std::uint32_t Oracle::oldest_letter() const {
  return std::ranges::find_if(
             letters_, [this](const auto& letter) { return !archiving_.contains(letter.first); })
      ->second;
}

// Those on their way are as good as gone.
bool Oracle::letters_over_bounds() const {
  if (letters_.size() == archiving_.size()) return false;
  return letters_.size() - archiving_.size() > options_.dead_max ||
         letter_bytes_ - archiving_bytes_ > options_.dead_bytes_max ||
         tasks_[oldest_letter()].settled_at + options_.dead_age_max <= now_;
}

void Oracle::judge_archive(const command::Archive& archive) {
  const SeenTask& task = task_of(archive.task);
  const std::uint32_t index = index_of(task.id) - 1;
  const auto rule = [&](bool holds, std::string_view name, std::string_view why) {
    require_rule(holds, name, [&] { return task_name(task.id) + " " + std::string(why); });
  };
  rule(task.phase == Phase::Settled && task.verdict.verdict == Verdict::Dead &&
           task.round == archive.round,
       "archive-matches", "is to be archived and is no dead letter of this round");
  rule(!archiving_.contains(task.death), "archive-once", "is to be archived twice");
  rule(!stopping_, "archive-once", "is to be archived by a pool that ends, and then again");
  rule(oldest_letter() == index, "archive-oldest", "is to be archived and is not the oldest");
  rule(task.settle_record <= kept_record_, "gate-archive",
       "is to be archived before its death was kept");
  rule(letters_over_bounds(), "dead-kept", "is to be archived without need");
  rule(now_ >= archive_again_, "archive-pause", "is to be archived though that has just failed");
  rule(archiving_.size() < (archive_failures_ == 0 ? kArchivingMax : 1), "archive-bounds",
       "is one too many on the way to the archive");
  const bool kept = task.settle_record <= kept_at_tick_ && options_at_ <= previous_tick_;
  const bool room = letters_.size() - archiving_.size() <= options_.dead_max &&
                    letter_bytes_ - archiving_bytes_ <= options_.dead_bytes_max;
  if (kept && room && archiving_.empty()) {
    judge_due(std::max(archive_again_, task.settled_at + options_.dead_age_max), "an archival");
  }
  archiving_.emplace(task.death, index);
  archiving_bytes_ += task.spec.payload_bytes;
}

// What was retried or removed meanwhile is nobody's business any more.
void Oracle::archive_answers(const event::Archived& answer) {
  const SeenTask& task = task_of(answer.task);
  if (task.round != answer.round || !archiving_.contains(task.death)) return;
  if (answer.kept) {
    archived_ = task.death;
    archive_failures_ = 0;
    archive_again_ = {};
    return;
  }
  archiving_.erase(task.death);
  archiving_bytes_ -= task.spec.payload_bytes;
  if (archive_again_ > now_) return;
  archive_again_ = now_ + std::min(seconds(1) * (std::int64_t{1}
                                                 << std::min<std::uint64_t>(archive_failures_, 6)),
                                   seconds(60));
  ++archive_failures_;
}

// A letter whose death is not kept yet stays, and all after it; also one that the archive could not
// take, for a while.
void Oracle::judge_letters() const {
  require_rule(archived_ == 0, "archived-goes",
               [] { return std::string("the archive has a letter, and the pool has it still"); });
  const std::size_t at_once = archive_failures_ == 0 ? kArchivingMax : 1;
  if (stopping_ || archiving_.size() >= at_once || now_ < archive_again_) return;
  if (!letters_over_bounds()) return;
  const SeenTask& oldest = tasks_[oldest_letter()];
  require_rule(oldest.settle_record > kept_record_, "dead-bounds", [&] {
    return std::to_string(letters_.size()) + " dead letters of " + std::to_string(letter_bytes_) +
           " bytes, the oldest " + task_name(oldest.id) + " since " +
           std::to_string((now_ - oldest.settled_at).ns / 1'000'000) + " ms";
  });
}

bool Oracle::all_settled() const {
  return unsettled_.empty() && open_requests_ == 0 && unannounced_ == 0 && archiving_.empty() &&
         !letters_over_bounds();
}

// The latest of those that a replay brought back.
const std::uint32_t* Oracle::task_with(const IdempotencyKey& key) const {
  const auto found = keys_.find(key.high);
  return found == keys_.end() ? nullptr : &found->second.back();
}

void Oracle::settle_forget_key(const SeenTask& task) {
  if (!task.spec.key) return;
  const auto found = keys_.find(task.spec.key->high);
  if (found == keys_.end()) return;
  std::erase_if(found->second, [&](std::uint32_t index) { return tasks_[index].id == task.id; });
  if (found->second.empty()) keys_.erase(found);
}

// A key that serves to reconnect stands for its task whatever the verdict, unless its client's
// leaving was the reason.
void Oracle::release_key(std::uint32_t index, const record::Settled& record, Instant at) {
  const SeenTask& task = tasks_[index];
  if (!task.spec.key) return;
  const bool serves = task.spec.key->use == KeyUse::Reconnect;
  if (serves && task.received) return;
  if (record.verdict != Verdict::Done && !(serves && record.cause != EndCause::Dropped)) {
    return settle_forget_key(task);
  }
  auto& done = done_keys_[static_cast<std::size_t>(task.spec.key->use)];
  done.push_back({index, at});
  while (done.size() > options_.keys_max) {
    settle_forget_key(tasks_[done.front().task]);
    done.pop_front();
  }
}

// Its client has all that it waited for.
void Oracle::receive(SeenTask& task) {
  if (!task.spec.key || task.spec.key->use != KeyUse::Reconnect) return;
  task.received = true;
  settle_forget_key(task);
  const std::uint32_t index = index_of(task.id) - 1;
  std::erase_if(done_keys_[static_cast<std::size_t>(KeyUse::Reconnect)],
                [&](const DoneKey& key) { return key.task == index; });
}

void Oracle::expire_keys() {
  for (const KeyUse use : {KeyUse::Lasting, KeyUse::Reconnect}) {
    const bool lasts = use == KeyUse::Lasting;
    const Duration age_max = lasts ? options_.keys_age_max : options_.reconnect_age_max;
    auto& done = done_keys_[static_cast<std::size_t>(use)];
    while (!done.empty() && done.front().at + age_max <= now_) {
      settle_forget_key(tasks_[done.front().task]);
      done.pop_front();
    }
  }
}

// While the daemon was away its clients could not come.
void Oracle::renew_keys() {
  for (DoneKey& key : done_keys_[static_cast<std::size_t>(KeyUse::Reconnect)]) key.at = now_;
}

}  // namespace warmpool::sim
