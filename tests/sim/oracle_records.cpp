// What is written down must be what happened: one verdict a round, charges only to the guilty,
// budgets to the unit, waits as promised.
#include <algorithm>

#include "tests/sim/oracle_bound.hpp"
#include "tests/sim/oracle_breaker.hpp"
#include "tests/sim/oracle_checkpoints.hpp"
#include "tests/sim/oracle_memory.hpp"
#include "tests/sim/oracle_recovery.hpp"
#include "tests/sim/oracle_task_memory.hpp"

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

// It was done, and its result was refused for want of room.
bool found_no_room(const event::AttemptAnswered* answered, const HeldAttempt* attempt) {
  return attempt != nullptr && answered != nullptr && answered->key == attempt->key &&
         answered->no_room;
}

bool ends_free(EndCause cause) {
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
  if (const auto* kept = std::get_if<record::Kept>(&persist.record)) {
    const auto* submit = event_ == nullptr ? nullptr : std::get_if<event::Submit>(event_);
    require_rule(submit != nullptr && !submit->spec.cancel_on_disconnect, "kept",
                 [&] { return task_name(kept->task) + " was taken back by nobody"; });
    return;
  }
  if (const auto* saved = std::get_if<record::Checkpointed>(&persist.record)) {
    return CheckpointWatch{*this}.judge(*saved);
  }
  std::visit(
      [this](const auto& record) {
        using Kind = std::remove_cvref_t<decltype(record)>;
        constexpr bool apart =
            std::is_same_v<Kind, record::Kept> || std::is_same_v<Kind, record::Checkpointed>;
        if constexpr (!apart) note(record);
      },
      persist.record);
}

std::optional<HeldAttempt> Oracle::take_attempt(SeenTask& task, std::uint16_t attempt,
                                                WorkerId worker) {
  const auto same = [&](const HeldAttempt& held) {
    return held.key.task == task.id && held.key.round == task.round && held.key.attempt == attempt;
  };
  const bool exiting = !dying_.empty() && dead_.id == worker;
  SeenWorker* alive = exiting ? nullptr : find_worker(worker);
  ended_on_ = exiting ? &dead_ : alive;
  ended_with_ = exiting ? dying_count_ : alive == nullptr ? 0 : alive->given_up;
  if (!exiting && alive == nullptr) return std::nullopt;
  auto& hand = exiting ? dying_ : alive->hand;
  const auto found = std::ranges::find_if(hand, same);
  if (found == hand.end()) return std::nullopt;
  HeldAttempt taken = *found;
  hand.erase(found);
  TaskMemoryWatch{*this}.left(taken);
  if (!exiting) mark_started(*alive);
  if (answered_ != nullptr && answered_->key == taken.key) fresh_answer_ = false;
  taken.returned = returned_ == taken.key;
  if (taken.returned) returned_.reset();
  return taken;
}

// The request of this step is answered when the record just written is kept.
void Oracle::answer_waits_for(RequestId request) {
  const auto found = open_.find(request.value);
  if (found != open_.end()) requests_[found->second].record = last_record_;
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
  const std::uint64_t bytes = payload_bytes_ + record.spec.payload_bytes;
  require_rule(bytes <= options_.payload_bytes_total_max, "bounds",
               [&] { return task_name(record.task) + " is beyond payload_bytes_total_max"; });
  SeenTask task{.id = record.task, .spec = record.spec, .round_at = record.at};
  task.accepted_at = record.at;
  task.eligible_at = record.eligible_at;
  task.waiting_since = now_;
  task.gate = last_record_;
  task.owner = task.submitter = submit->client;
  const Instant date = Instant{record.spec.run_at.ns} - wall_offset_;
  const Instant eligible_at = record.spec.run_at.ns != 0
                                  ? std::clamp(date, now_, now_ + kDurationMax)
                                  : now_ + record.spec.delay;
  require_rule(record.at == now_ && record.eligible_at == eligible_at, "eligible",
               [&] { return task_name(task.id) + " has wrong times"; });
  if (record.spec.key) {
    const auto* known = task_with(*record.spec.key);
    require_rule(known == nullptr, "keys", [&] {
      return task_name(task.id) + " has the key of " + task_name(tasks_[*known].id);
    });
    keys_[record.spec.key->high].push_back(static_cast<std::uint32_t>(tasks_.size()));
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
  const auto expected = MemoryWatch::counted(charged(task.used, charge), cause, charge);
  require_rule(used == expected, "used-adds",
               [&] { return budget_text(task, used) + ", which is not one more than before"; });
  const bool dying = attempt != nullptr && ended_with_ != 0;
  const bool timed_out =
      attempt != nullptr && (attempt->cancel_ordered ||
                             (attempt->started && now_ >= attempt->started_at + attempt->timeout));
  const bool sure = dying && (ended_with_ == 1 || attempt->alone);
  const auto innocent = [&](bool guilty) {
    require_rule(guilty, "innocent", [&] {
      return task_name(task.id) + " was charged a " + std::string(name_of(charge)) + " for " +
             std::string(name_of(cause));
    });
  };
  if (charge == Charge::Crash) {
    const bool hung =
        attempt != nullptr && attempt->cancel_ordered && attempt->cancel_cause == EndCause::Hung;
    const bool memory = answered_ != nullptr && attempt != nullptr &&
                        answered_->key == attempt->key && answered_->out_of_memory &&
                        cause == EndCause::Memory;
    innocent(hung || memory || (sure && !attempt->cancel_ordered && !ended_on_->of_our_order()));
    ++seen_.crashes;
  } else if (charge == Charge::Failure) {
    const bool failed =
        answered_ != nullptr && attempt != nullptr && answered_->key == attempt->key &&
        answered_->outcome != Outcome::Done && answered_->outcome != Outcome::Held &&
        !(answered_->out_of_memory && !attempt->cancel_ordered) && !answered_->no_room;
    innocent(failed || timed_out);
    ++seen_.failures;
  } else if (charge == Charge::Interruption) {
    innocent((replaying_ && task.phase == Phase::Running) || found_no_room(answered_, attempt));
    ++seen_.interruptions;
  } else if (sure && !timed_out && !task.cancel_asked && !task.dropped && !ended_on_->retired &&
             !ended_on_->of_our_order() && !stopping_) {
    violate("guilty", task_name(task.id) + " was alone on a worker that died, and not charged");
  }
  task.used = used;
}

// At a death with several in hand that was not ours: all that may have been begun are suspects, but
// for those that were being ended; and nobody is spared by a hint twice.
void Oracle::judge_blame(SeenTask& task, const HeldAttempt* attempt, EndCause cause) const {
  const bool dying = event_ != nullptr && std::holds_alternative<event::WorkerExited>(*event_);
  const bool blames = dying && !dead_.of_our_order();
  if (!blames || dying_count_ < 2 || attempt == nullptr || attempt->cancel_ordered) return;
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
  } else if (record.charge == Charge::Interruption && !replaying_) {
    longest = doubled(options_.backoff_first, record.used.interruptions, options_.backoff_max);
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
  const HeldAttempt* run = attempt ? &*attempt : nullptr;
  const bool refused = found_no_room(answered_, run), free = ends_free(record.cause) && !refused;
  require_rule(!(task.cancel_asked || task.dropped) || free, "cancel-holds",
               [&] { return task_name(task.id) + " goes on though it was cancelled"; });
  require_rule(!refused || record.charge == Charge::Interruption, "no-room", [&] {
    return task_name(task.id) + " was charged a " + std::string(name_of(record.charge)) +
           " for a result that found no room";
  });
  judge_charge(task, run, record.cause, record.charge, record.used);
  judge_blame(task, run, record.cause);
  judge_backoff(task, record);
  BoundWatch{*this}.judge(task, record);
  if (run != nullptr) BreakerWatch{*this}.ended(*run, record.cause, record.charge);
  if (run != nullptr) TaskMemoryWatch{*this}.ended(*run, record.cause);
  require_rule(!over_budget(task, record.used, options_), "budget-late",
               [&] { return budget_text(task, record.used) + " and goes on"; });
  require_rule(record.cause != EndCause::Suspect || record.suspect, "suspect",
               [&] { return task_name(task.id) + " does not run alone next"; });
  if (free) {
    require_rule(record.charge == Charge::Nothing || replaying_, "innocent",
                 [&] { return task_name(task.id) + " was charged for a free end"; });
    ++task.free_ends;
    require_rule(replaying_ || record.eligible_at == task.eligible_at, "old-key",
                 [&] { return task_name(task.id) + " came back with another key"; });
  } else if (!replaying_) {
    owe(record.held ? Notice::TaskHeld : Notice::TaskFailed);
  }
  const bool ungiven =
      answered_ != nullptr && answered_->ungiven && run != nullptr && !run->started;
  const bool unstarted =
      ungiven || record.cause == EndCause::Recalled || record.cause == EndCause::NeverStarted;
  task.began = task.began || !unstarted;
  task.recalled = record.cause == EndCause::Recalled;
  if (record.charge != Charge::Nothing || !free) task.gate = last_record_;
  task.life_ends += record.held || record.cause == EndCause::RetryAfter || refused;
  task.eligible_at = record.eligible_at;
  task.suspect = record.suspect;
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
      earned = task.cancel_asked || task.dropped || task.withdrawn;
      break;
    case Verdict::Expired:
      earned = record.cause == EndCause::Deadline
                   ? task.spec.deadline.ns > 0 && now_ >= task.round_at + task.spec.deadline
                   : task.spec.expiry.ns > 0 && now_ >= task.round_at + task.spec.expiry &&
                         !task.began && record.cause == EndCause::Expired;
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
  if (run != nullptr) BreakerWatch{*this}.ended(*run, record.cause, record.charge);
  if (run != nullptr) TaskMemoryWatch{*this}.ended(*run, record.cause);
  if (run != nullptr && answered_ != nullptr && answered_->key == run->key) {
    RecoveryWatch{*this}.settled(record);
  }
  if (record.verdict == Verdict::Expired && !run) {
    const bool whole = record.cause == EndCause::Deadline;
    const Instant due = task.round_at + (whole ? task.spec.deadline : task.spec.expiry);
    // It ran until then and was charged: that is kept first, and no Tick could have been sooner.
    const bool ended_late = task.waiting_since >= due && task.gate > kept_at_tick_;
    if (!ended_late) judge_due(due, "an expiry");
  }
  if (record.verdict == Verdict::Cancelled) task.rung = rung_of(run);
  owe_verdict(record.verdict, task.phase == Phase::Running);
  task.phase = Phase::Settled;
  task.verdict = record;
  task.settle_record = last_record_;
  task.announced = false;
  ++unannounced_;
  task.settled_at = now_;
  const std::uint32_t index = index_of(task.id) - 1;
  drop_unsettled(index);
  ++seen_.settled[static_cast<std::size_t>(record.verdict)];
  if (record.verdict == Verdict::Dead) {
    bury(index);
  } else {
    release_key(index, record, now_);
  }
}

// Which step ended an attempt that was told to. What was given back did not run, also where the
// answer crossed a cancel frame.
Rung Oracle::rung_of(const HeldAttempt* attempt) const {
  const bool ran = attempt != nullptr && !attempt->returned;
  if (!ran || !attempt->cancel_ordered) return Rung::NotRunning;
  if (ended_on_->kill_ordered) return Rung::Kill;
  return ended_on_->term_ordered ? Rung::Term : Rung::Frame;
}

void Oracle::owe_verdict(Verdict verdict, bool ran) {
  switch (verdict) {
    case Verdict::Done:
      if (listening_) owe(Notice::TaskCompleted);
      return;
    case Verdict::Dead:
      if (ran && !replaying_) owe(Notice::TaskFailed);
      return owe(Notice::TaskDead);
    case Verdict::Expired:
      return owe(Notice::TaskExpired);
    default:
      return owe(Notice::TaskCancelled);
  }
}

void Oracle::note(const record::Revived& record) {
  SeenTask& task = task_of(record.task);
  require_rule(task.phase == Phase::Settled && task.verdict.verdict == Verdict::Dead &&
                   record.round == task.round + 1,
               "record-matches", [&] { return "revived without need: " + task_name(record.task); });
  const auto* asked = event_ == nullptr ? nullptr : std::get_if<event::RetryDead>(event_);
  require_rule(asked != nullptr && asked->task == task.id, "verdict-final",
               [&] { return task_name(task.id) + " was revived by nobody"; });
  require_rule(asked->payload_bytes == record.payload_bytes, "revive-matches", [&] {
    return task_name(task.id) + " was revived with another payload than asked for";
  });
  const std::uint32_t bytes = record.payload_bytes.value_or(task.spec.payload_bytes);
  require_rule(unsettled_.size() < options_.tasks_max &&
                   payload_bytes_ + bytes <= options_.payload_bytes_total_max,
               "bounds", [&] { return task_name(task.id) + " was revived into a full queue"; });
  const std::uint32_t index = index_of(task.id) - 1;
  unbury(index);
  task.spec.payload_bytes = bytes;
  task.round = record.round;
  task.attempt = 0;
  task.used = {};
  task.phase = Phase::Waiting;
  task.round_at = task.waiting_since = now_;
  task.eligible_at = record.eligible_at;
  task.gate = last_record_;
  task.starts = task.free_ends = task.life_ends = 0;
  task.cancel_asked = task.dropped = task.spared = task.began = task.recalled = false;
  task.bound = kNoClass;
  task.suspect = died_of_crash(task);
  task.spec.cancel_on_disconnect = false;
  task.owner = {};
  add_unsettled(index);
  ++seen_.accepted;
  owe(Notice::TaskRevived);
  answer_waits_for(asked->request);
}

void Oracle::note(const record::Released& record) {
  SeenTask& task = task_of(record.task);
  require_rule(task.phase == Phase::Held, "record-matches",
               [&] { return "released without need: " + task_name(record.task); });
  const auto* asked = event_ == nullptr ? nullptr : std::get_if<event::Release>(event_);
  require_rule(asked != nullptr, "record-matches",
               [&] { return task_name(task.id) + " was released by nobody"; });
  task.phase = Phase::Waiting;
  task.eligible_at = record.eligible_at;
  task.waiting_since = now_;
  task.gate = last_record_;
  answer_waits_for(asked->request);
}

void Oracle::note(const record::Removed& record) {
  SeenTask& task = task_of(record.task);
  require_rule(task.phase == Phase::Settled && task.verdict.verdict == Verdict::Dead,
               "record-matches", [&] { return "removed, not dead: " + task_name(record.task); });
  const auto* asked = event_ == nullptr ? nullptr : std::get_if<event::RemoveDead>(event_);
  require_rule(record.archived || asked != nullptr, "dead-kept",
               [&] { return task_name(task.id) + " was removed by nobody"; });
  if (record.archived) {
    require_rule(archived_ == task.death, "gate-archived",
                 [&] { return task_name(task.id) + " was removed before the archive had it"; });
    archived_ = 0;
    owe(Notice::DeadArchived);
  } else {
    answer_waits_for(asked->request);
  }
  unbury(index_of(task.id) - 1);
  task.phase = Phase::Removed;
  settle_forget_key(task);
}

// A type opened again: its tasks may claim only so much age.
void Oracle::note(const record::Paused& record) {
  switch (record.target.scope) {
    case PauseScope::Type: {
      SeenType& type = types_[record.target.type.value];
      const bool opens = type.paused && !record.paused;
      if (opens) type.floor = std::max(type.floor, now_ - options_.reopen_age_max);
      type.paused = record.paused;
      type.changed_at = now_;
      break;
    }
    case PauseScope::Class:
      classes_[record.target.worker_class.value].paused = record.paused;
      break;
    case PauseScope::Pool:
      paused_ = record.paused;
      break;
  }
  const auto* asked = event_ == nullptr ? nullptr : std::get_if<event::Pause>(event_);
  if (asked == nullptr) return;
  require_rule(!requests_.back().unchanged, "pause-once",
               [] { return std::string("a pause that changed nothing was recorded"); });
  answer_waits_for(asked->request);
}

}  // namespace warmpool::sim
