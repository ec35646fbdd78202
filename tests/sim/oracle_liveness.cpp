// Written from requirements R4 and not from the core's table: only the idle are ended for silence,
// with the word for what their process was seen to do; of the busy it is told, and no more.
#include "tests/sim/oracle_liveness.hpp"

#include <algorithm>

namespace warmpool::sim {
namespace {

constexpr bool is_ordinary(WorkerHealth health) {
  return health == WorkerHealth::Healthy || health == WorkerHealth::Working ||
         health == WorkerHealth::Recovering;
}

constexpr bool sleeps(Motion motion) {
  return motion == Motion::Waiting || motion == Motion::Blocked;
}

}  // namespace

void LivenessWatch::observed(const event::WorkerObserved& event) const {
  SeenWorker* worker = oracle.find_worker(event.worker);
  if (worker == nullptr) return;
  const bool silent = oracle.now_ - worker->heard_at >= oracle.options_.unresponsive_after;
  worker->motion = silent ? event.motion : Motion::Unknown;
  if (!event.printed) return;
  for (HeldAttempt& held : worker->hand) held.moves(oracle.now_);
}

void LivenessWatch::judge_cause(const SeenWorker& worker, ExitCause cause) const {
  if (!is_silence(cause)) return;
  auto seen = ExitCause::Unresponsive;
  if (worker.motion == Motion::Computing) seen = ExitCause::Spinning;
  if (sleeps(worker.motion)) seen = ExitCause::Wedged;
  if (worker.stopped) seen = ExitCause::Stopped;
  require_rule(cause == seen, "silence-cause", [&] {
    return worker_name(worker.id) + " is ended as " + std::string(name_of(cause)) +
           " and was seen " + std::string(name_of(worker.motion));
  });
}

// The earliest: with what a loop that was late had to give it.
Instant LivenessWatch::hung_at(const SeenWorker& worker, const HeldAttempt& held) const {
  const Duration patience = oracle.classes_[worker.worker_class.value].options.progress_timeout;
  if (patience.ns == 0) return kNever;
  return held.moved_at + patience + std::min(held.late, patience);
}

// The latest: however late the loop was, and how often. Only a stall is a
// movement, and what is half of the patience at once.
Instant LivenessWatch::hung_by(const SeenWorker& worker, const HeldAttempt& held) const {
  const Duration patience = oracle.classes_[worker.worker_class.value].options.progress_timeout;
  if (patience.ns == 0) return kNever;
  return held.moved_at + (held.late.ns == 0 ? patience : patience * 2);
}

bool LivenessWatch::is_slow(const HeldAttempt& held) const {
  const auto& options = oracle.options_;
  const Duration share = held.timeout / 100 * static_cast<std::int64_t>(options.slow_percent);
  return held.started && oracle.now_ >= held.started_at + std::min(options.slow_after, share);
}

void LivenessWatch::note_slow(const Notification& notification) const {
  for (SeenSlot& slot : oracle.slots_) {
    for (HeldAttempt& held : slot.worker.hand) {
      if (held.key.task != notification.task || held.key.attempt != notification.attempt) continue;
      require_rule(is_slow(held) && !held.slow, "health-told", [&] {
        return task_name(held.key.task) + " was said to be slow, and is not, or was before";
      });
      held.slow = true;
    }
  }
}

// An answer may change its worker's band, which is seen when its step is over; that what was told
// is so is judged after the Tick.
bool LivenessWatch::answers() const {
  return std::holds_alternative<event::AttemptAnswered>(*oracle.event_);
}

bool LivenessWatch::is_so(const SeenWorker& worker, WorkerHealth health) const {
  const bool busy = !worker.hand.empty();
  const bool silent = oracle.now_ - worker.heard_at >= oracle.options_.unresponsive_after;
  switch (health) {
    case WorkerHealth::Degraded:
      return worker.band == Band::Degraded || answers();
    case WorkerHealth::Unhealthy:
      return worker.band == Band::Unhealthy || answers();
    case WorkerHealth::Slow:
      return std::ranges::any_of(worker.hand, [&](const auto& held) { return is_slow(held); });
    case WorkerHealth::Stopped:
      return worker.stopped;
    case WorkerHealth::Unkillable:
      return worker.kill_ordered &&
             oracle.now_ >= worker.kill_at + oracle.options_.unkillable_after;
    case WorkerHealth::Computing:
      return busy && silent && worker.motion == Motion::Computing;
    case WorkerHealth::Waiting:
      return busy && silent && sleeps(worker.motion);
    case WorkerHealth::Spinning:
      return !busy && silent && worker.motion == Motion::Computing;
    case WorkerHealth::Wedged:
      return !busy && silent && sleeps(worker.motion);
    case WorkerHealth::Unresponsive:
      return !busy && silent && !sleeps(worker.motion) && worker.motion != Motion::Computing;
    default:
      return false;
  }
}

// What it was said to be does not hold any more.
bool LivenessWatch::is_over(const SeenWorker& worker) const {
  switch (worker.told) {
    case WorkerHealth::Degraded:
    case WorkerHealth::Unhealthy:
      return answers() || !is_so(worker, worker.told) || worker.kill_ordered ||
             worker.term_ordered || worker.broken;
    case WorkerHealth::Stopped:
      return !worker.stopped;
    case WorkerHealth::Slow:
      return std::ranges::none_of(worker.hand, [&](const auto& held) { return is_slow(held); });
    case WorkerHealth::Unresponsive:
      return worker.heard_at == oracle.now_;
    case WorkerHealth::Unknown:
    case WorkerHealth::Unkillable:
      return false;
    default:
      return worker.heard_at == oracle.now_ || !is_so(worker, worker.told);
  }
}

void LivenessWatch::judge_told(const Notification& notification) const {
  SeenWorker& worker = oracle.worker_of(notification.worker, "health-told");
  const Duration silence = oracle.now_ - worker.heard_at;
  const Duration stopped = oracle.now_ - worker.stopped_at;
  const Duration dead_after = oracle.options_.dead_after;
  bool holds = false;
  if (notification.notice == Notice::ZombieDetected) {
    const bool silent = silence >= dead_after && notification.duration_ns == silence.ns;
    holds = silent ||
            (worker.stopped && stopped >= dead_after && notification.duration_ns == stopped.ns);
  } else {
    const bool first = worker.told == WorkerHealth::Unknown;
    const bool follows = first ? is_ordinary(notification.from) : notification.from == worker.told;
    const bool ordinary = is_ordinary(notification.to);
    const bool so = ordinary ? is_over(worker) : is_so(worker, notification.to);
    holds = follows && (so || oracle.stalled_turn_);
    worker.told = ordinary ? WorkerHealth::Unknown : notification.to;
  }
  require_rule(holds, "health-told", [&] {
    return worker_name(worker.id) + " was said to be from " +
           std::string(name_of(notification.from)) + " to " +
           std::string(name_of(notification.to)) + " after a silence of " +
           std::to_string(silence.ns / 1'000'000) + " ms, seen " +
           std::string(name_of(worker.motion));
  });
}

void LivenessWatch::judge_after_tick(const SeenWorker& worker) const {
  const bool ends = worker.kill_ordered || worker.term_ordered || worker.broken;
  if (!worker.ready || ends) return;
  const bool busy = !worker.hand.empty();
  const bool slow = std::ranges::any_of(worker.hand, &HeldAttempt::slow);
  const bool suspected = busy || is_silence(worker.told);
  if (suspected && !slow && !worker.stopped && oracle.calm()) {
    auto due = worker.told;
    if (worker.motion == Motion::Computing) {
      due = busy ? WorkerHealth::Computing : WorkerHealth::Spinning;
    }
    if (sleeps(worker.motion)) due = busy ? WorkerHealth::Waiting : WorkerHealth::Wedged;
    require_rule(worker.told == due, "motion-told", [&] {
      return worker_name(worker.id) + " is " + std::string(name_of(due)) +
             " and was not said to be";
    });
  }
  require_rule(!worker.stopped || worker.told == WorkerHealth::Stopped, "stopped-told",
               [&] { return worker_name(worker.id) + " is stopped and that was not told"; });
  if (oracle.now_ <= oracle.grace_until_ + kSlack) return;
  for (const HeldAttempt& held : worker.hand) {
    const bool hung = held.started && oracle.now_ - kSlack >= hung_by(worker, held);
    require_rule(!hung || held.cancel_ordered, "progress-acts",
                 [&] { return task_name(held.key.task) + " shows no progress and goes on"; });
  }
}

}  // namespace warmpool::sim
