// The core has asked for a worker and waits for its hello or its end, so a command that fails is
// the end of a worker that never was: the same path as for one that cannot be started.
#include "daemon/recovery_commands.hpp"

#include <utility>

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kPart = 2;               // of kHelperParts
constexpr std::size_t kRecoveryCommandsMax = 8;  // at once

SpawnSpec spec_of(const Wanted& wanted, const ClassOptions& options) {
  const auto& how = wanted.command.recovery;
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  SpawnSpec spec;
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

}  // namespace

RecoveryCommands::RecoveryCommands(Services& services, ProcessPort& processes, Prepared prepared)
    : services_(services),
      prepared_(std::move(prepared)),
      runs_(services, processes, kPart, kRecoveryCommandsMax) {}

void RecoveryCommands::run(Wanted wanted) {
  const auto worker = wanted.command.worker;
  const auto& options = services_.options_of(wanted.command.worker_class);
  HelperRun command;
  command.spec = spec_of(wanted, options);
  command.title = wanted.spec.slot + ": recovery_command";
  command.timeout = options.recovery_timeout;
  command.timeout_option = "recovery_timeout";
  command.ended = [this, worker](const Result<void>& how) { ended(worker, how); };
  const auto run = runs_.start(std::move(command));
  waiting_.emplace(worker.value, Waiting{std::move(wanted), run});
}

bool RecoveryCommands::end(WorkerId worker) {
  const auto found = waiting_.find(worker.value);
  if (found == waiting_.end()) return false;
  runs_.cancel(found->second.run);
  return true;
}

void RecoveryCommands::ended(WorkerId worker, const Result<void>& how) {
  auto wanted = std::move(waiting_.extract(worker.value).mapped().wanted);
  if (how) return prepared_(std::move(wanted));
  services_.log.error(how.error().text);
  services_.engine.step(event::WorkerExited{worker, ExitCause::RecoveryFailed, how.error().code});
}

}  // namespace warmpool::daemon
