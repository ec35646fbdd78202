// Looks at processes that are not heard, and writes down what they look like before they are ended.
// What follows from what is seen is decided by the core (pool/verdict.hpp).
#include <algorithm>

#include "daemon/autopsy.hpp"
#include "daemon/workers.hpp"
#include "pool/verdict.hpp"

namespace warmpool::daemon {
namespace {

// CPU time comes in ticks of 10 ms: over less than this a sample says nothing.
constexpr Duration kLookApart = milliseconds(50);
// A close look costs 20 us beside 5 us of a sample. An idle worker that is silent will be ended; of
// a busy one it is only told what it does: scripts/campaign.sh watching.
constexpr Duration kLookApartMax = seconds(2), kLookAtBusyApartMax = seconds(5);

// What throttles a process by SIGSTOP and SIGCONT in turn may be met as stopped at every look; each
// of these leaves a trace. The first look since it was seen to be stopped has nothing to compare.
bool has_moved(Looks& look, const ProcessSample& seen, Instant now) {
  const bool moved = look.at.ns != 0 && (seen.cpu_time != look.cpu_time ||
                                         seen.voluntary_switches != look.voluntary_switches);
  look.at = now;
  look.cpu_time = seen.cpu_time;
  look.voluntary_switches = seen.voluntary_switches;
  return moved;
}

}  // namespace

// An idle worker is looked at when a beat is overdue, a busy one whenever it has been silent; one
// that was stopped always, or nobody would see that it goes on.
void Workers::sample() {
  for (const auto& [id, worker] : workers_) health_.look_if_due(*worker);
  const auto now = services_.engine.now();
  const auto& options = services_.options();
  for (const auto& [id, worker] : workers_) {
    if (worker->buried || !worker->ready) continue;
    const auto patience = worker->in_hand.empty()
                              ? options.heartbeat_interval + options.sample_interval
                              : options.sample_interval;
    const bool fresh = now - worker->last_heard < patience;
    if (fresh && worker->sample && !worker->stopped) {
      worker->look = {};
      continue;
    }
    if (!worker->sampler) {
      auto opened = ProcessSampler::open(worker->child.pid);
      if (!opened) continue;
      // It is no child of ours: it may be gone, and its number another's.
      if (worker->registered && name_of_process(worker->child.pid) != worker->name) continue;
      worker->sampler = std::move(*opened);
    }
    auto sample = worker->sampler->sample();
    if (sample && worker->sample) sample->wait_channel = std::move(worker->sample->wait_channel);
    worker->sample = std::move(sample);
    if (!worker->sample) continue;
    // Of one that people start themselves a debugger is what they want, and it cannot beat.
    const bool debugged = worker->registered && worker->sample->traced();
    if (debugged) services_.engine.step(event::WorkerBeat{worker->id});
    set_stopped(*worker, worker->sample->stopped() && !debugged);
    look_at(*worker);
  }
}

// Told when it changes, and again now and then: the core forgets it when the worker is heard, or
// when the daemon itself was late.
void Workers::look_at(WorkerProcess& worker) {
  const auto now = services_.engine.now();
  const auto& options = services_.options();
  const bool silent = now - worker.last_heard >= options.unresponsive_after;
  const bool long_run =
      !worker.in_hand.empty() && now - worker.in_hand.front().begun_at >= options.slow_after;
  auto& look = worker.look;
  if (worker.stopped) {
    ProcessSampler::look_closely(worker.child.pid, *worker.sample);
    const bool moved = has_moved(look, *worker.sample, now);
    if (moved) services_.engine.step(event::WorkerStopped{worker.id, true});
    return;
  }
  if (!silent && !long_run) {
    look = {};
    return;
  }
  const auto apart = worker.in_hand.empty()
                         ? std::clamp(options.heartbeat_interval / 2, kLookApart, kLookApartMax)
                         : std::clamp(options.heartbeat_interval, kLookApart, kLookAtBusyApartMax);
  if (look.at.ns != 0 && now - look.at < apart) return;
  auto& seen = *worker.sample;
  ProcessSampler::look_closely(worker.child.pid, seen);
  const bool first = look.at.ns == 0;
  const Look between{seen.state, now - look.at, seen.cpu_time - look.cpu_time,
                     seen.voluntary_switches != look.voluntary_switches};
  look.at = now;
  look.cpu_time = seen.cpu_time;
  look.voluntary_switches = seen.voluntary_switches;
  if (first) return;
  const auto motion = motion_of(between);
  const bool news = motion != look.motion || now - look.told_at >= options.heartbeat_interval;
  look.motion = motion;
  if (!silent || !news) return;
  look.told_at = now;
  services_.engine.step(event::WorkerObserved{worker.id, motion, false});
}

// Only where a class wants progress: an event for each line would be much.
void Workers::printed(WorkerProcess& worker) {
  if (worker.in_hand.empty()) return;
  if (services_.options_of(worker.worker_class).progress_timeout.ns == 0) return;
  services_.engine.step(event::WorkerObserved{worker.id, worker.look.motion, true});
}

void Workers::set_stopped(WorkerProcess& worker, bool stopped) {
  if (worker.stopped == stopped) return;
  worker.stopped = stopped;
  worker.look = {};
  services_.log.warn(places_.slot_name(worker.slot) + (stopped ? " is stopped" : " goes on"));
  services_.engine.step(event::WorkerStopped{worker.id, stopped});
}

// An attempt whose time is over: before it is told, so that what it waits for is still to be seen.
void Workers::note_ending(WorkerProcess& worker, const command::CancelAttempt& command) {
  const auto held = std::ranges::find(worker.in_hand, command.key, &InHand::key);
  if (held == worker.in_hand.end()) return;
  held->ending = command.cause;
  if (!is_over_time(command.cause)) return;
  held->portrait = portrait_of(services_, worker, "before it was told to end");
}

// The first order counts, as in the core.
void Workers::note_ending(WorkerProcess& worker, const command::EndWorker& command) {
  if (worker.ordered) return;
  worker.ordered = command.cause;
  if (!is_worth_autopsy(worker, command.cause)) return;
  const bool term = command.force == command::Force::Term;
  worker.portrait = portrait_of(services_, worker, term ? "before SIGTERM" : "before SIGKILL");
}

}  // namespace warmpool::daemon
