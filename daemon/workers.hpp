// All workers: processes, channels, output; and the core's commands to them.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "daemon/directory/worker_directories.hpp"
#include "daemon/health_watch.hpp"
#include "daemon/left_behind.hpp"
#include "daemon/memory_watch.hpp"
#include "daemon/recovery_commands.hpp"
#include "daemon/services.hpp"
#include "daemon/start_queue.hpp"
#include "daemon/stranger_book.hpp"
#include "daemon/worker_figures.hpp"
#include "daemon/worker_places.hpp"
#include "daemon/worker_process.hpp"
#include "ipc/metas.hpp"
#include "ipc/peer.hpp"

namespace warmpool::daemon {

// Order: flush() and bury() end each turn; sweep() and sample() come now and then.
class Workers {
 public:
  // `identities` by class: whom its workers run as; none: the daemon's own user.
  Workers(Services& services, ProcessPort& processes,
          std::vector<std::optional<Identity>> identities);
  ~Workers();
  void carry(const command::Spawn& command);
  void carry(const command::Assign& command);
  void carry(const command::CancelAttempt& command);
  void carry(const command::Recall& command);
  void carry(const command::Retire& command);
  void carry(const command::AskCheckpoint& command);
  void carry(const command::EndWorker& command);
  void carry(const command::Admit& command);
  void carry(const command::TurnAway& command);
  void carry(const command::Disown& command);
  // A worker that somebody else started said hello; whether it gets a place is answered to it.
  void take(FrameStream stream, const ipc::Peer& peer, const ipc::Header& header,
            const ipc::HelloMeta& hello);
  StrangerBook& strangers() { return strangers_; }
  const StrangerBook& strangers() const { return strangers_; }
  // Called when the process of one says hello.
  void on_process(std::function<void(const ProcessName&)> run) { on_process_ = std::move(run); }
  // From here on those that are asked to end may come again when the daemon does.
  void set_stopping() { stopping_ = true; }
  // A body that was begun has ended. False: it is none of a worker's.
  bool carry(const BodyEnded& ended);
  using ProgressHandler = std::function<void(const AttemptKey&, const Progress&)>;
  void on_progress(ProgressHandler handler) { on_progress_ = std::move(handler); }
  void flush();
  void bury();
  // Deadlines of begun frames; channels that ended while the process lives; progress held back.
  void sweep();
  // When sweep() has something to do that cannot wait for its turn; kNever if none.
  Instant due() const;
  // Looks into all pages: whose has changed has beaten.
  void read_pages();
  // How often that is needed, so that no beat is seen too late.
  Duration page_interval() const;
  // Looks at what is silent, at what all use, and at those whose check is due.
  void sample();
  void reap_orphans();
  // Looks at memory; and when to do so again.
  void watch_memory();
  Duration memory_interval() const { return memory_.interval(); }
  WorkerPlaces& places() { return places_; }
  const WorkerPlaces& places() const { return places_; }
  // False: nobody is there, or the peer is neither of its user nor of the daemon's.
  bool report(SlotId home, std::uint32_t uid, std::string_view status, TaskId task);
  const WorkerProcess* find(WorkerId worker) const;
  // Also one that is dead, until the turn ends.
  const WorkerProcess* find_any(WorkerId worker) const;
  Templates& templates() { return templates_; }
  const Templates& templates() const { return templates_; }
  WorkerDirectories& directories() { return directories_; }
  const WorkerDirectories& directories() const { return directories_; }
  WorkerFigures figures() const;
  // Lines since `since` that are of this task or may be, at most the last 20.
  std::vector<std::string> output_since(const WorkerProcess&, Instant since, TaskId task) const;

 private:
  using FrameHandler = void (Workers::*)(WorkerProcess&, const ipc::Frame&);
  struct FrameRow {
    ipc::Kind kind;
    FrameHandler handler;
  };
  static const FrameRow kFrames[];
  // workers_start.cpp
  SpawnSpec spec_of(ClassId worker_class);
  SpawnSpec spec_of(const command::Spawn& command);
  SpawnSpec spec_of_template(ClassId worker_class);
  void prepare_place(Wanted wanted);
  void launch(Wanted wanted);
  void start(const Wanted& wanted);
  void tell_never_started(WorkerId worker);
  void began(const Wanted& wanted, Child child, std::uint32_t generation);
  void fail_to_start(const Wanted& wanted, const Error& error);
  // workers.cpp: processes
  void watch(WorkerProcess& worker);
  void read_launch(WorkerProcess& worker);
  void on_exit(WorkerProcess& worker);
  void drain(WorkerProcess& worker);
  void tell_exit(WorkerProcess& worker, const Exit& exit);
  void pump(WorkerProcess& worker, OutputPump& pump, ipc::UniqueFd& fd,
            std::unique_ptr<Watch>& watch);
  void pump_what_is_there(WorkerProcess& worker, OutputPump& pump, int fd);
  void take_output(WorkerProcess& worker);
  OutputRing& ring_for(WorkerProcess& worker);
  // workers_watch.cpp: what they are seen to do, and autopsies
  void set_stopped(WorkerProcess& worker, bool stopped);
  void look_at(WorkerProcess& worker);
  void printed(WorkerProcess& worker);
  void note_ending(WorkerProcess& worker, const command::CancelAttempt& command);
  void note_ending(WorkerProcess& worker, const command::EndWorker& command);
  // registered_classes.cpp: their classes
  Result<ClassId> class_for(const ipc::HelloMeta& hello);
  Result<ClassId> bring_class(const ipc::HelloMeta& hello);
  bool is_paused(ClassId id) const;
  Result<ClassId> place_for(const ClassOptions& options);
  bool is_empty(ClassId id) const;
  // worker_checkpoints.cpp
  void on_checkpoint(WorkerProcess& worker, const ipc::Frame& frame);
  void keep_due_checkpoint(const WorkerProcess& worker, InHand& held, Instant now);
  void keep_checkpoint(const WorkerProcess& worker, InHand& held);
  std::string with_checkpoint(const WorkerProcess&, const StoredTask&, ipc::AssignMeta&) const;
  // registration.cpp: workers that others start
  Result<void> end_former(const ProcessName& name);
  void turn_away(FrameStream stream, int code, std::string_view text);
  void leave(WorkerProcess& worker, ExitCause cause);
  bool end_stranger(WorkerProcess& worker, const command::EndWorker& command);
  void remember(WorkerProcess& worker, InHand& held);
  void forget(InHand& held);
  void on_leave(WorkerProcess& worker, const ipc::Frame& frame);
  // worker_channel.cpp: frames
  void read(WorkerProcess& worker);
  void take_frames(WorkerProcess& worker);
  void write(WorkerProcess& worker);
  void channel_ended(WorkerProcess& worker);
  void reader_gone(WorkerProcess& worker);
  void note_end(WorkerProcess& worker);
  void end_unreadable(WorkerProcess& worker);
  void break_off(WorkerProcess& worker, int code, std::string_view text);
  void begin_over_fifos(WorkerProcess& worker);
  void give_page(WorkerProcess& worker);
  void welcome(WorkerProcess& worker);
  void on_hello(WorkerProcess& worker, const ipc::Frame& frame);
  void begin(WorkerProcess& worker, std::uint64_t features, std::uint64_t credits);
  void on_done(WorkerProcess& worker, const ipc::Frame& frame);
  void take_result(WorkerProcess& worker, const ipc::Frame& frame, KeptBody kept);
  bool hold(WorkerProcess& worker, const ipc::Frame& frame, Blob& large);
  void release(WorkerProcess& worker);
  void go_on(WorkerProcess& worker);
  void on_failed(WorkerProcess& worker, const ipc::Frame& frame);
  void on_progress_frame(WorkerProcess& worker, const ipc::Frame& frame);
  void tell_progress(InHand& held);
  void tell_due_progress(InHand& held, Instant now);
  void on_beat(WorkerProcess& worker, const ipc::Frame& frame);
  void on_recalled(WorkerProcess& worker, const ipc::Frame& frame);
  void returned(WorkerProcess& worker, const AttemptKey& key);
  void on_ping(WorkerProcess& worker, const ipc::Frame& frame);
  void on_pong(WorkerProcess& worker, const ipc::Frame& frame);
  void on_report(WorkerProcess& worker, const ipc::Frame& frame);
  void on_stamps(WorkerProcess& worker, const ipc::Frame& frame);
  void answer(WorkerProcess& worker, const ipc::Frame& frame, event::AttemptAnswered answered,
              std::string_view error, KeptBody kept = {});
  void send(WorkerProcess& worker, const ipc::Header& header, ipc::Bytes meta = {});
  WorkerProcess* reachable(WorkerId worker);
  void give(WorkerProcess&, InHand&, const command::Assign&, std::string_view directory);
  template <class Meta>
  ipc::Bytes encoded(const Meta& meta);

  Services& services_;
  ProcessPort& processes_;
  std::vector<std::optional<Identity>> identities_;
  WorkerPlaces places_;
  MemoryWatch memory_;
  LeftBehind left_behind_;
  RecoveryCommands recovery_commands_;
  HealthWatch health_;
  StartQueue starts_;
  Templates templates_;
  WorkerDirectories directories_;
  ProgressHandler on_progress_;
  std::unordered_map<std::uint64_t, std::unique_ptr<WorkerProcess>> workers_;
  std::vector<WorkerId> dirty_, buried_;
  std::vector<std::pair<BodyFile, WorkerId>> held_;  // who waits for which
  std::string meta_;                                 // kept for its memory
  StrangerBook strangers_;
  std::function<void(const ProcessName&)> on_process_;
  bool stopping_ = false;
  Instant due_ = kNever;
  WorkerFigures figures_;
};

}  // namespace warmpool::daemon
