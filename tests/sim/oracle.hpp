// Judges the core from outside. Told every event before the core takes it and every command after;
// throws a Violation with the name of the rule that was broken. Each check is in the file of its
// subject: records, replies, workers, ticks, life.
#pragma once

#include "pool/pool.hpp"
#include "tests/sim/books.hpp"
#include "tests/sim/violation.hpp"

namespace warmpool::sim {

class Oracle : protected Books {
 public:
  explicit Oracle(const Scenario& scenario);
  // Order: begin_turn, then for each event: before, command for each command, after; then
  // after_tick.
  void begin_turn(Instant now, Instant promised, Duration late);
  void before(Instant now, const Event& event);
  void command(const Command& command);
  void after(const Pool& pool);
  void after_tick(const Pool& pool, Instant promised);
  // Order: before the declarations of each life.
  void life_begins(Instant now, WallTime wall);
  // The daemon died. Order: daemon_died, the declarations of the new life, replay for each record
  // that its store kept, start_replay, each command of finish_replay, after_replay.
  void daemon_died(Instant now);
  void replay(const Record& record);
  void start_replay();
  void after_replay(const Pool& pool);

  // At the end of the liveness phase, when nothing is left to do.
  void check_settled(const Pool& pool) const;
  void check_stopped(Instant asked, Instant now, std::uint64_t lost) const;
  bool all_settled() const;
  bool slots_are_back() const;
  std::size_t unsettled() const { return unsettled_.size(); }
  std::size_t unanswered() const { return open_requests_; }
  bool finished() const { return finished_; }
  std::uint64_t lost() const { return lost_; }
  Instant stop_asked_at() const { return stop_at_; }
  std::string why_unsettled() const;

 private:
  friend struct EventWatch;
  friend struct CommandWatch;
  friend struct RecordWatch;
  friend struct StrangerWatch;
  friend struct BreakerWatch;
  friend struct MemoryWatch;
  friend struct TaskMemoryWatch;
  friend struct AdmissionWatch;
  friend struct LivenessWatch;
  friend struct RecoveryWatch;
  friend struct HealthWatch;
  friend struct CheckpointWatch;
  friend struct BoundWatch;
  friend struct SuspectWatch;
  friend struct Fitness;
  void records_kept(RecordNumber through);
  // oracle_life.cpp
  SeenTask& task_of(TaskId id);
  SeenTask* find_task(TaskId id);
  std::uint32_t index_of(TaskId id) const;
  void add_task(SeenTask task);
  void add_unsettled(std::uint32_t index);
  void drop_unsettled(std::uint32_t index);
  void judge_counters(const Pool& pool) const;
  void judge_balance(const Pool& pool) const;
  // oracle_dead.cpp
  void bury(std::uint32_t index);
  void unbury(std::uint32_t index);
  std::uint32_t oldest_letter() const;
  bool letters_over_bounds() const;
  void judge_archive(const command::Archive& archive);
  void archive_answers(const event::Archived& answer);
  void judge_letters() const;
  const std::uint32_t* task_with(const IdempotencyKey& key) const;
  void settle_forget_key(const SeenTask& task);
  void release_key(std::uint32_t index, const record::Settled& record, Instant at);
  void receive(SeenTask& task);
  void renew_keys();
  void expire_keys();

  // oracle_requests.cpp
  void ask(SeenRequest request);
  SeenRequest& answer(ClientId client, RequestId request);
  void client_gone(ClientId client);
  void judge_refusal(const command::Refused& refused, const SeenRequest& request);
  void judge_accepted(const command::Accepted& accepted);
  std::uint64_t bytes_of(const SeenRequest& request);
  void judge_duplicate(const event::Submit& submit);
  void withdrawal_comes();
  void judge_unanswered();
  void judge_cancels();
  void judge_announce(const command::Announce& announce);
  void judge_completed(const command::Completed& completed);

  // oracle_records.cpp
  void judge_persist(const command::Persist& persist);
  void note(const record::Accepted& record);
  void note(const record::Started& record);
  void note(const record::Ended& record);
  void note(const record::Settled& record);
  void note(const record::Revived& record);
  void note(const record::Released& record);
  void note(const record::Removed& record);
  void note(const record::Paused& record);
  void judge_charge(SeenTask& task, const HeldAttempt* attempt, EndCause cause, Charge charge,
                    const record::Used& used);
  void judge_blame(SeenTask& task, const HeldAttempt* attempt, EndCause cause) const;
  void judge_backoff(const SeenTask& task, const record::Ended& record) const;
  void judge_verdict(const SeenTask& task, const HeldAttempt* attempt,
                     const record::Settled& record) const;
  std::optional<HeldAttempt> take_attempt(SeenTask& task, std::uint16_t attempt, WorkerId worker);
  Rung rung_of(const HeldAttempt* attempt) const;
  void answer_waits_for(RequestId request);
  void owe_verdict(Verdict verdict, bool ran);

  // oracle_workers.cpp
  SeenSlot& slot_of(WorkerId worker);
  SeenWorker& worker_of(WorkerId worker, std::string_view rule);
  SeenWorker* find_worker(WorkerId worker);
  void heard(WorkerId worker);
  void answer_comes(const event::AttemptAnswered& answered);
  void learn(const event::AttemptAnswered& answered, const HeldAttempt& run);
  void exit_comes(const event::WorkerExited& exited);
  void note_hint(std::uint64_t running);
  void judge_spawn(const command::Spawn& spawn);
  Duration restart_wait(std::uint32_t deaths) const;
  // oracle_recycling.cpp
  void restart_comes(const event::Restart& restart);
  bool successor_spawns(SeenSlot& slot, const command::Spawn& spawn, bool was_held);
  void successor_ready(SeenSlot& slot);
  bool succeeded(const SeenWorker& dead);
  void judge_capacity(const SeenWorker& worker);
  void judge_due_workers() const;
  SeenWorker* beside(const SeenWorker& worker);
  bool is_pair(const SeenWorker& worker) const;
  std::uint64_t recycle_max(ClassId worker_class) const;
  std::uint64_t homes(ClassId worker_class) const;
  std::uint64_t waiting_places(ClassId worker_class) const;
  void judge_assign(const command::Assign& assign);
  void take_in_hand(SeenWorker& worker, SeenTask& task, const command::Assign& assign);
  void judge_cancel(const command::CancelAttempt& cancel);
  void judge_retire(const command::Retire& retire);
  void judge_end(const command::EndWorker& end);
  bool end_is_due(const SeenWorker& worker, const command::EndWorker& end);
  bool ladder_is_due(const SeenWorker& worker, command::Force force) const;
  void mark_started(SeenWorker& worker);
  void mark_started(HeldAttempt& attempt);
  void give_up_due();
  void may_drain(ClassId worker_class);

  // oracle_order.cpp
  bool served_by(const SeenTask& task, ClassId worker_class) const;
  Place place_of(const SeenTask& task) const;
  Place place_within(const SeenTask& task) const;
  std::string place_text(const SeenTask& task) const;
  void note_given(const SeenTask& task);
  std::vector<const SeenTask*> lane_heads(std::optional<ClassId> worker_class, bool suspects) const;
  std::vector<Place> ready_places(ClassId worker_class) const;
  bool suspect_waits(ClassId worker_class) const;  // and not for its turn
  // `surely`: even if its class was made smaller, which nobody sees of one that works.
  bool is_free(const SeenWorker& worker, bool surely = true) const;
  void judge_order(const SeenWorker& worker, const SeenTask& task) const;
  void judge_choice(SeenWorker& worker, const SeenTask& task);
  void judge_turn(SeenWorker& worker);
  void note_free(SeenWorker& worker);
  // oracle_recall.cpp
  Duration overtaking_least(const SeenWorker& worker, const Place& place, bool recallable) const;
  Duration overtaking_most(const SeenWorker& worker, const Place& place) const;
  void judge_prefetch(const SeenWorker& worker, const SeenTask& task) const;
  void judge_recall(const command::Recall& recall);
  bool recall_is_asked(const SeenWorker& worker, const SeenTask& task) const;
  bool recall_shares(const HeldAttempt& attempt) const;
  bool recall_clears(const SeenWorker& worker, const HeldAttempt& attempt) const;
  void judge_shared_late(const HeldAttempt& attempt) const;
  void judge_hands() const;
  void judge_ways(ClassId worker_class) const;
  void judge_storm() const;
  void judge_beside_idle() const;
  // oracle_ticks.cpp
  bool is_open(ClassId worker_class) const;
  bool judge_idle(const SeenWorker& worker, bool surely = true) const;
  void judge_hand(const SeenWorker& worker) const;
  void judge_silence(const SeenWorker& worker) const;
  void judge_waiting(std::uint64_t idle_classes, std::uint64_t free_classes) const;
  void judge_expiry() const;
  void judge_places() const;
  void judge_stopping(const SeenWorker& worker) const;
  void judge_due(Instant due, std::string_view what) const;
  void note_notice(const Notification& notification);  // oracle_shown.cpp
  void judge_notices();
  void judge_initialized();
  void judge_shown(const Pool& pool) const;
  void judge_slot_shown(const SlotView& view) const;
  void judge_queue_shown(const Snapshot& shown) const;
};

}  // namespace warmpool::sim
