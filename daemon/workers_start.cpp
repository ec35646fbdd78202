// How a worker starts: by a process of its own, or forked by its class's template. Either way the
// core hears of it when it says hello, or of its end.
#include <algorithm>
#include <signal.h>

#include "daemon/class_grants.hpp"
#include "daemon/random.hpp"
#include "daemon/workers.hpp"
#include "pool/memory.hpp"

namespace warmpool::daemon {
namespace {

// Where more than one task may be in a worker's hand, the daemon cannot see whose its output is.
constexpr const char* kMarksOutput = "WARMPOOL_OUTPUT=marks";

bool may_hold_several(const ClassOptions& options) {
  return options.concurrency > 1 || credits_of(options) > 1;
}

}  // namespace

Workers::Workers(Services& services, ProcessPort& processes,
                 std::vector<std::optional<Identity>> identities)
    : services_(services),
      processes_(processes),
      identities_(std::move(identities)),
      places_(services),
      memory_(services, processes, places_),
      left_behind_(services, processes, places_),
      recovery_commands_(services, processes,
                         [this](Wanted wanted) { prepare_place(std::move(wanted)); }),
      health_(services, processes, places_, identities_,
              [this](WorkerProcess& worker, std::uint64_t token) {
                if (worker.broken || worker.buried) return;
                send(worker, {.kind = ipc::Kind::Ping, .token = token});
              }),
      starts_([this](const Wanted& wanted) { start(wanted); },
              [&services](ClassId id) { return services.options_of(id).critical; }),
      templates_(services, processes,
                 {.spec_of_template = [this](ClassId id) { return spec_of_template(id); },
                  .started =
                      [this](const Wanted& wanted, Child child, std::uint32_t generation) {
                        began(wanted, std::move(child), generation);
                      },
                  .plain = [this](Wanted wanted) { starts_.add(std::move(wanted)); },
                  .ended =
                      [this](const Wanted& wanted, const std::optional<Error>& error) {
                        if (error) return fail_to_start(wanted, *error);
                        tell_never_started(wanted.command.worker);
                      }}),
      directories_(
          services, processes,
          {.spec_of = [this](ClassId id) { return spec_of(id); },
           .name_of = [this](const WorkerProcess& w) { return places_.slot_name(w.slot); },
           .launch = [this](Wanted wanted) { launch(std::move(wanted)); },
           .fail = [this](const Wanted& w, const Error& error) { fail_to_start(w, error); },
           .find = [this](WorkerId id) { return reachable(id); },
           .give = [this](WorkerProcess& w, InHand& held, const command::Assign& command,
                          std::string_view path) { give(w, held, command, path); },
           .answer =
               [this](WorkerProcess& w, const AttemptKey& key, const std::string& text) {
                 ipc::Frame nothing;
                 event::AttemptAnswered failed{w.id, key, Outcome::Failed};
                 failed.ungiven = true;
                 answer(w, nothing, failed, text);
               }}) {}
Workers::~Workers() = default;

SpawnSpec Workers::spec_of(ClassId worker_class) {
  const auto& options = services_.options_of(worker_class);
  SpawnSpec spec;
  if (options.channel == "fifo") spec.channel = ChannelKind::Fifos;
  spec.command = options.command;
  if (const auto spin = services_.options().spin; spin.ns > 0) {
    spec.environment.push_back("WARMPOOL_SPIN=" + duration_text(spin));
  }
  spec.environment.insert(spec.environment.end(), options.environment.begin(),
                          options.environment.end());
  spec.environment.push_back("WARMPOOL_CONCURRENCY=" + std::to_string(options.concurrency));
  if (may_hold_several(options)) spec.environment.emplace_back(kMarksOutput);
  spec.types = options.types;
  if (!options.working_directory.empty()) spec.working_directory = options.working_directory;
  spec.identity = identities_[worker_class.value];
  set_resources(options, spec);
  return spec;
}

SpawnSpec Workers::spec_of(const command::Spawn& command) {
  auto spec = spec_of(command.worker_class);
  spec.worker = command.worker;
  spec.token = random_u64();
  spec.memory_max = memory_max_of(services_.options_of(command.worker_class), 0);
  spec.slot = places_.make(command.home, command.worker_class);
  return spec;
}

SpawnSpec Workers::spec_of_template(ClassId worker_class) {
  auto spec = spec_of(worker_class);
  const auto& options = services_.options_of(worker_class);
  spec.role = SpawnRole::Template;
  spec.slot = options.name + "-template";
  spec.preload = options.preload;
  spec.pids_max = 0;
  return spec;
}

void Workers::carry(const command::Spawn& command) {
  places_.prepare(command);
  Wanted wanted{command, spec_of(command), services_.engine.now()};
  const auto& how = command.recovery;
  const bool custom = how.attempt != 0 && how.strategy == RecoveryStrategy::Custom;
  wanted.prepares = custom || services_.options_of(command.worker_class).directory == "kept";
  if (wanted.prepares) services_.engine.step(event::WorkerPrepares{command.worker, false});
  if (custom) return recovery_commands_.run(std::move(wanted));
  prepare_place(std::move(wanted));
}

void Workers::prepare_place(Wanted wanted) {
  const auto& how = wanted.command.recovery;
  const bool moved = how.attempt != 0 && how.strategy == RecoveryStrategy::Recreate;
  const auto former = moved ? places_.slot_name(how.former) : std::string();
  if (!directories_.start(wanted, former)) launch(std::move(wanted));
}

void Workers::launch(Wanted wanted) {
  if (wanted.prepares) {
    wanted.since = services_.engine.now();
    services_.engine.step(event::WorkerPrepares{wanted.command.worker, true});
  }
  if (!templates_.take(wanted)) starts_.add(std::move(wanted));
}

void Workers::start(const Wanted& wanted) {
  auto started = processes_.spawn(wanted.spec);
  if (!started) return fail_to_start(wanted, started.error());
  began(wanted, std::move(*started), 0);
}

// It was to end before there was a process.
void Workers::tell_never_started(WorkerId worker) {
  services_.engine.step(event::WorkerExited{worker, ExitCause::Signalled, -SIGKILL});
}

void Workers::began(const Wanted& wanted, Child child, std::uint32_t generation) {
  const auto& command = wanted.command;
  if (wanted.spec.pids_max != 0 && !child.pids_limited) {
    left_behind_.note_unlimited(command.worker_class);
  }
  auto worker = std::make_unique<WorkerProcess>(
      std::move(child), command.home, command.worker_class, wanted.spec.token, wanted.since);
  worker->generation = generation;
  worker->directory = wanted.spec.directory;
  worker->fresh_directories = services_.options_of(command.worker_class).directory == "fresh";
  if (std::ranges::find(wanted.spec.environment, kMarksOutput) != wanted.spec.environment.end()) {
    worker->output.heed_marks();
    worker->errors.heed_marks();
  }
  watch(*worker);
  workers_.emplace(command.worker.value, std::move(worker));
}

void Workers::fail_to_start(const Wanted& wanted, const Error& error) {
  ++figures_.spawn_failures;
  services_.log.error(wanted.spec.slot + ": " + error.text);
  services_.engine.step(
      event::WorkerExited{wanted.command.worker, ExitCause::SpawnFailed, error.code});
}

}  // namespace warmpool::daemon
