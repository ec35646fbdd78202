// A worker that somebody else started gets a place as long as there is one, keeps it until it has
// gone or was given up, and is never replaced.
#include "tests/sim/oracle_strangers.hpp"

#include <algorithm>

namespace warmpool::sim {
void StrangerWatch::comes(const event::WorkerRegistered& event) const {
  oracle.registrations_.emplace(event.registration.value, event.worker_class);
}

void StrangerWatch::leaves(const event::WorkerLeaving& event) const {
  SeenWorker& worker = oracle.worker_of(event.worker, "world");
  worker.leaving = worker.ready && !worker.broken;
}

void StrangerWatch::outlived(const event::Outlived& event) const {
  auto& outlived = oracle.outlived_;
  if (!event.over) return outlived.push_back(event.task);
  const auto known = std::ranges::find(outlived, event.task);
  if (known == outlived.end()) return;
  outlived.erase(known);
  if (SeenTask* task = oracle.find_task(event.task)) task->waiting_since = oracle.now_;
}

bool StrangerWatch::full(ClassId worker_class) const {
  std::uint64_t all = 0, own = 0;
  for (const SeenSlot& slot : oracle.slots_) {
    if (!slot.worker.live || !slot.worker.registered) continue;
    ++all;
    own += slot.worker.worker_class == worker_class;
  }
  return all >= oracle.options_.registered_max ||
         own >= oracle.classes_[worker_class.value].options.registered_max;
}

void StrangerWatch::judge(const command::Admit& admit) const {
  const auto asked = oracle.registrations_.find(admit.registration.value);
  SeenSlot& slot = oracle.slot_of(admit.worker);
  const auto rule = [&](bool holds, std::string_view name) {
    require_rule(holds, name,
                 [&] { return worker_name(admit.worker) + " was given a place wrongly"; });
  };
  rule(asked != oracle.registrations_.end() && asked->second == admit.worker_class, "admit-asked");
  oracle.registrations_.erase(asked);
  rule(!slot.worker.live, "two-in-slot");
  rule(!oracle.stopping_, "stop-starts-nothing");
  rule(!full(admit.worker_class), "registered-max");
  for (const SeenSlot& other : oracle.slots_) {
    const SeenWorker& neighbour = other.worker;
    rule(!other.used || !neighbour.live || neighbour.worker_class != admit.worker_class ||
             neighbour.home != admit.home,
         "two-at-home");
  }
  SeenWorker worker{.id = admit.worker, .slot = admit.slot, .worker_class = admit.worker_class};
  const ClassOptions& options = oracle.classes_[admit.worker_class.value].options;
  worker.home = admit.home;
  worker.live = worker.registered = true;
  worker.beatless = options.beatless;
  worker.concurrency = options.concurrency;
  worker.spawned_at = worker.heard_at = worker.empty_since = oracle.now_;
  oracle.owe(Notice::WorkerRegistered);
  slot.worker = std::move(worker);
  slot.used = true;
  slot.pending = false;
  slot.deaths_least = slot.deaths_most = 0;
  slot.worker_class = admit.worker_class;
  ++oracle.seen_.registrations;
}

void StrangerWatch::judge(const command::TurnAway& away) const {
  const auto asked = oracle.registrations_.find(away.registration.value);
  const bool known = asked != oracle.registrations_.end();
  const bool right = known && (away.code == Refusal::Stopping      ? oracle.stopping_
                               : away.code == Refusal::WorkersFull ? full(asked->second)
                                                                   : false);
  require_rule(right, "turned-away", [&] {
    return "registration " + std::to_string(away.registration.value) + " was turned away for " +
           std::string(name_of(away.code)) + " without reason";
  });
  oracle.registrations_.erase(asked);
}

// As an exit, of one that lives on where nobody hears of it.
void StrangerWatch::judge(const command::Disown& disown) const {
  SeenWorker& worker = oracle.worker_of(disown.worker, "disown-living");
  const Instant due = worker.kill_at + oracle.options_.unkillable_after;
  require_rule(worker.registered && worker.kill_ordered && oracle.now_ >= due, "disown-due", [&] {
    return worker_name(worker.id) + " is given up too soon, or was not to be killed";
  });
  oracle.judge_due(due, "giving up a worker");
  require_rule(oracle.dying_.empty(), "exit-ends-all",
               [&] { return "attempts outlive their worker " + worker_name(oracle.dead_.id); });
  oracle.exit_comes(event::WorkerExited{disown.worker, worker.end_cause, 0});
}

void StrangerWatch::judge_after_tick() const {
  for (const SeenSlot& slot : oracle.slots_) {
    const SeenWorker& worker = slot.worker;
    if (!worker.live || !worker.registered) continue;
    const bool asked = worker.retired || worker.term_ordered || worker.kill_ordered;
    require_rule(!worker.leaving || asked || worker.broken || !worker.hand.empty(), "leaves",
                 [&] { return worker_name(worker.id) + " wants to go, is idle and is kept"; });
    const bool patient = oracle.now_ <= oracle.grace_until_ + kSlack || !oracle.calm() ||
                         oracle.now_ <= worker.kill_at + oracle.options_.unkillable_after + kSlack;
    require_rule(!worker.kill_ordered || patient, "disowned",
                 [&] { return worker_name(worker.id) + " cannot be killed and has a place"; });
  }
}

void StrangerWatch::judge_given(const SeenTask& task) const {
  require_rule(!oracle.outlives(task.id), "outlived", [&] {
    return task_name(task.id) + " is started and may still run in a worker of an earlier life";
  });
}

}  // namespace warmpool::sim
