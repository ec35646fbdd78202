// What is written down must be what happened: one verdict a round, charges only to the guilty,
// budgets to the unit, waits as promised.
#include <algorithm>

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {
namespace {

std::string budget_text(const SeenTask& task, const record::Used& used) {
  return task_name(task.id) + " has used " + std::to_string(used.failures) + " failures (retries " +
         std::to_string(task.spec.retries) + "), " + std::to_string(used.crashes) +
         " crashes (at most " + std::to_string(task.spec.crashes_max) + "), " +
         std::to_string(used.interruptions) + " interruptions";
}

bool over_budget(const SeenTask& task, const record::Used& used, const Options& options) {
  return used.failures > task.spec.retries ||
         used.crashes >= std::max<std::uint16_t>(task.spec.crashes_max, 1) ||
         used.interruptions > options.interruptions_max;
}

record::Used charged(record::Used used, Charge charge) {
  used.failures = static_cast<std::uint16_t>(used.failures + (charge == Charge::Failure));
  used.crashes = static_cast<std::uint16_t>(used.crashes + (charge == Charge::Crash));
  used.interruptions =
      static_cast<std::uint16_t>(used.interruptions + (charge == Charge::Interruption));
  return used;
}

// first x 2^(n-1), at most `most`.
Duration doubled(Duration first, std::uint64_t n, Duration most) {
  Duration delay = first;
  for (std::uint64_t i = 1; i < n && delay < most; ++i) delay = delay * 2;
  return std::min(delay, most);
}

bool is_free(EndCause cause) {
  return cause == EndCause::Suspect || cause == EndCause::Recalled || cause == EndCause::Drained ||
         cause == EndCause::NeverStarted || cause == EndCause::Interrupted;
}

}  // namespace

void Oracle::judge_persist(const command::Persist& persist) {
  require_rule(persist.number.value == last_record_.value + 1, "record-order", [&] {
    return "record " + std::to_string(persist.number.value) + " follows " +
           std::to_string(last_record_.value);
  });
  last_record_ = persist.number;
  std::visit([this](const auto& record) { note(record); }, persist.record);
}

std::optional<HeldAttempt> Oracle::take_attempt(SeenTask& task, std::uint16_t attempt,
                                                WorkerId worker) {
  const auto same = [&](const HeldAttempt& held) {
    return held.key.task == task.id && held.key.round == task.round && held.key.attempt == attempt;
  };
  const bool exiting = !dying_.empty() && dead_.id == worker;
  SeenWorker* alive = exiting ? nullptr : find_worker(worker);
  if (!exiting && alive == nullptr) return std::nullopt;
  auto& hand = exiting ? dying_ : alive->hand;
  const auto found = std::ranges::find_if(hand, same);
  if (found == hand.end()) return std::nullopt;
  HeldAttempt taken = *found;
  hand.erase(found);
  if (!exiting) mark_started(*alive);
  if (answered_ != nullptr && answered_->key == taken.key) fresh_answer_ = false;
  if (returned_ == taken.key) returned_.reset();
  return taken;
}

// The key of this task must still be known.
bool Oracle::remembers(const SeenTask& task) const {
  if (task.spec.key->use == KeyUse::Reconnect && task.received) return false;
  if (task.phase < Phase::Settled) return true;
  if (task.phase == Phase::Removed) return false;
  if (task.verdict.verdict == Verdict::Dead) return true;
  const bool roomy = options_.keys_max > 1000;
  const Duration age = now_ - task.settled_at;
  if (task.spec.key->use == KeyUse::Reconnect) {
    const bool dropped = task.verdict.cause == EndCause::Dropped;
    return roomy && !dropped && age < options_.reconnect_age_max;
  }
  return task.verdict.verdict == Verdict::Done && roomy && age < options_.keys_age_max;
}

void Oracle::note(const record::Accepted& record) {
  const auto* submit = event_ == nullptr ? nullptr : std::get_if<event::Submit>(event_);
  require_rule(submit != nullptr && submit->spec.payload_bytes == record.spec.payload_bytes &&
                   submit->spec.type == record.spec.type && submit->spec.key == record.spec.key,
               "accept-matches", [&] { return task_name(record.task) + " was not submitted"; });
  require_rule(!draining_ && !stopping_ && accepting_, "refuses-when-closed",
               [&] { return task_name(record.task) + " was taken though the pool takes nothing"; });
  require_rule(unsettled_.size() < options_.tasks_max, "bounds",
               [&] { return task_name(record.task) + " is one more than tasks_max"; });
  SeenTask task{.id = record.task, .spec = record.spec, .round_at = record.at};
  task.accepted_at = record.at;
  task.eligible_at = record.eligible_at;
  task.waiting_since = now_;
  task.gate = last_record_;
  task.owner = task.submitter = submit->client;
  const bool dated = record.spec.run_at.ns != 0;
  require_rule(record.at == now_ && (dated || record.eligible_at == now_ + record.spec.delay),
               "eligible", [&] { return task_name(task.id) + " has wrong times"; });
  if (record.spec.key) {
    const auto known = keys_.find(record.spec.key->high);
    require_rule(known == keys_.end() || !remembers(tasks_[known->second]), "keys", [&] {
      return task_name(task.id) + " has the key of " + task_name(tasks_[known->second].id);
    });
    keys_[record.spec.key->high] = static_cast<std::uint32_t>(tasks_.size());
  }
  submit_answered_ = true;
  accept_gates_.emplace_back(last_record_, static_cast<std::uint32_t>(tasks_.size()));
  add_task(std::move(task));
  ++seen_.accepted;
}

void Oracle::note(const record::Started& record) {
  const SeenTask& task = task_of(record.task);
  require_rule(
      task.phase == Phase::Running && task.round == record.round && task.attempt == record.attempt,
      "record-matches", [&] { return "no such start: " + task_name(record.task); });
}

void Oracle::judge_charge(SeenTask& task, const HeldAttempt* attempt, EndCause cause, Charge charge,
                          const record::Used& used) {
  require_rule(used == charged(task.used, charge), "used-adds",
               [&] { return budget_text(task, used) + ", which is not one more than before"; });
  const bool dying = event_ != nullptr && std::holds_alternative<event::WorkerExited>(*event_);
  const bool timed_out =
      attempt != nullptr && (attempt->cancel_ordered ||
                             (attempt->started && now_ >= attempt->started_at + attempt->timeout));
  const bool sure = attempt != nullptr && (dying_count_ == 1 || attempt->alone);
  const auto innocent = [&](bool guilty) {
    require_rule(guilty, "innocent", [&] {
      return task_name(task.id) + " was charged a " + std::string(name_of(charge)) + " for " +
             std::string(name_of(cause));
    });
  };
  if (charge == Charge::Crash) {
    innocent(dying && sure && !(attempt->cancel_ordered) && dead_.end_cause != ExitCause::Shutdown);
    ++seen_.crashes;
  } else if (charge == Charge::Failure) {
    const bool failed = answered_ != nullptr && attempt != nullptr &&
                        answered_->key == attempt->key && answered_->outcome != Outcome::Done &&
                        answered_->outcome != Outcome::Held;
    innocent(failed || timed_out);
    ++seen_.failures;
  } else if (charge == Charge::Interruption) {
    innocent(replaying_ && task.phase == Phase::Running);
    ++seen_.interruptions;
  } else if (dying && sure && !timed_out && !task.cancel_asked && !task.dropped && !dead_.retired &&
             !stopping_) {
    violate("guilty", task_name(task.id) + " was alone on a worker that died, and not charged");
  }
  task.used = used;
}

// At a death with several in hand: all that may have been begun are suspects, and nobody is spared
// by a hint twice.
void Oracle::judge_blame(SeenTask& task, const HeldAttempt* attempt, EndCause cause) const {
  const bool dying = event_ != nullptr && std::holds_alternative<event::WorkerExited>(*event_);
  const bool blames = dying && !dying_by_order_ && dead_.end_cause != ExitCause::Shutdown;
  if (!blames || dying_count_ < 2 || attempt == nullptr) return;
  const bool spared = attempt->behind && !task.spared;
  require_rule(cause == (spared ? EndCause::NeverStarted : EndCause::Suspect), "blame", [&] {
    return task_name(task.id) + " ended as " + std::string(name_of(cause)) +
           (attempt->behind ? ", behind what its worker was in" : ", which may have been begun") +
           (task.spared ? ", spared before" : "");
  });
  task.spared = task.spared || spared;
}

void Oracle::judge_backoff(const SeenTask& task, const record::Ended& record) const {
  const Duration wait = record.eligible_at - record.at;
  Duration longest{};
  if (record.cause == EndCause::RetryAfter) {
    require_rule(answered_ != nullptr && wait == answered_->retry_after, "backoff",
                 [&] { return task_name(task.id) + " does not wait as its handler asked"; });
    return;
  }
  if (record.charge == Charge::Failure) {
    longest = doubled(options_.backoff_first, record.used.failures, options_.backoff_max);
  } else if (record.charge == Charge::Crash && record.used.crashes >= 2) {
    longest = doubled(options_.backoff_first, record.used.crashes - 1U, options_.backoff_max);
  } else if (record.charge != Charge::Crash) {
    return;
  }
  require_rule(wait <= longest && wait >= longest / 4 * 3, "backoff", [&] {
    return task_name(task.id) + " waits " + std::to_string(wait.ns / 1000) + " us, not within " +
           std::to_string(longest.ns * 3 / 4 / 1000) + " and " + std::to_string(longest.ns / 1000);
  });
}

void Oracle::note(const record::Ended& record) {
  SeenTask& task = task_of(record.task);
  require_rule(
      task.phase == Phase::Running && task.round == record.round && task.attempt == record.attempt,
      "record-matches", [&] { return "no such run: " + task_name(record.task); });
  const auto attempt = take_attempt(task, record.attempt, record.worker);
  require_rule(attempt.has_value() || replaying_, "record-matches",
               [&] { return task_name(task.id) + " ended on a worker that does not have it"; });
  require_rule(!(task.cancel_asked || task.dropped) || is_free(record.cause), "cancel-holds",
               [&] { return task_name(task.id) + " goes on though it was cancelled"; });
  const HeldAttempt* run = attempt ? &*attempt : nullptr;
  judge_charge(task, run, record.cause, record.charge, record.used);
  judge_blame(task, run, record.cause);
  judge_backoff(task, record);
  require_rule(!over_budget(task, record.used, options_), "budget-late",
               [&] { return budget_text(task, record.used) + " and goes on"; });
  require_rule(record.cause != EndCause::Suspect || record.suspect, "suspect",
               [&] { return task_name(task.id) + " does not run alone next"; });
  if (is_free(record.cause)) {
    require_rule(record.charge == Charge::Nothing || replaying_, "innocent",
                 [&] { return task_name(task.id) + " was charged for a free end"; });
    ++task.free_ends;
    task.returned = true;
    if (!replaying_) {
      const bool dated = task.spec.run_at.ns != 0;
      require_rule(dated || record.eligible_at == task.eligible_at, "old-key",
                   [&] { return task_name(task.id) + " came back with another key"; });
    }
  }
  if (record.charge != Charge::Nothing || !is_free(record.cause)) task.gate = last_record_;
  task.life_ends += record.held || record.cause == EndCause::RetryAfter;
  task.eligible_at = record.eligible_at;
  task.suspect = record.suspect;
  task.revived = false;
  task.waiting_since = now_;
  task.phase = record.held ? Phase::Held : Phase::Waiting;
}

void Oracle::judge_verdict(const SeenTask& task, const HeldAttempt* attempt,
                           const record::Settled& record) const {
  bool earned = false;
  const bool answers = answered_ != nullptr && attempt != nullptr && answered_->key == attempt->key;
  switch (record.verdict) {
    case Verdict::Done:
      earned = answers && answered_->outcome == Outcome::Done;
      break;
    case Verdict::Dead:
      earned = over_budget(task, record.used, options_) ||
               (answers && answered_->outcome == Outcome::FailedForGood);
      break;
    case Verdict::Cancelled:
      earned = task.cancel_asked || task.dropped || (task.spec.cancel_on_disconnect && !task.owner);
      break;
    case Verdict::Expired:
      earned = (task.spec.deadline.ns > 0 && now_ >= task.round_at + task.spec.deadline) ||
               (task.spec.expiry.ns > 0 && now_ >= task.round_at + task.spec.expiry);
      break;
    case Verdict::Skipped:
      break;
  }
  require_rule(earned, "verdict-earned", [&] {
    return task_name(task.id) + " settled as " + std::string(name_of(record.verdict)) + " (" +
           std::string(name_of(record.cause)) + ") without reason; " +
           budget_text(task, record.used);
  });
  const bool done = answers && answered_->outcome == Outcome::Done;
  require_rule(!done || record.verdict == Verdict::Done, "done-is-done",
               [&] { return task_name(task.id) + " was done and settled otherwise"; });
}

void Oracle::note(const record::Settled& record) {
  SeenTask& task = task_of(record.task);
  require_rule(task.phase < Phase::Settled && task.round == record.round, "one-verdict",
               [&] { return task_name(record.task) + " settled twice in one round"; });
  require_rule(task.attempt == record.attempt, "record-matches",
               [&] { return task_name(task.id) + " settled with another attempt"; });
  std::optional<HeldAttempt> attempt;
  if (task.phase == Phase::Running) attempt = take_attempt(task, record.attempt, record.worker);
  require_rule(task.phase != Phase::Running || attempt || replaying_, "record-matches",
               [&] { return task_name(task.id) + " settled on a worker that does not have it"; });
  const HeldAttempt* run = attempt ? &*attempt : nullptr;
  judge_charge(task, run, record.cause, record.charge, record.used);
  judge_verdict(task, run, record);
  const bool late =
      record.verdict == Verdict::Expired && record.cause == EndCause::Deadline && !run;
  if (late) judge_due(task.round_at + task.spec.deadline, "deadline of a waiting task");
  task.phase = Phase::Settled;
  task.verdict = record;
  task.settle_record = last_record_;
  task.announced = false;
  ++unannounced_;
  task.settled_at = now_;
  drop_unsettled(index_of(task.id) - 1);
  ++seen_.settled[static_cast<std::size_t>(record.verdict)];
  dead_letters_ += record.verdict == Verdict::Dead;
  if (!keeps_key(task, record)) settle_forget_key(task);
}

void Oracle::note(const record::Revived& record) {
  SeenTask& task = task_of(record.task);
  require_rule(task.phase == Phase::Settled && task.verdict.verdict == Verdict::Dead &&
                   record.round == task.round + 1,
               "record-matches", [&] { return "revived without need: " + task_name(record.task); });
  require_rule(event_ != nullptr && std::holds_alternative<event::RetryDead>(*event_),
               "verdict-final", [&] { return task_name(task.id) + " was revived by nobody"; });
  task.round = record.round;
  task.attempt = 0;
  task.used = {};
  task.phase = Phase::Waiting;
  task.round_at = task.waiting_since = now_;
  task.eligible_at = record.eligible_at;
  task.gate = last_record_;
  task.starts = task.free_ends = task.life_ends = 0;
  task.cancel_asked = task.dropped = task.suspect = task.returned = task.spared = false;
  task.revived = true;
  const std::uint32_t index = index_of(task.id) - 1;
  place_[index] = static_cast<std::uint32_t>(unsettled_.size());
  unsettled_.push_back(index);
  ++seen_.accepted;
  --dead_letters_;
}

void Oracle::note(const record::Released& record) {
  SeenTask& task = task_of(record.task);
  require_rule(task.phase == Phase::Held, "record-matches",
               [&] { return "released without need: " + task_name(record.task); });
  task.phase = Phase::Waiting;
  task.eligible_at = record.eligible_at;
  task.waiting_since = now_;
  task.gate = last_record_;
}

void Oracle::note(const record::Removed& record) {
  SeenTask& task = task_of(record.task);
  require_rule(task.phase == Phase::Settled && task.verdict.verdict == Verdict::Dead,
               "record-matches", [&] { return "removed, not dead: " + task_name(record.task); });
  const bool asked = event_ != nullptr && std::holds_alternative<event::RemoveDead>(*event_);
  const bool bound = dead_letters_ > options_.dead_max || options_.dead_max <= 5 ||
                     now_ - task.settled_at >= options_.dead_age_max;
  require_rule(record.archived ? bound : asked, "dead-kept",
               [&] { return task_name(task.id) + " was removed from the dead letters"; });
  task.phase = Phase::Removed;
  settle_forget_key(task);
  --dead_letters_;
}

void Oracle::note(const record::Paused& record) {
  switch (record.target.scope) {
    case PauseScope::Type: {
      SeenType& type = types_[record.target.type.value];
      type.paused = record.paused;
      type.changed_at = now_;
      type.reopened = true;
      return;
    }
    case PauseScope::Class:
      classes_[record.target.worker_class.value].paused = record.paused;
      return;
    case PauseScope::Pool:
      paused_ = record.paused;
      return;
  }
}

}  // namespace warmpool::sim
