// The core behind Pool: its parts, and one function for each thing that can happen. The functions
// stand in the file of the part that owns them; none changes a state but through the tables.
#pragma once

#include <deque>
#include <map>

#include "pool/core_parts.hpp"
#include "pool/jitter.hpp"
#include "pool/key_table.hpp"
#include "pool/lane_table.hpp"
#include "pool/pool.hpp"
#include "pool/recorder.hpp"
#include "pool/slot_table.hpp"
#include "pool/strategy.hpp"
#include "pool/task_table.hpp"
#include "pool/task_timers.hpp"

namespace warmpool {

class Core {
 public:
  explicit Core(const Genesis& genesis);

  void step(Instant at, const Event& event, Commands& commands);
  Instant next_deadline() const;
  void replay(const Record& record);
  void finish_replay(Instant at, Commands& commands);

  Snapshot snapshot() const;
  QueueView queue() const;
  SlotView view(const Slot& slot) const;
  TaskView view(TaskIndex index) const;

  const Genesis genesis;
  Options options;
  TaskTable tasks;
  LaneTable lanes;
  TaskTimers timers;
  SlotTable slots;
  KeyTable keys;
  Recorder recorder;
  Counters counters;
  std::vector<WorkerClass> classes;
  std::vector<TypeState> types;
  Instant now;

 private:
  // clients.cpp
  void on(const event::Submit& event);
  void on(const event::Cancel& event);
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
  void revive(TaskIndex index, Instant at);
  void own(TaskIndex index, ClientId client);
  void cancel_task(TaskIndex index, EndCause cause);
  void cancel_running(TaskIndex index, EndCause cause);
  void refuse(ClientId client, RequestId request, TaskId task, Refusal code, Duration after = {});
  // config.cpp
  void on(const event::ClassDeclared& event);
  void on(const event::TypeDeclared& event);
  void on(const event::OptionsChanged& event);
  void on(const event::PauseType& event);
  TypeState& type_state(TypeId type);
  void make_peers(const std::vector<ClassId>& serving);
  // supervisor.cpp
  void on(const event::Scale& event);
  void on(const event::WorkerReady& event);
  void on(const event::WorkerBeat& event);
  void on(const event::WorkerStopped& event);
  void on(const event::WorkerBroken& event);
  void on(const event::WorkerExited& event);
  std::size_t count_active(const WorkerClass& worker_class) const;
  int room(const WorkerClass& worker_class) const;
  void resize(WorkerClass& worker_class, std::uint16_t target);
  void start_worker(Slot& slot);
  void drain(Slot& slot);
  void retire(Slot& slot);
  void end_starting(Slot& slot);
  void end_by_force(Slot& slot, ExitCause cause, command::Force force);
  Slot* least_useful(WorkerClass& worker_class);
  void after_exit(Slot& slot, bool wanted);
  void back_off(Slot& slot);
  void heard(Slot& slot);
  void emptied(Slot& slot);
  void grant_credits(Slot& slot);
  void pool_may_be_initialized();
  // liveness.cpp
  void judge_slot(Slot& slot);
  void judge_silence(Slot& slot);
  void judge_forced(Slot& slot);
  void give_up_hand(Slot& slot);
  void try_again(Slot& slot);
  Instant due_of(const Slot& slot) const;
  Instant due_of_idle(const Slot& slot) const;
  Instant due_of_busy(const Slot& slot) const;
  void forgive_stall();
  // attempts.cpp
  void on(const event::AttemptAnswered& event);
  void on(const event::AttemptProgressed& event);
  void assign(Slot& slot, TaskIndex index, const LaneKey& place);
  void start_next(Slot& slot);
  void start(Slot& slot, Held& held);
  void mark_rung(TaskId id, Rung rung);
  Held take_from_hand(Slot& slot, std::size_t at);
  void answered_task(const Held& held, const event::AttemptAnswered& event);
  void learn(const Held& held, Duration service);
  void begin_ending(Slot& slot, Held& held, EndCause cause);
  void climb(Slot& slot, Held& held);
  void judge_held(Slot& slot);
  void bury_hand(Slot& slot, WorkerId worker, ExitCause cause, std::int32_t code);
  void return_task(TaskIndex index, EndCause cause, WorkerId worker, std::int32_t code,
                   bool suspect);
  void refuse_result(WorkerId worker, const AttemptKey& key);
  // settle.cpp
  void end_attempt(TaskIndex index, const End& end);
  bool over_budget(const Task& task) const;
  Instant retry_at(const Task& task, const End& end);
  void go_on_later(TaskIndex index, const End& end, Instant eligible_at, bool held);
  void settle(TaskIndex index, Verdict verdict, const End& end);
  void release_key(TaskIndex index, Verdict verdict, Instant at);
  void announce(TaskIndex index);
  void answer_cancels(TaskId id, Verdict verdict);
  void forget_task(TaskIndex index);
  void bound_dead();
  bool dead_over_bounds() const;
  void remove_dead(TaskIndex index);
  void keep_dead(TaskIndex index);
  void on(const event::Persisted& event);
  void kept(const Recorder::Waiting& waiting);
  void go_on(TaskIndex index);
  // dispatch.cpp
  void refresh(Slot& slot);
  void refresh_all();
  void dispatch();
  bool dispatch_free(WorkerClass& worker_class);
  bool give_suspect(WorkerClass& worker_class);
  bool give_free(WorkerClass& worker_class);
  void dispatch_ahead(WorkerClass& worker_class);
  bool is_preferred(const WorkerClass& worker_class, TypeId type) const;
  Slot* find_empty(WorkerClass& worker_class);
  Slot* find_credit(WorkerClass& worker_class, TaskIndex index, const LaneKey& place);
  void reserve(WorkerClass& worker_class);
  void unreserve(WorkerClass& worker_class);
  Duration expected(TypeId type) const;
  // recall.cpp
  void on(const event::RecallAnswered& event);
  void recall(Slot& slot, Held& held);
  void recall_unstarted(Slot& slot);
  Instant due_of_late(const Slot& slot) const;
  void recall_behind_late(Slot& slot);
  bool is_late(const Slot& slot) const;
  Duration overtaking(const Slot& slot, const LaneKey& place) const;
  LaneKey latest_behind(const Slot& slot) const;
  LaneKey limit_of(const Slot& slot) const;
  bool clear(Slot& slot, const LaneKey& place);
  void make_way();
  void make_way(WorkerClass& worker_class);
  bool has_idle_peer(const WorkerClass& worker_class) const;
  Instant due_of_recall() const;
  void look_behind();
  void recall_for_idle();
  void collect_behind(WorkerClass& worker_class);
  void count_free();
  bool take_free(TypeId type);
  // life.cpp
  void on(const event::Drain& event);
  void on(const event::Stop& event);
  void on(const event::StoreState& event);
  void on(const event::WallStepped& event);
  void on(const event::Listen& event);
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
  void apply(const record::TypePaused& record);
  void resume_replayed(TaskIndex index);

  bool is_kept(RecordNumber number) const { return number <= recorder.kept(); }
  void complete(ClientId client, RequestId request, std::uint64_t before, std::uint64_t after);
  void notify(const Notification& notification);
  Notification about(TaskIndex index, Notice notice) const;
  Notification about(const Slot& slot, Notice notice) const;
  WorkerClass& class_of(const Slot& slot) { return classes[slot.worker_class.value]; }
  template <class Emitted>
  void emit(Emitted&& emitted) {
    out_->emplace_back(std::forward<Emitted>(emitted));
  }

  Commands* out_ = nullptr;
  Jitter jitter_;
  std::uint64_t tasks_made_ = 0;
  std::int64_t wall_offset_ = 0;  // wall = now + offset
  Instant promised_ = kNever;     // the deadline told after the last Tick
  Instant grace_until_{};         // after a stall nobody is judged before
  bool initialized_ = false, draining_ = false, stopping_ = false, finished_ = false;
  bool forced_ = false, store_accepting_ = true, task_notices_ = true;
  Instant stop_at_ = kNever;
  std::multimap<TaskId, CancelRequest> cancels_;
  std::map<ClientId, Owned> owned_;
  std::deque<DeadLetter> dead_;
  std::uint64_t dead_bytes_ = 0;
  std::map<TaskId, record::Started> open_attempts_;  // during a replay
  std::vector<Way> ways_;                            // within make_way
  std::vector<Behind> behind_;                       // within recall_for_idle
  std::vector<std::size_t> free_;                    // places by class, within recall_for_idle
};

}  // namespace warmpool
