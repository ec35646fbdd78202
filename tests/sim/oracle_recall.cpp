// What is given ahead, and what is taken back. The oracle does not know what the core expects of a
// type, only that it is between the shortest and the longest run it saw: a rule against too much
// uses the shortest, a rule against doing something without need the longest.
#include <algorithm>
#include <set>

#include "tests/sim/oracle_breaker.hpp"

namespace warmpool::sim {
namespace {

bool is_behind(const HeldAttempt& held) { return !held.started && !held.recall_ordered; }

Place last_place(const SeenWorker& worker) {
  return std::ranges::max(worker.hand, {}, &HeldAttempt::place).place;
}

}  // namespace

// What would surely start before a task with this place though it comes after it. `recallable`: of
// what may be taken back for that.
Duration Oracle::overtaking_least(const SeenWorker& worker, const Place& place,
                                  bool recallable) const {
  Duration sum{};
  for (const HeldAttempt& held : worker.hand) {
    if (!is_behind(held) || !(place < held.place)) continue;
    if (recallable && tasks_[held.task].recalled) continue;
    sum = sum + types_[held.type.value].service_least;
  }
  return sum;
}

Duration Oracle::overtaking_most(const SeenWorker& worker, const Place& place) const {
  Duration sum{};
  for (const HeldAttempt& held : worker.hand) {
    if (is_behind(held) && place < held.place) sum = sum + types_[held.type.value].service_most;
  }
  return sum;
}

void Oracle::judge_prefetch(const SeenWorker& worker, const SeenTask& task) const {
  if (worker.hand.size() < worker.concurrency) return;
  const auto rule = [&](bool holds, std::string_view name, std::string_view why) {
    require_rule(holds, name, [&] {
      return task_name(task.id) + " is given ahead to " + worker_name(worker.id) + ": " +
             std::string(why);
    });
  };
  Duration least{};
  bool known = true;
  const auto add = [&](TypeId type) {
    known = known && types_[type.value].answers >= 8;
    least = least + types_[type.value].service_least;
  };
  add(task.spec.type);
  for (const HeldAttempt& held : worker.hand) add(held.type);
  rule(known, "prefetch", "a time is not known");
  rule(least <= options_.prefetch_budget, "prefetch", "it is beyond the budget");
  rule(worker.recall, "prefetch-recallable", "it could not be taken back");
  rule(!task.recalled || least <= options_.overtake_max, "given-again", "it was taken back before");
  rule(overtaking_least(worker, place_of(task), false) <= options_.overtake_max, "overtaken",
       "too much that is less urgent runs before it");
  const HeldAttempt& first = worker.hand.front();
  const Duration expected = types_[first.type.value].service_most + options_.recall_idle_after;
  rule(now_ < first.started_at + std::min(options_.recall_after, expected), "behind-late",
       "the first runs longer than it should");
}

// Somebody does not want it to run there: its client, or who ends the worker or the task before it.
bool Oracle::recall_is_asked(const SeenWorker& worker, const SeenTask& task) const {
  const bool ill = worker.band == Band::Unhealthy && std::holds_alternative<event::Tick>(*event_);
  return ill || task.cancel_asked || task.dropped || worker.replaced || worker.leaving ||
         std::holds_alternative<event::Scale>(*event_) ||
         std::holds_alternative<event::ClassDeclared>(*event_) ||
         std::holds_alternative<event::Stop>(*event_) ||
         std::ranges::any_of(worker.hand, &HeldAttempt::cancel_ordered);
}

// It has waited for long enough, and somebody who could run it is free.
bool Oracle::recall_shares(const HeldAttempt& attempt) const {
  if (now_ < attempt.assigned_at + options_.recall_idle_after) return false;
  return std::ranges::any_of(slots_, [&](const SeenSlot& slot) {
    return slot.worker.live && served_by(tasks_[attempt.task], slot.worker.worker_class) &&
           is_free(slot.worker, false);
  });
}

// A more urgent task has no place, and too much would run before it.
bool Oracle::recall_clears(const SeenWorker& worker, const HeldAttempt& attempt) const {
  if (tasks_[attempt.task].recalled) return false;
  return std::ranges::any_of(unsettled_, [&](std::uint32_t index) {
    const SeenTask& task = tasks_[index];
    if (!ready_now(task) || !served_by(task, worker.worker_class)) return false;
    const Place place = place_of(task);
    return place < attempt.place && overtaking_most(worker, place) > options_.overtake_max;
  });
}

void Oracle::judge_recall(const command::Recall& recall) {
  SeenWorker& worker = worker_of(recall.worker, "recall-unstarted");
  const auto found = std::ranges::find(worker.hand, recall.key, &HeldAttempt::key);
  require_rule(
      worker.recall && found != worker.hand.end() && !found->recall_ordered && !found->started,
      "recall-unstarted", [&] {
        return task_name(recall.key.task) + " at " + worker_name(worker.id) +
               " is not recallable, not in hand, started or recalled already";
      });
  const bool tick = std::holds_alternative<event::Tick>(*event_);
  const bool late = tick && now_ >= worker.hand.front().started_at + options_.recall_after;
  const bool opened = tick && BreakerWatch{*this}.recall_is_asked(*found);
  if (!late && !opened && !recall_is_asked(worker, tasks_[found->task])) {
    const bool shares = tick && recall_shares(*found);
    const bool clears = tick && recall_clears(worker, *found);
    require_rule(shares || clears, "recall-reason", [&] {
      return task_name(recall.key.task) + " is taken back from " + worker_name(worker.id) +
             " without reason";
    });
    if (shares && !clears) judge_shared_late(*found);
    if (!shares) cleared_.emplace_back(worker.id, last_place(worker));
    shared_ += shares && !clears;
  }
  found->recall_ordered = true;
  found->recall_at = now_;
  worker.cleared = true;
}

// What somebody could have taken since the last Tick should have had a Tick of its own.
void Oracle::judge_shared_late(const HeldAttempt& attempt) const {
  bool idle = false;
  for (const SeenSlot& slot : slots_) {
    const SeenWorker& worker = slot.worker;
    if (!worker.live) continue;
    if (std::ranges::any_of(worker.hand, &HeldAttempt::recall_ordered)) return;
    idle = idle || (worker.idle_at_last_tick && worker.idle_since <= previous_tick_ &&
                    served_by(tasks_[attempt.task], worker.worker_class));
  }
  if (!idle || shared_ != 0 || options_at_ >= previous_tick_) return;
  const Duration pause = std::max(kSlack, options_.recall_idle_after / 4);
  const Instant due = std::max(attempt.assigned_at + options_.recall_idle_after, previous_tick_);
  judge_due(due + pause, "a task for a free worker");
}

void Oracle::judge_hands() const {
  const bool any = std::ranges::any_of(slots_, [](const SeenSlot& slot) {
    return slot.worker.live && slot.worker.hand.size() > slot.worker.concurrency;
  });
  if (!any) return;
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    judge_ways(ClassId{static_cast<std::uint16_t>(c)});
  }
  judge_storm();
  judge_beside_idle();
}

// For each task that waits and is more urgent than too much in some hand, one hand was cleared.
void Oracle::judge_ways(ClassId worker_class) const {
  if (!is_open(worker_class)) return;
  std::size_t cleared = 0;
  std::vector<const SeenWorker*> hands;
  for (const SeenSlot& slot : slots_) {
    const SeenWorker& worker = slot.worker;
    if (!worker.live || worker.worker_class != worker_class) continue;
    cleared += worker.cleared;
    const bool asked = worker.assignable() && worker.recall && !worker.stopped && !worker.broken;
    if (asked && worker.hand.size() > worker.concurrency) hands.push_back(&worker);
  }
  if (hands.empty()) return;
  std::size_t urgent = 0;
  for (const Place& place : ready_places(worker_class)) {
    const auto in_the_way = std::ranges::find_if(hands, [&](const SeenWorker* worker) {
      return !worker->cleared && overtaking_least(*worker, place, true) > options_.overtake_max;
    });
    if (in_the_way == hands.end()) return;
    require_rule(cleared >= ++urgent, "urgent-recall", [&] {
      return task_name(place.id) + " waits for " + std::to_string(urgent) + " places, and " +
             worker_name((*in_the_way)->id) + " keeps less urgent ones";
    });
  }
}

// No more hands were cleared in this turn than tasks wait that could need them, and no more was
// taken back for free workers than they can take.
void Oracle::judge_storm() const {
  std::size_t places = 0;
  for (const SeenSlot& slot : slots_) {
    const SeenWorker& worker = slot.worker;
    if (worker.live && is_free(worker, false)) places += worker.concurrency - worker.hand.size();
  }
  require_rule(shared_ <= places, "recall-storm", [&] {
    return std::to_string(shared_) + " taken back for " + std::to_string(places) + " free places";
  });
  for (std::size_t c = 0; c < classes_.size() && !cleared_.empty(); ++c) {
    std::set<WorkerId> hands;
    Place last{};
    for (const auto& [id, place] : cleared_) {
      if (slots_[id.value & 0xffff].worker_class.value != c) continue;
      hands.insert(id);
      last = std::max(last, place);
    }
    const auto urgent = std::ranges::count_if(unsettled_, [&](std::uint32_t index) {
      const SeenTask& task = tasks_[index];
      return !task.suspect && ready_now(task) && place_of(task) < last &&
             served_by(task, ClassId{static_cast<std::uint16_t>(c)});
    });
    const bool suspect = suspect_waits(ClassId{static_cast<std::uint16_t>(c)});
    require_rule(hands.size() <= static_cast<std::size_t>(urgent) + suspect, "recall-storm", [&] {
      return std::to_string(hands.size()) + " hands were cleared for " + std::to_string(urgent) +
             " tasks";
    });
  }
}

// Nothing waits behind another task for longer than the bound while a fitting worker is idle,
// unless what was taken back already will need that worker.
void Oracle::judge_beside_idle() const {
  const Duration bound = options_.recall_idle_after;
  const Duration pause = std::max(kSlack, bound / 4) + kSlack;
  std::vector<std::size_t> idle(classes_.size());
  std::size_t on_their_way = 0;
  for (const SeenSlot& slot : slots_) {
    const SeenWorker& worker = slot.worker;
    if (!worker.live) continue;
    if (worker.idle_at_last_tick && worker.idle_since + pause <= now_) {
      ++idle[worker.worker_class.value];
    }
    on_their_way +=
        static_cast<std::size_t>(std::ranges::count_if(worker.hand, [&](const HeldAttempt& held) {
          return held.recall_ordered && now_ <= held.recall_at + bound + pause;
        }));
  }
  for (const SeenSlot& slot : slots_) {
    const SeenWorker& worker = slot.worker;
    if (!worker.assignable() || !worker.recall || worker.stopped || worker.broken) continue;
    for (const HeldAttempt& held : worker.hand) {
      if (!is_behind(held) || now_ < held.assigned_at + bound + pause) continue;
      for (ClassId serving : types_[held.type.value].classes) {
        if (!served_by(tasks_[held.task], serving)) continue;
        require_rule(idle[serving.value] <= on_their_way, "waits-beside-idle", [&] {
          return task_name(held.key.task) + " waits behind others at " + worker_name(worker.id) +
                 " since " + std::to_string((now_ - held.assigned_at).ns / 1000) +
                 " us beside an idle worker of class " + std::to_string(serving.value);
        });
      }
    }
  }
}

}  // namespace warmpool::sim
