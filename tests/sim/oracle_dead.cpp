// What outlives its task for a while: dead letters within their bounds, the oldest go first, and
// the keys of what is done.
#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

void Oracle::bury(std::uint32_t index) {
  tasks_[index].death = ++deaths_;
  letters_.emplace(deaths_, index);
  letter_bytes_ += tasks_[index].spec.payload_bytes;
}

void Oracle::unbury(std::uint32_t index) {
  letters_.erase(tasks_[index].death);
  letter_bytes_ -= tasks_[index].spec.payload_bytes;
}

bool Oracle::letters_over_bounds() const {
  return letters_.size() > options_.dead_max || letter_bytes_ > options_.dead_bytes_max ||
         tasks_[letters_.begin()->second].settled_at + options_.dead_age_max <= now_;
}

void Oracle::judge_archived(const SeenTask& task) const {
  require_rule(letters_.begin()->first == task.death, "archive-oldest",
               [&] { return task_name(task.id) + " was archived and is not the oldest"; });
  require_rule(task.settle_record <= kept_record_, "gate-archive",
               [&] { return task_name(task.id) + " was archived before its death was kept"; });
  require_rule(letters_over_bounds(), "dead-kept",
               [&] { return task_name(task.id) + " was archived without need"; });
  const bool kept = task.settle_record <= kept_at_tick_ && options_at_ <= previous_tick_;
  const bool room =
      letters_.size() <= options_.dead_max && letter_bytes_ <= options_.dead_bytes_max;
  if (kept && room) judge_due(task.settled_at + options_.dead_age_max, "an archival");
}

// A letter whose death is not kept yet stays, and all after it.
void Oracle::judge_letters() const {
  if (letters_.empty()) return;
  const SeenTask& oldest = tasks_[letters_.begin()->second];
  require_rule(oldest.settle_record > kept_record_ || !letters_over_bounds(), "dead-bounds", [&] {
    return std::to_string(letters_.size()) + " dead letters of " + std::to_string(letter_bytes_) +
           " bytes, the oldest " + task_name(oldest.id) + " since " +
           std::to_string((now_ - oldest.settled_at).ns / 1'000'000) + " ms";
  });
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
