// Construction in the order of dependence, and what comes up by the clock. Nothing here decides:
// the core does, and the parts carry it out.
#include "daemon/daemon.hpp"

#include <algorithm>
#include <unistd.h>

#include "daemon/config/reload.hpp"
#include "daemon/exit_status.hpp"
#include "daemon/random.hpp"

namespace warmpool::daemon {
namespace {

std::vector<ClassOptions> classes_of(const Configuration& configuration) {
  std::vector<ClassOptions> classes;
  for (const auto& worker_class : configuration.classes) classes.push_back(worker_class.values);
  return classes;
}

Genesis genesis_of(const DaemonSetup& setup, Clock& clock) {
  Genesis genesis;
  genesis.life = setup.life;
  genesis.secret = {random_u64(), random_u64()};
  genesis.jitter_seed = random_u64();
  genesis.now = clock.now();
  genesis.wall = clock.wall();
  genesis.options = setup.configuration.pool.values;
  return genesis;
}

// Each class starts its workers as soon as it is declared, and there may not be room for all.
std::vector<ClassId> critical_first(const Configuration& configuration) {
  std::vector<ClassId> order(configuration.classes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = ClassId{static_cast<std::uint16_t>(i)};
  std::stable_partition(order.begin(), order.end(), [&](ClassId id) {
    return configuration.classes[id.value].values.critical;
  });
  return order;
}

}  // namespace

Daemon::Daemon(DaemonSetup setup, const DaemonPorts& ports)
    : configuration_(setup.configuration),
      log_(ports.log),
      notifier_(ports.notifier),
      clock_(ports.time, setup.begin),
      engine_(genesis_of(setup, clock_), clock_, ports.recorder),
      types_(classes_of(configuration_)),
      services_{configuration_, log_,     reactor_,  engine_, ports.store, types_,
                tenants_,       waiters_, settling_, large_,  stamps_,     flow_},
      intake_(services_),
      roles_(::geteuid(), setup.socket_group),
      outlived_(services_, attempt_file_),
      workers_(services_, ports.processes, std::move(setup.identities)),
      clients_(services_, intake_, roles_),
      notices_(services_, workers_),
      events_(services_, clients_, notices_, setup.life),
      alerts_(services_, ports.processes, workers_, notices_, setup.store_directory),
      documents_(services_, clients_, workers_, events_, alerts_, figures_, setup.socket_path),
      requests_(services_, clients_, workers_, documents_, events_, alerts_,
                [this] { begin_stopping(); }),
      archive_(setup.archive_path, log_),
      keeper_(services_),
      record_names_(services_, workers_) {
  reactor_.on_wake([this] { wake(); });
  clients_.on_request([this](Session& session, std::uint32_t number, const ipc::RequestMeta& meta,
                             KeptBody payload) {
    keeper_.catch_up();
    requests_.run(session, number, meta, std::move(payload));
  });
  clients_.on_completion([this](const OpenRequest& open, const command::Completed* completed) {
    return requests_.completed(open, completed);
  });
  workers_.on_process([this](const ProcessName& name) { outlived_.came_again(name); });
  clients_.on_worker([this](FrameStream stream, const ipc::Peer& peer, const ipc::Header& header,
                            const ipc::HelloMeta& hello) {
    workers_.take(std::move(stream), peer, header, hello);
  });
  workers_.on_progress([this](const AttemptKey& key, const Progress& progress) {
    clients_.progressed(key, progress);
  });
  notices_.on_notice([this](const Notification& notification) { on_notice(notification); });
  notices_.describe_alert_by([this] { return alerts_.told_now(); });
  archive_.describe_by([this](const command::Archive& asked) { return documents_.letter(asked); });
  archive_.set_bounds(configuration_.pool.values);
  documents_.show_archive(archive_);
  documents_.show_outlived(outlived_);
  archive_watch_ = watch_answers(archive_.fd());
  keeper_.on_backup([this](const Result<BackupFigures>& ended) { requests_.end_backup(ended); });
  keeper_.on_body([this](const BodyEnded& ended) {
    if (!clients_.carry(ended) && !workers_.carry(ended)) services_.store.drop_body(ended.file);
  });
  if (setup.directories) {
    workers_.directories().directories().open(std::move(*setup.directories));
  }
  declare();
  if (!setup.attempts_path.empty()) remember_attempts(setup.attempts_path);
  if (setup.fifos != nullptr && services_.options().submit_fifo) {
    submit_fifo_ =
        std::make_unique<SubmitFifo>(services_, intake_, *setup.fifos, clients_.make_id());
    documents_.show_submit_fifo(submit_fifo_.get());
    submit_fifo_->check();
  }
  add_chores();
}

Daemon::~Daemon() = default;

void Daemon::declare() {
  engine_.step(event::WallStepped{clock_.wall()});
  for (const auto id : critical_first(configuration_)) {
    engine_.step(event::ClassDeclared{id, services_.options_of(id)});
  }
  for (std::uint32_t i = 0; i < types_.size(); ++i) {
    services_.declare(TypeId{i});
  }
  ready_at_latest_ = engine_.now() + services_.options().start_timeout;
  again_ = true;  // the first workers are asked for
}

void Daemon::remember_attempts(const std::string& path) {
  auto opened = AttemptFile::open(path);
  if (!opened) {
    log_.warn(
        "after an end of the daemon, tasks may run twice that are with workers started by "
        "others: " +
        opened.error().text);
    workers_.strangers().attempt_trouble = opened.error().text;
    return;
  }
  workers_.strangers().attempts = &attempt_file_;
  attempt_file_ = std::move(*opened);
  outlived_.tell();
}

Result<void> Daemon::recover() {
  auto& store = services_.store;
  const auto settled =
      store.recover(record_names_, [this](const Record& record) { engine_.replay(record); });
  if (!settled) return settled.error();
  engine_.finish_replay(*settled);
  store_watch_ = watch_answers(store.answers_fd());
  if ((!store_watch_ && store.answers_fd() >= 0) || !archive_watch_) {
    return Error{static_cast<int>(ExitStatus::System), "the kernel watches no more descriptors"};
  }
  again_ = true;
  return {};
}

// The turn that follows asks for them.
std::unique_ptr<Watch> Daemon::watch_answers(int fd) {
  if (fd < 0) return nullptr;
  auto watch = reactor_.watch(fd, [fd] {
    std::uint64_t count = 0;
    (void)!::read(fd, &count, sizeof count);
  });
  if (watch) watch->start_reading();
  return watch;
}

void Daemon::add_chores() {
  const auto now = engine_.now();
  const auto each_second = [] { return seconds(1); };
  // A begun frame may be late by a quarter of its time.
  const auto sweep_interval = [this] {
    const auto quarter = services_.options().frame_timeout / 4;
    return std::clamp(quarter, milliseconds(10), seconds(1));
  };
  chores_.add(
      "sweep", sweep_interval, [this] { clients_.sweep(), workers_.sweep(); }, now);
  chores_.add(
      "pages", [this] { return workers_.page_interval(); }, [this] { workers_.read_pages(); }, now);
  chores_.add(
      "sample", [this] { return services_.options().sample_interval; },
      [this] { workers_.sample(); }, now);
  chores_.add(
      "memory", [this] { return workers_.memory_interval(); }, [this] { workers_.watch_memory(); },
      now);
  chores_.add(
      "orphans", each_second, [this] { workers_.reap_orphans(); }, now);
  chores_.add(
      "outlived", [] { return Outlived::kInterval; }, [this] { outlived_.watch(); }, now);
  chores_.add(
      "log", each_second, [this] { log_.flush(); }, now);
  chores_.add(
      "archive", [] { return seconds(10); }, [this] { archive_.tell_rest(engine_.now()); }, now);
  chores_.add(
      "wall", each_second, [this] { watch_wall(); }, now);
  chores_.add(
      "results", [] { return seconds(10); }, [this] { services_.store.trim(engine_.now()); }, now);
  chores_.add(
      "socket", [] { return seconds(2); },
      [this] {
        if (acceptor_) documents_.set_socket_lost(!acceptor_->check());
        if (submit_fifo_) submit_fifo_->check();
      },
      now);
  if (const auto interval = notifier_.watchdog_interval()) {
    chores_.add(
        "watchdog", [interval] { return *interval; }, [this] { notifier_.watchdog(); }, now);
  }
  chores_.add(
      "alerts", each_second, [this] { documents_.look_for_alerts(); }, now);
  chores_.add(
      "status", [] { return seconds(5); }, [this] { tell_status(); }, now);
}

void Daemon::publish_in(BoardPlace place) {
  board_ = std::make_unique<Board>(services_, workers_, documents_, std::move(place));
  chores_.add(
      "board", [] { return seconds(10); }, [this] { look_after_board(); }, engine_.now());
}

void Daemon::serve(std::unique_ptr<Acceptor> acceptor) { acceptor_ = std::move(acceptor); }

void Daemon::on_notice(const Notification& notification) {
  events_.add(notification);
  alerts_.on_notice(notification);
  if (notification.notice != Notice::PoolInitialized) return;
  documents_.set_initialized(true);
  tell_ready("the minimum of workers is ready");
}

void Daemon::tell_ready(std::string_view status) {
  if (!told_ready_ && !stopping_) notifier_.ready(status);
  told_ready_ = true;
}

void Daemon::tell_status() {
  // One class whose workers do not come up is no reason to keep the others from their users.
  if (engine_.now() >= ready_at_latest_)
    tell_ready("not all classes have their minimum of workers");
  const auto counters = engine_.pool().counters();
  const auto queue = engine_.pool().queue();
  notifier_.status(std::to_string(queue.waiting()) + " waiting, " + std::to_string(queue.running) +
                   " running, " + std::to_string(counters.settled[0]) + " done, " +
                   std::to_string(queue.dead_letters) + " dead letters");
}

void Daemon::watch_wall() {
  constexpr Duration tolerance = milliseconds(100);
  const auto wall = clock_.wall_step(tolerance);
  if (!wall) return;
  log_.warn("the wall clock was set; it is " + rfc3339(*wall));
  engine_.step(event::WallStepped{*wall});
}

void Daemon::stop(bool now) {
  const bool at_once = now || stopping_;
  begin_stopping();
  log_.info(at_once ? "stopping at once"
                    : "stopping; running tasks have " +
                          duration_text(services_.options().drain_timeout) + " (drain_timeout)");
  engine_.step(event::Stop{ClientId{}, RequestId{}, at_once});
  again_ = true;
}

void Daemon::begin_stopping() {
  if (!stopping_) notifier_.stopping();
  stopping_ = true;
  workers_.set_stopping();
}

void Daemon::begin_reload() {
  if (told_ready_) notifier_.reloading(clock_.steady_of(engine_.now()));
}

void Daemon::end_reload(std::string_view status) {
  if (told_ready_) notifier_.ready(status);
}

// Only where the core does not have what holds now.
void Daemon::configure_types() {
  for (std::uint32_t i = 0; i < types_.size(); ++i) {
    const TypeId type{i};
    const bool has = engine_.pool().breaker(type) || engine_.pool().memory(type).wanted.any();
    if (has || services_.is_configured(type)) services_.configure(type);
  }
}

void Daemon::reload(const Configuration& fresh) {
  const auto reload = reload_configuration(configuration_, fresh);
  for (const auto& line : reload.changed) log_.info("changed " + line);
  for (const auto& line : reload.needs_restart) log_.warn("needs a restart: " + line);
  if (reload.changed.empty() && reload.needs_restart.empty()) log_.info("nothing has changed");
  if (reload.pool_changed) {
    engine_.step(event::OptionsChanged{configuration_.pool.values});
    services_.store.set_bounds(configuration_.pool.values);
    archive_.set_bounds(configuration_.pool.values);
    alerts_.set_options();
    log_.set_level(configuration_.pool.values.log_level);
  }
  if (reload.pool_changed || reload.types_changed) configure_types();
  for (const auto id : critical_first(configuration_)) {
    const auto& options = services_.options_of(id);
    const auto& changed = reload.classes_changed;
    if (std::ranges::find(changed, options.name) == changed.end()) continue;
    types_.set_types_later(id, options.types_later);
    engine_.step(event::ClassDeclared{id, options});
  }
  workers_.templates().renew_all();
  again_ = true;
}

void Daemon::reopen_log() {
  if (auto reopened = log_.reopen(); !reopened) log_.error(reopened.error().text);
}

}  // namespace warmpool::daemon
