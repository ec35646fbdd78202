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

void Oracle::settle_forget_key(const SeenTask& task) {
  if (!task.spec.key) return;
  const auto found = keys_.find(task.spec.key->high);
  if (found != keys_.end() && tasks_[found->second].id == task.id) keys_.erase(found);
}

void Oracle::remember_key(std::uint32_t index, Instant at) {
  if (!tasks_[index].spec.key) return;
  done_keys_.push_back({index, at});
  while (done_keys_.size() > options_.keys_max) {
    settle_forget_key(tasks_[done_keys_.front().task]);
    done_keys_.pop_front();
  }
}

void Oracle::expire_keys() {
  while (!done_keys_.empty() && done_keys_.front().at + options_.keys_age_max <= now_) {
    settle_forget_key(tasks_[done_keys_.front().task]);
    done_keys_.pop_front();
  }
}

}  // namespace warmpool::sim
