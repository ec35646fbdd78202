// Work that was given ahead is taken back where keeping it would break a promise: the task before
// it runs for long, its worker is to end or has become unhealthy, a more urgent task has no place,
// or a worker is free.
//
// It is decided at a Tick and costs nothing while nobody is in the way: a class knows which slots
// hold more unstarted work than overtake_max (none, if prefetch_budget is not above it), the latest
// place in them, and when the first in any hand will have waited for too long. Only then are hands
// looked at: for free workers at most once in kPause, else only while a more urgent task waits.
//
// Nothing is given and taken in turns. Hands are cleared in proportion: for each waiting task that
// is more urgent than what is in its way, one. A task that was taken back is given ahead again only
// where all that is in the hand is within overtake_max, and then it is in nobody's way again; and
// nothing is given to a worker whose first task is late.
#include <algorithm>
#include <functional>

#include "pool/core.hpp"

namespace warmpool {
namespace {

constexpr Duration kPause = microseconds(100);

// The least urgent of what is behind others in a hand, of what comes before `limit`.
const Held* least_urgent(const Slot& slot, const LaneKey& limit) {
  const Held* least = nullptr;
  for (const auto& held : slot.held) {
    if (!held.is_behind() || !(held.place < limit)) continue;
    if (least == nullptr || least->place < held.place) least = &held;
  }
  return least;
}

// Tasks with a place before this would be overtaken by more than overtake_max.
LaneKey limit_of(const Slot& slot, Duration overtake_max) {
  LaneKey limit = kLastPlace;
  for (Duration sum{}; sum <= overtake_max;) {
    const Held* least = least_urgent(slot, limit);
    if (least == nullptr) return kFirstPlace;
    limit = least->place;
    for (const auto& held : slot.held) {  // tasks of a lane that was opened again share their place
      if (held.is_behind() && held.place == limit) sum = sum + held.expected;
    }
  }
  return limit;
}

// The least urgent of what may be taken back for a task with this place; of equals the last.
Held* in_the_way(Slot& slot, const LaneKey& place, const TaskTable& tasks) {
  Held* least = nullptr;
  for (auto& held : slot.held) {
    if (!held.is_behind() || !(place < held.place) || tasks[held.task].recalled) continue;
    if (least == nullptr || least->place <= held.place) least = &held;
  }
  return least;
}

}  // namespace

void Core::recall(Slot& slot, Held& held) {
  held.recalled_at = now;
  emit(command::Recall{slot.worker, held.key});
}

void Core::recall_unstarted(Slot& slot) {
  if (!slot.recall) return;
  for (auto& held : slot.held) {
    if (held.is_behind()) recall(slot, held);
  }
  refresh(slot);
}

// What was given ahead of types whose breaker has opened waits with the others.
void Core::recall_opened() {
  for (std::size_t at = 0; at < slots.size() && !breakers.opened.empty(); ++at) {
    Slot& slot = slots[SlotId{static_cast<std::uint16_t>(at)}];
    const bool works = slot.state == SlotState::Running || slot.state == SlotState::Draining;
    if (!slot.recall || !works) continue;
    for (auto& held : slot.held) {
      const bool opened = std::ranges::count(breakers.opened, tasks[held.task].type) != 0;
      if (opened && held.is_behind()) recall(slot, held);
    }
    refresh(slot);
  }
  breakers.opened.clear();
}

// Only what was asked for is taken back: a worker that returns all it is given would spin the pool.
void Core::on(const event::RecallAnswered& event) {
  Slot* slot = slots.find(event.worker);
  const std::size_t at = slot == nullptr ? 0 : find_held(*slot, event.key);
  if (slot == nullptr || at == slot->held.size()) return;
  heard(*slot);
  Held& held = slot->held[at];
  if (!held.recalling()) {
    if (event.returned) refuse_result(event.worker, event.key);
    return;
  }
  if (event.returned) {
    ++counters.recalls;
    return_task(held, EndCause::Recalled, event.worker, 0, false);
    take_from_hand(*slot, at);
    return;
  }
  held.recalled_at = kNever;
  look_behind();
  if (!held.started()) start(*slot, held);
  slots.look_at(*slot, due_of(*slot));
  refresh(*slot);
}

// --- behind a task that runs for long ------------------------------------------------------------

Instant Core::due_of_late(const Slot& slot) const {
  const bool works = slot.state == SlotState::Running || slot.state == SlotState::Draining;
  if (!works || !slot.recall) return kNever;
  // What is behind is at the end, but for what is being taken back.
  if (std::none_of(slot.held.rbegin(), slot.held.rend(), std::mem_fn(&Held::is_behind)))
    return kNever;
  return slot.held.front().started_at + options.recall_after;
}

void Core::recall_behind_late(Slot& slot) {
  if (due_of_late(slot) <= now) recall_unstarted(slot);
}

// The first runs longer than it should: what were given ahead now might wait for long.
bool Core::is_late(const Slot& slot) const {
  const Held& first = slot.held.front();
  const Duration patience = first.expected + options.recall_idle_after;
  return first.started_at + std::min(options.recall_after, patience) <= now;
}

// --- in the way of a more urgent task ------------------------------------------------------------

// Expected work in a hand that would start before a task with this place though it comes after it.
Duration Core::overtaking(const Slot& slot, const LaneKey& place) const {
  Duration sum{};
  if (slot.behind.ns == 0) return sum;
  for (const auto& held : slot.held) {
    if (held.is_behind() && place < held.place) sum = sum + held.expected;
  }
  return sum;
}

LaneKey latest_behind(const Slot& slot) {
  const Held* least = least_urgent(slot, kLastPlace);
  return least == nullptr ? kFirstPlace : least->place;
}

// The least urgent are taken back until a task with this place is overtaken by no more than may be.
bool Core::clear(Slot& slot, const LaneKey& place) {
  if (slot.behind <= options.overtake_max) return false;
  bool any = false;
  Duration over = overtaking(slot, place) - options.overtake_max;
  while (over.ns > 0) {
    Held* held = in_the_way(slot, place, tasks);
    if (held == nullptr) break;
    over = over - held->expected;
    recall(slot, *held);
    any = true;
  }
  if (any) refresh(slot);
  return any;
}

void Core::make_way() {
  if (stopping_) return;
  for (auto& worker_class : classes) {
    if (worker_class.over.empty() || !is_open(worker_class)) continue;
    const ClassId id = worker_class.id;
    if (worker_class.has_reserved && !lanes.empty(id, LaneKind::Suspect)) {
      clear(slots[worker_class.reserved], lanes.first_key(id, LaneKind::Suspect));
    }
    if (!lanes.empty(id, LaneKind::Ordinary)) make_way(worker_class);
  }
}

void Core::make_way(WorkerClass& worker_class) {
  const LaneKey first = lanes.first_key(worker_class.id, LaneKind::Ordinary);
  if (!(first < worker_class.latest)) return;
  ways_.clear();
  worker_class.latest = kFirstPlace;
  worker_class.over.each([&](std::uint16_t index) {
    const Slot& slot = slots[worker_class.members[index]];
    worker_class.latest = std::max(worker_class.latest, latest_behind(slot));
    const LaneKey limit = limit_of(slot, options.overtake_max);
    if (first < limit && !worker_class.cleared.has(index)) ways_.push_back({limit, slot.id});
  });
  std::ranges::sort(ways_, [](const Way& a, const Way& b) { return b.limit < a.limit; });
  for (const Way& way : ways_) {
    const std::size_t cleared = worker_class.cleared.count();
    if (lanes.count_before(worker_class.id, way.limit, cleared + 1) <= cleared) return;
    Slot& slot = slots[way.slot];
    if (clear(slot, first)) worker_class.cleared.set(slot.index, true);
  }
}

// --- beside a free worker ------------------------------------------------------------------------

bool Core::has_idle_peer(const WorkerClass& worker_class) const {
  const auto has_idle = [this](const WorkerClass& one) {
    return is_open(one) && !one.places().empty();
  };
  return has_idle(worker_class) || std::ranges::any_of(worker_class.peers, [&](ClassId id) {
           return has_idle(classes[id.value]);
         });
}

Instant Core::due_of_recall() const {
  Instant due = kNever;
  for (const auto& worker_class : classes) {
    if (worker_class.ahead.empty() || !has_idle_peer(worker_class)) continue;
    due = std::min(due, worker_class.ahead_due);
  }
  return due;
}

// A place that something on its way back would have filled may be there for something else.
void Core::look_behind() {
  for (auto& worker_class : classes) {
    worker_class.ahead_due = std::min(worker_class.ahead_due, now);
  }
}

void Core::recall_for_idle() {
  if (stopping_ || due_of_recall() > now) return;
  count_free();
  behind_.clear();
  for (auto& worker_class : classes) collect_behind(worker_class);
  std::ranges::sort(behind_, {}, &Behind::place);
  for (const Behind& behind : behind_) {
    Slot& slot = slots[behind.slot];
    if (!take_free(behind.task)) continue;
    recall(slot, slot.held[find_held(slot, behind.key)]);
    refresh(slot);
  }
}

void Core::count_free() {
  free_.assign(classes.size(), 0);
  for (const auto& worker_class : classes) {
    if (!is_open(worker_class)) continue;
    worker_class.places().each([&](std::uint16_t index) {
      const Slot& slot = slots[worker_class.members[index]];
      free_[worker_class.id.value] += slot.concurrency - slot.held.size();
    });
  }
}

bool Core::take_free(TaskIndex index) {
  for (ClassId id : lanes.classes_of(index)) {
    if (free_[id.value] == 0) continue;
    --free_[id.value];
    return true;
  }
  return false;
}

// What is on its way back will need a place, unless its worker does not answer.
void Core::collect_behind(WorkerClass& worker_class) {
  const Duration wait = options.recall_idle_after;
  Instant next = kNever;
  worker_class.ahead.each([&](std::uint16_t index) {
    const Slot& slot = slots[worker_class.members[index]];
    for (const auto& held : slot.held) {
      if (held.recalling() && now < held.recalled_at + wait) take_free(held.task);
      if (!held.is_behind()) continue;
      next = std::min(next, held.assigned_at + wait);
      if (held.assigned_at + wait <= now) {
        behind_.push_back({held.place, held.key, slot.id, held.task});
      }
    }
  });
  const Duration pause = std::max(kPause, wait / 4);
  worker_class.ahead_due = next == kNever ? kNever : std::max(next, now + pause);
}

}  // namespace warmpool
