// One small handler for each event and each command: the oracle's books are kept here and nowhere
// else, the judgements are in the other files.
#include <algorithm>

#include "tests/sim/oracle_breaker.hpp"
#include "tests/sim/oracle_checkpoints.hpp"
#include "tests/sim/oracle_health.hpp"
#include "tests/sim/oracle_liveness.hpp"
#include "tests/sim/oracle_memory.hpp"
#include "tests/sim/oracle_recovery.hpp"
#include "tests/sim/oracle_strangers.hpp"
#include "tests/sim/oracle_task_memory.hpp"

namespace warmpool::sim {
namespace {

Notice notice_of(PauseScope scope, bool paused) {
  if (scope == PauseScope::Type) return paused ? Notice::TypePaused : Notice::TypeResumed;
  if (scope == PauseScope::Class) return paused ? Notice::ClassPaused : Notice::ClassResumed;
  return paused ? Notice::PoolPaused : Notice::PoolResumed;
}

}  // namespace

struct EventWatch {
  Oracle& oracle;

  void operator()(const event::ClassDeclared& e) const {
    SeenClass& known = oracle.classes_[e.worker_class.value];
    const std::uint64_t before = known.declared ? known.target : 0;
    const bool resized = !known.declared || known.options.size != e.options.size;
    RecoveryWatch{oracle}.options_come(e.worker_class, resized);
    if (resized) known.target = e.options.size;
    if (known.target > before) oracle.owe(Notice::PoolScaledUp);
    if (known.target < before) oracle.owe(Notice::PoolScaledDown);
    if (known.target < before) oracle.may_drain(e.worker_class);
    known.declared = true;
    known.declared_at = oracle.now_;
    const bool beats_otherwise = known.options.beatless != e.options.beatless;
    const bool other_strategy = known.options.strategy != e.options.strategy;
    known.options = e.options;
    for (SeenSlot& slot : oracle.slots_) {
      SeenWorker& worker = slot.worker;
      if (!slot.used || slot.worker_class != e.worker_class) continue;
      grant(worker, e.options);
      worker.beatless = e.options.beatless;
      if (beats_otherwise) oracle.heard(worker.id);
      if (other_strategy) worker.turn = worker.free_from = 0;
    }
    MemoryWatch{oracle}.options_come(e.worker_class);
  }
  void operator()(const event::TypeDeclared& e) const {
    oracle.types_[e.type.value].classes.assign(e.classes.begin(), e.classes.begin() + e.count);
    oracle.types_[e.type.value].changed_at = oracle.now_;
  }
  void operator()(const event::TypeConfigured& e) const {
    BreakerWatch{oracle}.configured(e);
    TaskMemoryWatch{oracle}.configured(e);
  }
  void operator()(const event::SetBreaker& e) const { BreakerWatch{oracle}.set(e); }
  void operator()(const event::OptionsChanged& e) const {
    oracle.options_ = e.options;
    oracle.options_at_ = oracle.now_;
    TaskMemoryWatch{oracle}.options_come();
  }
  void operator()(const event::Submit& e) const {
    oracle.ask({.client = e.client, .request = e.request, .asked = Asked::Submit, .spec = e.spec});
    const auto* known = e.spec.key ? oracle.task_with(*e.spec.key) : nullptr;
    if (known == nullptr) return;
    SeenTask& task = oracle.tasks_[*known];
    const bool keeps = task.spec.cancel_on_disconnect && !e.spec.cancel_on_disconnect;
    const bool waits = oracle.kept_record_ != oracle.last_record_ || keeps;
    if (!oracle.accepting_ && waits) return;  // it is refused
    const bool dead = task.phase == Phase::Settled && task.verdict.verdict == Verdict::Dead;
    if ((task.phase >= Phase::Settled && !dead) || task.spec.key != e.spec.key) return;
    task.owner = e.client;
    task.spec.cancel_on_disconnect = e.spec.cancel_on_disconnect;
    task.kept = task.kept && !e.spec.cancel_on_disconnect;
  }
  void operator()(const event::Cancel& e) const {
    ask(e.client, e.request, e.task, Asked::Cancel);
    SeenTask* task = oracle.find_task(e.task);
    if (task != nullptr && task->phase < Phase::Settled) task->cancel_asked = true;
  }
  void operator()(const event::ClientGone& e) const { oracle.client_gone(e.client); }
  void operator()(const event::RetryDead& e) const {
    ask(e.client, e.request, e.task, Asked::RetryDead);
    oracle.requests_.back().payload_bytes = e.payload_bytes;
  }
  void operator()(const event::RemoveDead& e) const {
    ask(e.client, e.request, e.task, Asked::RemoveDead);
  }
  void operator()(const event::Release& e) const {
    ask(e.client, e.request, e.task, Asked::Release);
  }
  void operator()(const event::Scale& e) const {
    ask(e.client, e.request, TaskId{e.worker_class.value}, Asked::Scale);
    for (SeenSlot& slot : oracle.slots_) {
      if (slot.worker_class == e.worker_class && !slot.worker.live) slot.deaths_least = 0;
    }
  }
  void operator()(const event::Restart& e) const {
    ask(e.client, e.request, {}, Asked::Restart);
    RecoveryWatch{oracle}.restart_comes(e);
    oracle.restart_comes(e);
  }
  void operator()(const event::Received& e) const {
    SeenTask* task = oracle.find_task(e.task);
    if (task != nullptr) oracle.receive(*task);
  }
  void operator()(const event::Pause& e) const {
    ask(e.client, e.request, {}, Asked::Pause);
    if (paused(e.target) != e.paused) return oracle.owe(notice_of(e.target.scope, e.paused));
    SeenRequest& asked = oracle.requests_.back();
    asked.unchanged = true;
    asked.record = oracle.last_record_;
  }
  void operator()(const event::Drain& e) const {
    ask(e.client, e.request, {}, Asked::Drain);
    if (oracle.stopping_) return;
    oracle.draining_ = e.on;
    if (e.on) oracle.owe(Notice::PoolDraining);
  }
  void operator()(const event::Stop& e) const {
    if (e.client) ask(e.client, e.request, {}, Asked::Stop);
    if (!oracle.stopping_) oracle.stop_at_ = oracle.now_;
    if (!oracle.stopping_) CheckpointWatch{oracle}.all_drain();
    oracle.stopping_ = true;
    oracle.orphans_until_ = kNever;
    oracle.stop_now_ = oracle.stop_now_ || e.now;
  }
  void operator()(const event::WorkerReady& e) const {
    SeenWorker& worker = oracle.worker_of(e.worker, "world");
    const ClassOptions& options = oracle.classes_[worker.worker_class.value].options;
    if (!worker.term_ordered && !worker.kill_ordered && !worker.broken) {
      oracle.owe(Notice::WorkerReady);
      if (worker.recovers) oracle.owe(Notice::RecoverySucceeded);
    }
    worker.ready = true;
    worker.recall = e.recall;
    worker.checkpoints = e.checkpoints;
    worker.offered = e.credits;
    worker.concurrency = std::min<std::uint64_t>(e.credits, options.concurrency);
    grant(worker, options);
    worker.ready_at = worker.heard_at = worker.empty_since = oracle.now_;
    oracle.successor_ready(oracle.slot_of(e.worker));
  }
  void operator()(const event::WorkerBeat& e) const { oracle.heard(e.worker); }
  void operator()(const event::WorkerStopped& e) const {
    SeenWorker& worker = oracle.worker_of(e.worker, "world");
    worker.stopped = e.stopped;
    worker.stopped_at = oracle.now_;
  }
  void operator()(const event::WorkerSampled& e) const { MemoryWatch{oracle}.comes(e); }
  void operator()(const event::WorkerMeasured&) const {}
  void operator()(const event::WorkerChecked& e) const { HealthWatch{oracle}.checked(e); }
  void operator()(const event::WorkerPrepares& e) const {
    SeenWorker* worker = oracle.find_worker(e.worker);
    if (worker == nullptr) return;
    worker->prepares = !e.over;
    if (e.over) worker->spawned_at = oracle.now_;
  }
  void operator()(const event::WorkerFlagged& e) const { HealthWatch{oracle}.flagged(e); }
  void operator()(const event::WorkerObserved& e) const { LivenessWatch{oracle}.observed(e); }
  void operator()(const event::WorkerBroken& e) const {
    SeenWorker& worker = oracle.worker_of(e.worker, "world");
    worker.broken = true;
    worker.broken_at = oracle.now_;
  }
  void operator()(const event::WorkerExited& e) const { oracle.exit_comes(e); }
  void operator()(const event::AttemptAnswered& e) const {
    if (!e.ungiven) HealthWatch{oracle}.ran(e);
    oracle.answer_comes(e);
    if (!oracle.stale_answer_) oracle.heard(e.worker);
  }
  void operator()(const event::AttemptProgressed& e) const {
    SeenWorker* worker = oracle.find_worker(e.worker);
    const bool in_hand =
        worker != nullptr &&
        std::ranges::find(worker->hand, e.key, &HeldAttempt::key) != worker->hand.end();
    if (in_hand) oracle.heard(e.worker);
    if (in_hand) std::ranges::find(worker->hand, e.key, &HeldAttempt::key)->moves(oracle.now_);
    if (in_hand && oracle.listening_) oracle.owe(Notice::TaskProgress);
    if (!in_hand) refuse_result();
  }
  void operator()(const event::AttemptCheckpointed& e) const { CheckpointWatch{oracle}.comes(e); }
  void operator()(const event::RecallAnswered& e) const {
    SeenWorker* worker = oracle.find_worker(e.worker);
    if (worker == nullptr) return;
    const auto found = std::ranges::find(worker->hand, e.key, &HeldAttempt::key);
    if (found == worker->hand.end()) return;
    oracle.heard(e.worker);
    if (!found->recall_ordered) {
      if (e.returned) refuse_result();  // nobody had asked for it
      return;
    }
    oracle.seen_.recalls += e.returned;
    if (e.returned) {
      oracle.returned_ = e.key;
    } else {
      found->recall_ordered = false;
      oracle.mark_started(*found);
    }
  }
  void operator()(const event::Persisted& e) const { oracle.records_kept(e.through); }
  void operator()(const event::Archived& e) const { oracle.archive_answers(e); }
  void operator()(const event::StoreState& e) const {
    oracle.accepting_ = e.accepting;
    if (!e.accepting && e.undone) oracle.withdrawal_comes();
  }
  void operator()(const event::WallStepped& e) const {
    oracle.wall_offset_ = Duration{e.wall.ns - oracle.now_.ns};
    for (std::uint32_t index : oracle.unsettled_) {
      SeenTask& task = oracle.tasks_[index];
      const bool waits = task.phase == Phase::Waiting && task.round == 1 && task.attempt == 0;
      const bool due =
          task.accept_kept && task.eligible_at <= std::max(task.kept_at, oracle.previous_tick_);
      if (task.spec.run_at.ns == 0 || !waits || due) continue;
      const Instant date = Instant{task.spec.run_at.ns} - oracle.wall_offset_;
      task.eligible_at = std::clamp(date, oracle.now_, oracle.now_ + kDurationMax);
    }
  }
  void operator()(const event::WorkerRegistered& e) const { StrangerWatch{oracle}.comes(e); }
  void operator()(const event::WorkerLeaving& e) const { StrangerWatch{oracle}.leaves(e); }
  void operator()(const event::Outlived& e) const { StrangerWatch{oracle}.outlived(e); }
  void operator()(const event::Listen& e) const { oracle.listening_ = e.to_tasks; }
  void operator()(const event::LoopLate&) const {
    if (oracle.orphans_until_ == kNever) return;
    oracle.orphans_until_ = oracle.now_ + oracle.options_.reconnect_grace;
  }
  void operator()(const event::Tick&) const {
    BreakerWatch{oracle}.tick();
    oracle.expire_keys();
    oracle.give_up_due();
    const bool late = oracle.core_promised_ != kNever &&
                      oracle.now_ > oracle.core_promised_ + oracle.options_.heartbeat_interval;
    if (late && oracle.orphans_until_ != kNever) {
      oracle.orphans_until_ = oracle.now_ + oracle.options_.reconnect_grace;
    }
    if (oracle.now_ >= oracle.orphans_until_) drop_orphans();
  }

  void drop_orphans() const {
    oracle.judge_due(oracle.orphans_until_, "giving up tasks whose clients stay away");
    oracle.orphans_until_ = kNever;
    for (std::uint32_t index : oracle.unsettled_) {
      SeenTask& task = oracle.tasks_[index];
      if (task.owner || !task.spec.cancel_on_disconnect) continue;
      task.dropped = true;
      oracle.orphans_due_.push_back(index);
    }
  }

  void grant(SeenWorker& worker, const ClassOptions& options) const {
    const auto most = std::max<std::uint64_t>(credits_of(options), worker.concurrency);
    worker.credits = static_cast<std::uint8_t>(std::min<std::uint64_t>(worker.offered, most));
  }
  bool paused(const PauseTarget& target) const {
    if (target.scope == PauseScope::Type) return oracle.types_[target.type.value].paused;
    if (target.scope == PauseScope::Pool) return oracle.paused_;
    return oracle.classes_[target.worker_class.value].paused;
  }
  void refuse_result() const {
    ++oracle.seen_.refused_results;
    oracle.owe(Notice::ResultRefused);
  }

  void ask(ClientId client, RequestId request, TaskId task, Asked asked) const {
    oracle.ask({.client = client, .request = request, .asked = asked, .spec = {}, .task = task});
  }
};

struct CommandWatch {
  Oracle& oracle;

  void operator()(const command::Accepted& c) const { oracle.judge_accepted(c); }
  void operator()(const command::Refused& c) const {
    const SeenRequest& request = oracle.answer(c.client, c.request);
    oracle.seen_.refused_submits += request.asked == Asked::Submit;
    oracle.submit_answered_ = true;
    oracle.judge_refusal(c, request);
  }
  void operator()(const command::Cancelled& c) const {
    const SeenRequest& request = oracle.answer(c.client, c.request);
    const SeenTask& task = oracle.task_of(c.task);
    const bool settled = task.phase == Phase::Settled && task.verdict.verdict == Verdict::Cancelled;
    const bool kept = task.settle_record <= oracle.kept_record_;
    const bool slow = oracle.now_ >= task.settled_at + seconds(1);
    require_rule(request.asked == Asked::Cancel && settled && (kept || slow || !oracle.accepting_),
                 "gate-cancelled", [&] {
                   return task_name(c.task) + " was said to be cancelled before that was kept";
                 });
    if (!kept && oracle.accepting_) oracle.judge_due(task.settled_at + seconds(1), "an answer");
    require_rule(c.kept == kept, "gate-cancelled", [&] {
      return "of the cancel of " + task_name(c.task) + " it was said that it is " +
             (c.kept ? "kept" : "not kept");
    });
    require_rule(c.rung == task.rung, "rung", [&] {
      return task_name(c.task) + " was ended by " + std::string(name_of(task.rung)) +
             " and said to be by " + std::string(name_of(c.rung));
    });
  }
  void operator()(const command::Completed& c) const { oracle.judge_completed(c); }
  void operator()(const command::Spawn& c) const { oracle.judge_spawn(c); }
  void operator()(const command::Assign& c) const { oracle.judge_assign(c); }
  void operator()(const command::CancelAttempt& c) const { oracle.judge_cancel(c); }
  void operator()(const command::Recall& c) const { oracle.judge_recall(c); }
  void operator()(const command::AskCheckpoint& c) const { CheckpointWatch{oracle}.judge(c); }
  void operator()(const command::Retire& c) const { oracle.judge_retire(c); }
  void operator()(const command::EndWorker& c) const { oracle.judge_end(c); }
  void operator()(const command::Persist& c) const { oracle.judge_persist(c); }
  void operator()(const command::Archive& c) const { oracle.judge_archive(c); }
  void operator()(const command::Announce& c) const { oracle.judge_announce(c); }
  void operator()(const command::Notify& c) const { oracle.note_notice(c.notification); }
  void operator()(const command::Admit& c) const { StrangerWatch{oracle}.judge(c); }
  void operator()(const command::TurnAway& c) const { StrangerWatch{oracle}.judge(c); }
  void operator()(const command::Disown& c) const { StrangerWatch{oracle}.judge(c); }
  void operator()(const command::Finished& c) const {
    require_rule(oracle.stopping_ && !oracle.finished_, "stop-finishes-once",
                 [] { return std::string("Finished unasked or twice"); });
    oracle.finished_ = true;
    oracle.lost_ = c.lost;
    oracle.owe(Notice::PoolShutdown);
  }
};

void Oracle::before(Instant now, const Event& event) {
  now_ = now;
  event_ = &event;
  answered_ = nullptr;
  submit_answered_ = false;
  dying_.clear();
  dying_count_ = 0;
  std::visit(EventWatch{*this}, event);
}

void Oracle::command(const Command& command) {
  ++commands_of_turn_;
  std::visit(CommandWatch{*this}, command);
}

void Oracle::records_kept(RecordNumber through) {
  require_rule(through <= last_record_ && through >= kept_record_, "world",
               [] { return std::string("the disk kept what it was not given"); });
  kept_record_ = through;
  while (first_gate_ < accept_gates_.size() && accept_gates_[first_gate_].first <= through) {
    SeenTask& task = tasks_[accept_gates_[first_gate_].second];
    task.accept_kept = true;
    task.kept_at = now_;
    if (listening_) owe(Notice::TaskSubmitted);
    ++first_gate_;
  }
}

// Rebuilds a task as the records say; used when a new life of the daemon begins.
struct RecordWatch {
  Oracle& oracle;

  void operator()(const record::Accepted& r) const {
    SeenTask* known = oracle.find_task(r.task);
    if (known == nullptr) violate("world", "the disk has a task that was never accepted");
    known->round = 1;
    known->round_at = r.at;
    known->spec.payload_bytes = r.spec.payload_bytes;
    renew(*known, r.eligible_at);
    if (r.spec.run_at.ns != 0) {
      const Instant date = Instant{r.spec.run_at.ns} - oracle.wall_offset_;
      known->eligible_at = std::clamp(date, r.at, oracle.now_ + kDurationMax);
    }
    known->accept_kept = true;
    known->kept_at = oracle.now_;
    known->vanished = false;
    known->owner = {};
    known->spec.cancel_on_disconnect = r.spec.cancel_on_disconnect;
    ++oracle.seen_.accepted;
    if (r.spec.key) oracle.keys_[r.spec.key->high].push_back(oracle.index_of(r.task) - 1);
  }
  void operator()(const record::Started& r) const {
    SeenTask& task = oracle.task_of(r.task);
    if (task.vanished || task.phase != Phase::Waiting || task.round != r.round) return;
    task.attempt = r.attempt;
    task.phase = Phase::Running;
  }
  void operator()(const record::Ended& r) const {
    SeenTask& task = oracle.task_of(r.task);
    if (task.vanished) return;
    task.attempt = r.attempt;
    task.used = r.used;
    task.eligible_at = r.eligible_at;
    task.suspect = r.suspect;
    task.bound = r.bound;
    task.spared = task.spared || r.cause == EndCause::NeverStarted;
    task.began = task.began || (r.cause != EndCause::Recalled && r.cause != EndCause::NeverStarted);
    task.phase = r.held ? Phase::Held : Phase::Waiting;
  }
  void operator()(const record::Settled& r) const {
    SeenTask& task = oracle.task_of(r.task);
    if (task.vanished) return;
    const std::uint32_t index = oracle.index_of(r.task) - 1;
    task.phase = Phase::Settled;
    task.verdict = r;
    task.attempt = r.attempt;
    task.used = r.used;
    task.settle_record = {};
    task.announced = true;  // whoever waits is told by the store
    task.settled_at = r.at;
    oracle.drop_unsettled(index);
    ++oracle.seen_.settled[static_cast<std::size_t>(r.verdict)];
    if (r.verdict == Verdict::Dead) {
      oracle.bury(index);
    } else {
      oracle.release_key(index, r, r.at);
    }
  }
  void operator()(const record::Revived& r) const {
    SeenTask& task = oracle.task_of(r.task);
    if (task.vanished) return;
    oracle.unbury(oracle.index_of(r.task) - 1);
    task.round = r.round;
    task.round_at = r.at;
    task.spec.cancel_on_disconnect = false;
    task.spec.payload_bytes = r.payload_bytes.value_or(task.spec.payload_bytes);
    renew(task, r.eligible_at);
    task.suspect = died_of_crash(task);
    ++oracle.seen_.accepted;
  }
  void operator()(const record::Released& r) const {
    SeenTask& task = oracle.task_of(r.task);
    if (task.vanished) return;
    task.phase = Phase::Waiting;
    task.eligible_at = r.eligible_at;
  }
  void operator()(const record::Removed& r) const {
    SeenTask& task = oracle.task_of(r.task);
    if (task.vanished) return;
    oracle.unbury(oracle.index_of(r.task) - 1);
    task.phase = Phase::Removed;
    oracle.settle_forget_key(task);
  }
  void operator()(const record::Paused& r) const { oracle.note(r); }
  void operator()(const record::Checkpointed&) const {}
  void operator()(const record::Kept& r) const {
    oracle.task_of(r.task).spec.cancel_on_disconnect = false;
  }

  void renew(SeenTask& task, Instant eligible_at) const {
    task.phase = Phase::Waiting;
    task.attempt = 0;
    task.used = {};
    task.eligible_at = eligible_at;
    task.waiting_since = oracle.now_;
    task.gate = {};
    task.bound = kNoClass;
    task.suspect = task.spared = task.began = task.recalled = false;
    oracle.add_unsettled(oracle.index_of(task.id) - 1);
  }
};

void Oracle::replay(const Record& record) { std::visit(RecordWatch{*this}, record); }

void Oracle::start_replay() {
  replaying_ = true;
  orphans_until_ = core_promised_ = kNever;
  orphans_due_.clear();
  event_ = nullptr;
  renew_keys();
  expire_keys();
  for (SeenTask& task : tasks_) {
    const bool durable = task.spec.durability != Durability::None;
    require_rule(!(task.vanished && task.promised && durable), "promise",
                 [&] { return "acknowledged and lost: " + task_name(task.id); });
    const bool drops = task.phase < Phase::Settled && task.spec.cancel_on_disconnect;
    require_rule(task.vanished || !task.kept || !drops || !durable, "kept", [&] {
      return "taken back for good and still to be dropped: " + task_name(task.id);
    });
    if (drops && !task.vanished) orphans_until_ = now_ + options_.reconnect_grace;
  }
}

void Oracle::after_replay(const Pool& pool) {
  for (std::uint32_t index : unsettled_) {
    require_rule(tasks_[index].phase != Phase::Running, "replay-closes", [&] {
      return task_name(tasks_[index].id) + " still runs on a worker of an earlier life";
    });
  }
  judge_notices();
  replaying_ = false;
  judge_counters(pool);
  judge_balance(pool);
}

}  // namespace warmpool::sim
