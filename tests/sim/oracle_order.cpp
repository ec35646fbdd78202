// Who comes first, and who is chosen. The promise of the queue: a task of priority q that becomes
// eligible more than (p - q) x priority_step after one of priority p never overtakes it. Where a
// lane was closed and opened again, its tasks count as eligible no earlier than reopen_age_max
// before that, and keep their order among themselves.
#include <algorithm>
#include <map>

#include "tests/sim/oracle_bound.hpp"
#include "tests/sim/oracle_health.hpp"

namespace warmpool::sim {
namespace {

LaneName lane_of(const SeenTask& task) {
  return {task.spec.type, task.spec.tenant, task.suspect, task.bound};
}

}  // namespace

bool Oracle::served_by(const SeenTask& task, ClassId worker_class) const {
  const auto& classes = types_[task.spec.type.value].classes;
  return serves_bound(classes, task.bound, worker_class);
}

bool Books::ready_but_for_memory(const SeenTask& task) const {
  return task.phase == Phase::Waiting && task.accept_kept && task.gate <= kept_record_ &&
         task.eligible_at <= now_ && !paused_ && !types_[task.spec.type.value].paused &&
         !task.cancel_asked && !task.dropped && !outlives(task.id) && admits(task.spec.type);
}

bool Books::ready_now(const SeenTask& task) const {
  return ready_but_for_memory(task) && fits_memory(memory_group(task));
}

// Nothing in a lane counts as coming before what was given and stands before it in the lane.
Place Oracle::place_of(const SeenTask& task) const {
  const Instant since = std::max(task.eligible_at, types_[task.spec.type.value].floor);
  const Place own{since + options_.priority_step * task.spec.priority, task.id};
  const auto lane = lanes_.find(lane_of(task));
  if (lane == lanes_.end() || place_within(task) <= lane->second.given) return own;
  return std::max(own, lane->second.counted);
}

// The task and the time that its place stands for.
std::string Oracle::place_text(const SeenTask& task) const {
  return task_name(task.id) + " (" + std::to_string(place_of(task).key.ns / 1000) + " us)";
}

void Oracle::note_given(const SeenTask& task) {
  const Place within = place_within(task), place = place_of(task);
  SeenLane& lane = lanes_[lane_of(task)];
  lane = {std::max(lane.given, within), std::max(lane.counted, place)};
}

// In its own lane.
Place Oracle::place_within(const SeenTask& task) const {
  return {task.eligible_at + options_.priority_step * task.spec.priority, task.id};
}

// The first ready task of each lane, or of those that a class serves.
std::vector<const SeenTask*> Oracle::lane_heads(std::optional<ClassId> worker_class,
                                                bool suspects) const {
  std::map<LaneName, const SeenTask*> heads;
  for (std::uint32_t index : unsettled_) {
    const SeenTask& task = tasks_[index];
    if (task.suspect != suspects || !ready_now(task)) continue;
    if (worker_class && !served_by(task, *worker_class)) continue;
    const SeenTask*& head = heads[lane_of(task)];
    if (head == nullptr || place_within(task) < place_within(*head)) head = &task;
  }
  std::vector<const SeenTask*> all;
  for (const auto& [lane, head] : heads) all.push_back(head);
  return all;
}

// Of ordinary tasks that the class could be given now, in order. Within a lane that was opened
// again none comes before those that stand before it.
std::vector<Place> Oracle::ready_places(ClassId worker_class) const {
  std::map<LaneName, std::vector<const SeenTask*>> lanes;
  for (std::uint32_t index : unsettled_) {
    const SeenTask& task = tasks_[index];
    if (task.suspect || !ready_now(task) || !served_by(task, worker_class)) continue;
    lanes[lane_of(task)].push_back(&task);
  }
  std::vector<Place> places;
  for (auto& [name, lane] : lanes) {
    std::ranges::sort(lane, {}, [this](const SeenTask* task) { return place_within(*task); });
    Place last{};
    for (const SeenTask* task : lane) {
      last = std::max(last, place_of(*task));
      places.push_back(last);
    }
  }
  std::ranges::sort(places);
  return places;
}

bool Oracle::suspect_waits(ClassId worker_class) const {
  if (!is_open(worker_class) || full_of_suspects(worker_class)) return false;
  return std::ranges::any_of(unsettled_, [&](std::uint32_t index) {
    const SeenTask& task = tasks_[index];
    return task.suspect && ready_now(task) && served_by(task, worker_class);
  });
}

// Could start one more at once. A worker that is kept for a suspect looks so too.
bool Oracle::is_free(const SeenWorker& worker, bool surely) const {
  if (worker.hand.empty()) return judge_idle(worker, surely);
  const bool usable = worker.assignable() && is_open(worker.worker_class) && !worker.stopped &&
                      !worker.broken && !(surely && worker.may_drain) &&
                      Fitness{*this}.may_take(worker, surely);
  return usable && worker.hand.size() < worker.concurrency &&
         std::ranges::none_of(worker.hand, [](const HeldAttempt& held) {
           return held.alone || held.cancel_ordered;
         });
}

void Oracle::judge_order(const SeenWorker& worker, const SeenTask& task) const {
  const auto before = [&](const SeenTask* other, std::string_view rule) {
    const bool same_lane = lane_of(*other) == lane_of(task);
    const bool first = same_lane ? other == &task : place_of(task) <= place_of(*other);
    require_rule(first, same_lane ? "order-in-lane" : rule,
                 [&] { return place_text(task) + " overtakes " + place_text(*other); });
  };
  for (const SeenTask* other : lane_heads(worker.worker_class, task.suspect)) {
    before(other, "order-across-lanes");
  }
  if (task.suspect || !worker.hand.empty() || full_of_suspects(worker.worker_class)) return;
  for (const SeenTask* suspect : lane_heads(worker.worker_class, true)) {
    require_rule(place_of(task) <= place_of(*suspect), "suspect-first", [&] {
      return place_text(task) + " is given an empty worker before the suspect " +
             place_text(*suspect);
    });
  }
}

// Which class, and which of its workers.
void Oracle::judge_choice(SeenWorker& worker, const SeenTask& task) {
  const bool at_once = worker.hand.size() < worker.concurrency;
  for (ClassId serving : types_[task.spec.type.value].classes) {
    if (!served_by(task, serving)) continue;
    if (at_once && serving == worker.worker_class) break;
    if (suspect_waits(serving)) continue;
    for (const SeenSlot& slot : slots_) {
      const SeenWorker& other = slot.worker;
      const bool free = other.live && !other.reserved && other.worker_class == serving &&
                        other.band <= worker.band && is_free(other);
      require_rule(!free, at_once ? "preferred-class" : "ahead-beside-free", [&] {
        return task_name(task.id) + " goes to " + worker_name(worker.id) + " though " +
               worker_name(other.id) + " is free";
      });
    }
  }
  if (at_once) judge_turn(worker);
}

void Oracle::judge_turn(SeenWorker& worker) {
  SeenClass& known = classes_[worker.worker_class.value];
  const bool suspects = suspect_waits(worker.worker_class);
  const bool fewest = known.options.strategy == "least-loaded";
  for (const SeenSlot& slot : slots_) {
    const SeenWorker& other = slot.worker;
    if (&other == &worker || !other.live || other.worker_class != worker.worker_class) continue;
    if (other.band != worker.band) continue;
    if (!is_free(other) || other.reserved || (suspects && !other.hand.empty())) continue;
    if (fewest) {
      require_rule(worker.hand.size() <= other.hand.size(), "least-loaded", [&] {
        return worker_name(worker.id) + " is chosen though " + worker_name(other.id) + " has less";
      });
    } else if (worker.band == Band::Healthy) {
      const bool waited = other.free_from != 0 && other.free_from < worker.turn;
      require_rule(!waited, "round-robin", [&] {
        return worker_name(worker.id) + " has a second turn though " + worker_name(other.id) +
               " was free all the time";
      });
    }
  }
  worker.turn = ++known.turns;
}

void Oracle::note_free(SeenWorker& worker) {
  if (!is_free(worker) || worker.reserved) {
    worker.free_from = 0;
  } else if (worker.free_from == 0) {
    worker.free_from = std::max<std::uint64_t>(1, classes_[worker.worker_class.value].turns);
  }
}

}  // namespace warmpool::sim
