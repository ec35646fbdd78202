// The core behind Pool: its parts, and one function for each thing that can happen. The functions
// stand in the file of the part that owns them; none changes a state but through the tables.
#pragma once

#include "pool/core_checkpoints.hpp"
#include "pool/strategy.hpp"

namespace warmpool {

class Core : public CoreCheckpoints {
 public:
  explicit Core(const Genesis& genesis);

  void step(Instant at, const Event& event, Commands& commands);
  Instant next_deadline() const;
  void replay(const Record& record);
  void finish_replay(Instant at, Commands& commands);
  void replay_totals(const std::array<std::uint64_t, 5>& settled);
  Snapshot snapshot(TypesShown shown) const;
  Snapshot overview() const;
  QueueView queue() const;
  SlotView view(const Slot& slot) const;
  TaskView view(TaskIndex index) const;

 private:
  using CoreCheckpoints::on;
  // clients.cpp
  void on(const event::Submit& event);
  void on(const event::Cancel& event);
  void on(const event::Received& event);
  void on(const event::ClientGone& event);
  void on(const event::RetryDead& event);
  void on(const event::RemoveDead& event);
  void on(const event::Release& event);
  std::optional<Refusal> refusal_of(const TaskSpec& spec) const;
  bool answer_duplicate(const event::Submit& event);
  TaskIndex accept(const TaskSpec& spec, TaskId id, Instant at);
  Instant first_eligible(const TaskSpec& spec) const;
  void set_round_timers(TaskIndex index, Instant from);
  std::optional<Refusal> refusal_of_dead(std::optional<TaskIndex> index) const;
  void revive(TaskIndex index, Instant at, std::optional<std::uint32_t> payload_bytes);
  void own(TaskIndex index, ClientId client);
  void keep_for_good(TaskIndex index);
  void drop(TaskIndex index);
  void withdraw();
  void drop_orphans();
  void cancel_running(TaskIndex index, EndCause cause);
  // config.cpp
  void on(const event::ClassDeclared& event);
  void on(const event::TypeDeclared& event);
  void on(const event::OptionsChanged& event);
  void on(const event::Pause& event);
  std::optional<bool> set_paused(const PauseTarget& target, bool paused);
  void make_peers(const std::vector<ClassId>& serving);
  // supervisor.cpp
  void on(const event::Scale& event);
  void on(const event::WorkerReady& event);
  void on(const event::WorkerBeat& event);
  void on(const event::WorkerStopped& event);
  void on(const event::WorkerSampled& event);  // memory.cpp
  void judge_memory(Slot& slot);
  void set_baseline(Slot& slot);
  void on(const event::WorkerObserved& event);
  void on(const event::WorkerBroken& event);
  void on(const event::WorkerExited& event);
  void resize(WorkerClass& worker_class, std::uint16_t target);
  void drain(Slot& slot);
  void retire(Slot& slot);
  void end_starting(Slot& slot);
  void end_by_force(Slot& slot, ExitCause cause, command::Force force);
  Slot* least_useful(WorkerClass& worker_class);
  std::vector<Slot*> idle_ones(WorkerClass& worker_class);
  void after_exit(Slot& slot);
  void heard(Slot& slot);
  void emptied(Slot& slot);
  void grant_credits(Slot& slot);
  void pool_may_be_initialized();
  void on(const event::WorkerRegistered& event);  // registration.cpp
  void on(const event::WorkerLeaving& event);
  void on(const event::Outlived& event);
  // recycling.cpp
  void on(const event::Restart& event);
  bool restart(Slot& slot);
  void become_due(Slot& slot, DueReason reason);
  void recycle(WorkerClass& worker_class);
  void start_successor(WorkerClass& worker_class, Slot& slot);
  void hand_over(Slot& predecessor, Slot& successor);
  void succeed_the_dead(Slot& predecessor);
  void left(Slot& slot);
  void part(Slot& slot);
  // idle.cpp
  void judge_idle(WorkerClass& worker_class);
  void fill_again(WorkerClass& worker_class);
  void bring_back(WorkerClass& worker_class, std::uint64_t count);
  // liveness.cpp
  void judge_slot(Slot& slot);
  void judge_silence(Slot& slot);
  void end_zombie(Slot& slot, ExitCause cause, Duration since);
  void judge_slow(Slot& slot);
  void tell_health(Slot& slot);
  void judge_forced(Slot& slot);
  void give_up_hand(Slot& slot);
  Instant due_of(const Slot& slot) const;
  Instant due_of_held(const Slot& slot, const Held& held) const;
  // attempts.cpp
  void on(const event::AttemptAnswered& event);
  void on(const event::AttemptProgressed& event);
  void on(const event::AttemptCheckpointed& event);
  void assign(Slot& slot, TaskIndex index, const LaneKey& place);
  void start_next(Slot& slot);
  void start(Slot& slot, Held& held);
  void take_from_hand(Slot& slot, std::size_t at);
  void answered_task(const Held& held, const event::AttemptAnswered& event);
  void learn(const Held& held, Duration service);
  void begin_ending(Slot& slot, Held& held, EndCause cause);
  void climb(Slot& slot, Held& held);
  void judge_held(Slot& slot);
  void bury_hand(Slot& slot, const event::WorkerExited& event, ExitCause cause);
  void bury_suspects(const Slot& slot, const std::vector<Held>& hand,
                     const event::WorkerExited& event);
  void return_task(const Held& held, EndCause cause, WorkerId worker, std::int32_t code,
                   bool suspect);
  // settle.cpp
  void end_attempt(const Held& held, const End& end);
  bool over_budget(const Task& task) const;
  Instant retry_at(const Task& task, const End& end);
  void go_on_later(TaskIndex index, const End& end, Instant eligible_at, bool held);
  void settle(TaskIndex index, Verdict verdict, const End& end);
  void release_key(TaskIndex index, Verdict verdict, EndCause cause, Instant at);
  void announce(TaskIndex index);
  void answer_cancels(TaskIndex index);
  void answer_cancels_until(Instant due);
  void forget_task(TaskIndex index);
  void archive_dead();
  void remove_dead(TaskIndex index);
  void on(const event::Archived& event);
  void on(const event::Persisted& event);
  void kept(const Recorder::Waiting& waiting);
  void go_on(TaskIndex index);
  // dispatch.cpp
  void refresh(Slot& slot, bool counted = false);
  void refresh_all();
  void dispatch();
  bool dispatch_free(WorkerClass& worker_class);
  bool give_suspect(WorkerClass& worker_class);
  bool give_free(WorkerClass& worker_class);
  void dispatch_ahead(WorkerClass& worker_class);
  bool is_preferred(const WorkerClass& worker_class, TaskIndex index) const;
  Slot* find_empty(WorkerClass& worker_class);
  Slot* find_credit(WorkerClass& worker_class, TaskIndex index, const LaneKey& place);
  void reserve(WorkerClass& worker_class);
  void unreserve(WorkerClass& worker_class);
  // recall.cpp
  void on(const event::RecallAnswered& event);
  void recall(Slot& slot, Held& held);
  void recall_unstarted(Slot& slot);
  void recall_opened();
  Instant due_of_late(const Slot& slot) const;
  void recall_behind_late(Slot& slot);
  bool is_late(const Slot& slot) const;
  Duration overtaking(const Slot& slot, const LaneKey& place) const;
  bool clear(Slot& slot, const LaneKey& place);
  void make_way();
  void make_way(WorkerClass& worker_class);
  bool has_idle_peer(const WorkerClass& worker_class) const;
  Instant due_of_recall() const;
  void look_behind();
  void recall_for_idle();
  void collect_behind(WorkerClass& worker_class);
  void count_free();
  bool take_free(TaskIndex index);
  // life.cpp
  void on(const event::Drain& event);
  void on(const event::Stop& event);
  void on(const event::StoreState& event);
  void on(const event::WallStepped& event);
  void on(const event::Listen& event);
  void on(const event::LoopLate& event);  // liveness.cpp
  void on(const event::Tick& event);
  void fire_timer(const TaskTimers::Fired& fired);
  void stop_by_force();
  Instant next_archive() const;
  Instant give_up_at() const;
  Instant wall_date(WallTime wall, Instant least) const;
  void finish_when_empty();
  // replay.cpp
  void apply(const record::Accepted& record);
  void apply(const record::Started& record);
  void apply(const record::Ended& record);
  void apply(const record::Settled& record);
  void apply(const record::Revived& record);
  void apply(const record::Released& record);
  void apply(const record::Removed& record);
  void apply(const record::Paused& record);
  void apply(const record::Kept& record);
  void apply(const record::Checkpointed&) {}  // no decision rests on them
  void resume_replayed(TaskIndex index);
};

}  // namespace warmpool
