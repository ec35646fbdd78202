// Written from requirements R4: dispatch sees bands only, a band changes at its mark and comes back
// beyond its hysteresis, who alone fails what others do is unhealthy, and nobody with a task in
// hand is ended for a check.
#include "tests/sim/oracle_health.hpp"

#include <algorithm>

namespace warmpool::sim {
namespace {

// A worker that failed so many in a row, each of which others do, cannot be anything but ill: at
// most half of all that is counted of its class are its own.
constexpr std::uint32_t kSurelyIll = 24;

bool is_heard(const SeenWorker& worker) {
  const bool ends = worker.kill_ordered || worker.term_ordered || worker.retired || worker.broken;
  return worker.ready && !ends;
}

// Of a worker whose class is pinged that is a pong.
bool answers(const Event& event) {
  const auto* answered = std::get_if<event::AttemptAnswered>(&event);
  return answered != nullptr && !answered->ungiven;
}

// It says that it is well again, or passes its check again.
bool said_otherwise(const Event& event) {
  if (const auto* flagged = std::get_if<event::WorkerFlagged>(&event)) return !flagged->degraded;
  const auto* checked = std::get_if<event::WorkerChecked>(&event);
  return checked != nullptr && checked->passed;
}

}  // namespace

const ClassOptions& HealthWatch::options_of(const SeenWorker& worker) const {
  return oracle.classes_[worker.worker_class.value].options;
}

// Right after a stall of the loop a failure counts for nothing.
void HealthWatch::checked(const event::WorkerChecked& event) const {
  SeenWorker* worker = oracle.find_worker(event.worker);
  if (worker == nullptr || !is_heard(*worker)) return;
  if (!event.passed && oracle.now_ < oracle.grace_until_) return;
  worker->check_failures = event.passed ? 0 : worker->check_failures + 1;
  const bool over = worker->check_failures >= options_of(*worker).check_threshold;
  worker->fails_check = over || (worker->fails_check && !event.passed);
}

void HealthWatch::flagged(const event::WorkerFlagged& event) const {
  SeenWorker* worker = oracle.find_worker(event.worker);
  if (worker != nullptr && is_heard(*worker)) worker->flagged = event.degraded;
}

void HealthWatch::ran(const event::AttemptAnswered& event) const {
  SeenWorker* worker = oracle.find_worker(event.worker);
  if (worker == nullptr) return;
  const auto run = std::ranges::find(worker->hand, event.key, &HeldAttempt::key);
  if (run == worker->hand.end()) return;
  if (options_of(*worker).check == "ping") {
    worker->check_failures = 0;
    worker->fails_check = false;
  }
  const SeenTask& task = oracle.tasks_[run->task];
  const bool failed = event.outcome == Outcome::Failed || event.outcome == Outcome::RetryAfter;
  if (task.cancel_asked || task.dropped || event.out_of_memory || event.no_room) return;
  if (!failed && event.outcome != Outcome::Done) return;
  SeenPeers& peers = oracle.classes_[worker->worker_class.value].peers[run->type];
  if (!failed) {
    peers.many_doers = peers.many_doers || (peers.doer && peers.doer != worker->id);
    peers.doer = worker->id;
    worker->failed_row = 0;
    return;
  }
  if (!peers.failer) peers.only_it = peers.doer && (peers.many_doers || peers.doer != worker->id);
  peers.many_failers = peers.many_failers || (peers.failer && peers.failer != worker->id);
  peers.failer = worker->id;
  // Right after a stall nobody is judged; one of the failures after it is enough for that.
  if (oracle.now_ < oracle.grace_until_) return;
  if (peers.only_it && !peers.many_failers) ++worker->failed_row;
}

void HealthWatch::take_band(SeenWorker& worker, const Health& shown) const {
  const Band was = worker.band, is = shown.band();
  const ClassOptions& options = options_of(worker);
  const std::uint64_t score = shown.score(), up = options.health_hysteresis;
  const bool said = worker.flagged || worker.fails_check;
  bool right = true;
  if (is == Band::Unhealthy && was != is) {
    right = worker.fails_check || score < options.health_unhealthy;
  } else if (is == Band::Healthy && was != is) {
    right = !said && score >= options.health_degraded;
    // Whoever was worse for what was said alone comes back as soon as that is over.
    const bool pinged = answers(*oracle.event_) && options.check == "ping";
    right = right &&
            (score >= options.health_degraded + up || pinged || said_otherwise(*oracle.event_));
  } else if (was == Band::Healthy && is != was) {
    right = worker.flagged || score < options.health_degraded;
  }
  require_rule(right, "health-band", [&] {
    return worker_name(worker.id) + " is " + std::string(name_of(is)) + " with a score of " +
           std::to_string(score) + " and was " + std::string(name_of(was));
  });
  require_rule(!worker.fails_check || is == Band::Unhealthy, "check-counts",
               [&] { return worker_name(worker.id) + " fails its check and is not unhealthy"; });
  require_rule(!worker.flagged || is != Band::Healthy, "flag-counts",
               [&] { return worker_name(worker.id) + " says that it is degraded and is not"; });
  if (is == was) return;
  worker.band = is;
  worker.band_since = oracle.now_;
  worker.free_from = worker.turn = 0;
}

void HealthWatch::judge_after_event(const Pool& pool) const {
  WorkerId id;
  if (const auto* e = std::get_if<event::WorkerMeasured>(oracle.event_)) id = e->worker;
  if (const auto* e = std::get_if<event::WorkerChecked>(oracle.event_)) id = e->worker;
  if (const auto* e = std::get_if<event::WorkerFlagged>(oracle.event_)) id = e->worker;
  if (const auto* e = std::get_if<event::AttemptAnswered>(oracle.event_)) id = e->worker;
  SeenWorker* worker = id ? oracle.find_worker(id) : nullptr;
  if (worker == nullptr || !worker->ready) return;
  const auto view = pool.slot(worker->slot);
  if (view && view->worker == worker->id) take_band(*worker, view->health_state);
}

bool HealthWatch::is_ill(const SeenWorker& worker) const {
  const Duration patience = options_of(worker).health_replace_after;
  return worker.band == Band::Unhealthy && patience.ns != 0 &&
         oracle.now_ >= worker.band_since + patience;
}

void HealthWatch::judge_after_tick(SeenWorker& worker) const {
  worker.ill_once = worker.ill_once || is_ill(worker);
  const bool ends = worker.kill_ordered || worker.term_ordered || worker.broken;
  if (!worker.ready || ends) return;
  const bool ill = worker.band == Band::Unhealthy, less = worker.band == Band::Degraded;
  const bool told = worker.told == WorkerHealth::Unknown     ? !ill && !less
                    : worker.told == WorkerHealth::Unhealthy ? ill
                                                             : less;
  const bool other = worker.told != WorkerHealth::Unknown &&
                     worker.told != WorkerHealth::Unhealthy &&
                     worker.told != WorkerHealth::Degraded;
  require_rule(told || other, "band-told", [&] {
    return worker_name(worker.id) + " is " + std::string(name_of(worker.band)) +
           " and was said to be " + std::string(name_of(worker.told));
  });
  for (const HeldAttempt& held : worker.hand) {
    const bool asked = held.started || held.recall_ordered || !worker.recall;
    require_rule(!ill || asked || worker.retired, "unhealthy-keeps-nothing", [&] {
      return task_name(held.key.task) + " waits in the hand of the unhealthy " +
             worker_name(worker.id);
    });
  }
  if (worker.retired || oracle.now_ <= oracle.grace_until_ + kSlack) return;
  require_rule(worker.failed_row < kSurelyIll || worker.band == Band::Unhealthy, "spiral", [&] {
    return worker_name(worker.id) + " failed " + std::to_string(worker.failed_row) +
           " in a row that others do, and is " + std::string(name_of(worker.band));
  });
  require_rule(!worker.fails_check || !worker.hand.empty(), "check-ends",
               [&] { return worker_name(worker.id) + " is idle, fails its check and is kept"; });
}

bool Fitness::is_sound(const SeenWorker& worker, bool surely) const {
  const bool works = worker.assignable() && !worker.broken && !worker.stopped;
  const bool silent = worker.told == WorkerHealth::Unresponsive ||
                      worker.told == WorkerHealth::Spinning || worker.told == WorkerHealth::Wedged;
  const bool leaves = surely && worker.may_drain;
  const bool quiet = surely && worker.hand.empty() && !worker.beatless &&
                     oracle.now_ - worker.heard_at >= oracle.options_.unresponsive_after;
  return works && !silent && !quiet && !leaves && worker.band != Band::Unhealthy;
}

bool Fitness::any_sound(ClassId worker_class, bool surely) const {
  return std::ranges::any_of(oracle.slots_, [&](const SeenSlot& slot) {
    return slot.worker.live && slot.worker.worker_class == worker_class &&
           is_sound(slot.worker, surely);
  });
}

bool Fitness::may_take(const SeenWorker& worker, bool surely) const {
  return worker.band != Band::Unhealthy || !any_sound(worker.worker_class, !surely);
}

void HealthWatch::judge_given(const SeenWorker& worker, const SeenTask& task) const {
  require_rule(Fitness{oracle}.may_take(worker, false), "unhealthy-gets-nothing", [&] {
    return task_name(task.id) + " is given to the unhealthy " + worker_name(worker.id);
  });
  const bool ahead = worker.hand.size() >= worker.concurrency;
  require_rule(!ahead || worker.band == Band::Healthy, "ahead-to-healthy", [&] {
    return task_name(task.id) + " is given ahead to " + worker_name(worker.id) + ", which is " +
           std::string(name_of(worker.band));
  });
  if (ahead || task.suspect) return;
  for (const SeenSlot& slot : oracle.slots_) {
    const SeenWorker& other = slot.worker;
    if (!other.live || other.band >= worker.band || other.reserved) continue;
    if (!oracle.served_by(task, other.worker_class)) continue;
    if (oracle.suspect_waits(other.worker_class)) continue;
    require_rule(!oracle.is_free(other), "healthier-first", [&] {
      return task_name(task.id) + " is given to " + worker_name(worker.id) + ", which is " +
             std::string(name_of(worker.band)) + ", though " + worker_name(other.id) + " is free";
    });
  }
}

}  // namespace warmpool::sim
