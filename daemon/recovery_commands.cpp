// The core has asked for a worker and waits for its hello or its end, so a command that fails is
// the end of a worker that never was: the same path as for one that cannot be started.
#include "daemon/recovery_commands.hpp"

#include <algorithm>
#include <optional>

#include "daemon/exit_text.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kPart = 2;  // of the daemon, for numbers of processes

}  // namespace

SpawnSpec RecoveryCommands::spec_of(const Wanted& wanted) {
  const auto& command = wanted.command;
  const auto& how = command.recovery;
  const auto& options = services_.options_of(command.worker_class);
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  SpawnSpec spec;
  spec.worker = WorkerId{kHelperNumbers + kPart + kHelperParts * serial_++};
  spec.role = SpawnRole::Helper;
  spec.slot = wanted.spec.slot;
  spec.command = {"/bin/sh", "-c", options.recovery_command};
  const std::string prefix = "WARMPOOL_RECOVERY_";
  spec.environment = {prefix + "CLASS=" + options.name,
                      prefix + "WORKER=" + wanted.spec.slot,
                      prefix + "CAUSE=" + std::string(name_of(how.cause)),
                      prefix + "CODE=" + (how.code < 0 ? "" : number(how.code)),
                      prefix + "SIGNAL=" + (how.code < 0 ? number(-how.code) : ""),
                      prefix + "DEATHS=" + number(how.deaths),
                      prefix + "ATTEMPT=" + number(how.attempt)};
  return spec;
}

void RecoveryCommands::run(Wanted wanted) {
  auto spec = spec_of(wanted);
  auto started = processes_.spawn(spec);
  if (!started) return fail(wanted, started.error());
  auto run = std::make_unique<Run>();
  run->time = services_.options_of(wanted.command.worker_class).recovery_timeout;
  run->due = services_.engine.now() + run->time;
  run->process = std::make_unique<HelperProcess>(
      std::move(*started), wanted.spec.slot + ": recovery_command", services_.log);
  run->wanted = std::move(wanted);
  auto* it = run.get();
  const bool watched = it->process->watch(services_.reactor, {[this, it] { on_exit(*it); }, {}},
                                          [this] { return services_.engine.now(); });
  if (!watched) kill(*it);
  runs_.push_back(std::move(run));
}

bool RecoveryCommands::end(WorkerId worker) {
  for (auto& run : runs_) {
    if (run->over || run->wanted.command.worker != worker) continue;
    kill(*run);
    return true;
  }
  return false;
}

void RecoveryCommands::kill(Run& run) {
  if (!run.killed) processes_.kill_tree(run.process->id());
  run.killed = true;
  run.due = services_.engine.now() + ProcessPort::kBuryAgain;
}

std::string RecoveryCommands::how_it_ended(const Run& run, const Exit& exit) const {
  const auto name = run.wanted.spec.slot + ": recovery_command";
  if (!run.process->launch_error().empty()) return name + ": " + run.process->launch_error();
  if (run.late) return name + " took more than " + duration_text(run.time);
  const auto text = exit_text(name, exit);
  const auto& words = run.process->last_words();
  return words.empty() ? text : text + ": " + words;
}

void RecoveryCommands::on_exit(Run& run) {
  std::optional<Error> fault;
  const bool buried = processes_.bury(run.process->id(), [&](const Exit& exit) {
    run.process->read_rest(services_.engine.now());
    const bool well = exit.cause == ExitCause::Exited && exit.code == 0 && !run.killed &&
                      run.process->launch_error().empty();
    if (!well) fault = Error{exit.code, how_it_ended(run, exit)};
  });
  run.process->stop_watching_exit();
  if (!buried) {
    run.due = services_.engine.now() + ProcessPort::kBuryAgain;
    return;
  }
  run.over = true;
  finished_.push_back(std::move(run.process));
  if (fault) return fail(run.wanted, *fault);
  run.wanted.since = services_.engine.now();
  prepared_(std::move(run.wanted));
}

void RecoveryCommands::fail(const Wanted& wanted, const Error& error) {
  services_.log.error(error.text);
  services_.engine.step(
      event::WorkerExited{wanted.command.worker, ExitCause::RecoveryFailed, error.code});
}

void RecoveryCommands::sweep() {
  const auto now = services_.engine.now();
  for (std::size_t at = 0; at < runs_.size(); ++at) {
    Run& run = *runs_[at];
    if (run.over || run.due > now) continue;
    if (!run.process->watches_exit()) {
      on_exit(run);
    } else {
      run.late = run.late || !run.killed;
      kill(run);
    }
  }
  std::erase_if(runs_, [](const auto& run) { return run->over; });
}

Instant RecoveryCommands::due() const {
  Instant due = kNever;
  for (const auto& run : runs_) due = run->over ? services_.engine.now() : std::min(due, run->due);
  return due;
}

}  // namespace warmpool::daemon
