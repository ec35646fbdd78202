// The daemon put together: everything but the place where it is found, so that tests can run one in
// their own process, with processes, time and store of their own.
#pragma once

#include <functional>
#include <memory>

#include "daemon/acceptor.hpp"
#include "daemon/alerts/alerts.hpp"
#include "daemon/board.hpp"
#include "daemon/chores.hpp"
#include "daemon/events.hpp"
#include "daemon/keeper.hpp"
#include "daemon/notices.hpp"
#include "daemon/outlived.hpp"
#include "daemon/record_names.hpp"
#include "daemon/requests.hpp"
#include "daemon/service_notifier.hpp"
#include "daemon/submit/submit_fifo.hpp"

namespace warmpool::daemon {

// What it stands on. Owns: nothing; all of it outlives the daemon.
struct DaemonPorts {
  Log& log;
  TimeSource& time;
  ProcessPort& processes;
  Store& store;
  ServiceNotifier& notifier;
  FlightRecorder* recorder = nullptr;  // null: nothing is recorded
};

struct DaemonSetup {
  Configuration configuration;
  std::vector<std::optional<Identity>> identities;  // by class
  std::uint64_t life = 1;                           // task ids of this life start with it
  Instant begin{1};                                 // 0 would stand for none
  std::optional<gid_t> socket_group;
  std::string socket_path, archive_path;  // empty: none
  // Where submit.fifo is made, if the option says so; null: nowhere. Order: outlives the daemon.
  const ipc::RuntimeDirectory* fifos = nullptr;
  // What is with workers that others started is remembered there; empty: nowhere.
  std::string attempts_path{};
  // Whose disk is to have room; empty: none.
  std::string store_directory{};
  // Where the directories of workers are made; none: no class has such.
  std::optional<DirectoryRoot> directories{};
};

// Threads: one, and the one that made it: a worker's life is tied to the thread that spawned it.
class Daemon {
 public:
  Daemon(DaemonSetup setup, const DaemonPorts& ports);
  ~Daemon();

  // What earlier lives left in the store comes back. Order: before the first turn, once.
  // Errors: Error::code is the ExitStatus. Blocks: until all of it is read.
  Result<void> recover();

  // From here on clients are taken from it. Its socket is looked after.
  void serve(std::unique_ptr<Acceptor> acceptor);
  // From here on figures are published there.
  void publish_in(BoardPlace place);
  // Publishes them again if somebody has taken the file away.
  void look_after_board() {
    if (board_) board_->look_after();
  }
  Reactor& reactor() { return reactor_; }
  // A connected socket becomes a client.
  void adopt(ipc::UniqueFd client) { clients_.adopt(std::move(client)); }

  // One turn: waits for something, at most `wait`; handles it; carries out what follows.
  // Returns false when the daemon has finished. Blocks: at most `wait`, or until a deadline.
  bool turn(Duration wait);
  // Turns until it has finished.
  void run();

  // As by a signal: what runs may end within drain_timeout; a second time, or `now`: at once.
  void stop(bool now);
  bool stopping() const { return stopping_; }
  // Tells the service manager, which waits for the end of it.
  void begin_reload();
  void end_reload(std::string_view status);
  // Why it ended by itself; Error::code is the ExitStatus.
  const std::optional<Error>& broken() const { return broken_; }
  // Takes over what may change; says in the log what was and what needs a restart.
  void reload(const Configuration& fresh);
  void reopen_log();

  const Pool& pool() const { return engine_.pool(); }
  const LoopFigures& loop() const { return figures_; }
  const Reactor::Awake& awake() const { return reactor_.awake(); }
  const Documents& documents() const { return documents_; }
  Directories& directories() { return workers_.directories().directories(); }
  SubmitFifo* submit_fifo() { return submit_fifo_.get(); }  // null: there is none

 private:
  // loop.cpp
  Instant next_deadline() const;
  void wake();
  Duration awake_next() const;
  bool settle();
  void carry(Command& command);
  template <class Answer>
  void answer(const Answer& command);
  void on_finished(const command::Finished& finished);
  std::string lost_names(std::uint64_t lost) const;
  void linger();
  void on_broken(const Error& error);
  // daemon.cpp
  void declare();
  void configure_types();
  void remember_attempts(const std::string& path);
  void add_chores();
  std::unique_ptr<Watch> watch_answers(int fd);
  void on_notice(const Notification& notification);
  void watch_wall();
  void tell_status();
  void tell_ready(std::string_view status);
  void begin_stopping();

  Configuration configuration_;
  Log& log_;
  ServiceNotifier& notifier_;
  Clock clock_;
  Reactor reactor_;
  Engine engine_;
  TypeTable types_;
  TenantTable tenants_;
  Waiters waiters_;
  Settling settling_;
  LargeBodies large_;
  StampBook stamps_;
  Flow flow_;
  Services services_;
  Intake intake_;
  ipc::RoleTable roles_;
  LoopFigures figures_;
  AttemptFile attempt_file_;
  Outlived outlived_;
  Workers workers_;
  Clients clients_;
  Notices notices_;
  Events events_;
  Alerts alerts_;
  Documents documents_;
  Requests requests_;
  Archive archive_;
  Keeper keeper_;
  std::unique_ptr<SubmitFifo> submit_fifo_;  // null: the option is off
  RecordNames record_names_;
  std::unique_ptr<Watch> store_watch_, archive_watch_;
  Chores chores_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<Board> board_;

  Commands commands_;     // kept for its memory
  Instant expected_;      // the wait of this turn was to end
  bool again_ = false;    // the last turn left something that must not wait
  bool carried_ = false;  // the last turn carried out commands
  bool stopping_ = false, finished_ = false, told_ready_ = false;
  Instant ready_at_latest_;  // to the service manager
  std::optional<Error> broken_;
};

}  // namespace warmpool::daemon
