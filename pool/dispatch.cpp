// Who runs what next, at each Tick. First what can start at once: whom a suspect needs, then the
// class's first lane. Only then is work given ahead, behind short tasks of workers with credit.
//
// A class may bound how many suspects it runs at once: those beyond wait for their turn, no worker
// is kept for them, and all else passes them.
#include <algorithm>

#include "pool/core.hpp"
#include "pool/hand_sums.hpp"

namespace warmpool {
namespace {

template <class Test>
class FitIf final : public Fit {
 public:
  explicit FitIf(Test test) : test_(std::move(test)) {}
  bool operator()(const Slot& slot) const override { return test_(slot); }

 private:
  Test test_;
};

bool is_of_use(const Slot& slot) {
  const bool works = slot.state == SlotState::Ready || slot.state == SlotState::Running;
  return works && !slot.unresponsive && !slot.stopped && !slot.removing;
}

// Is kept for a suspect, unless there is a better one.
bool may_be_kept(const Slot& slot, const WorkerClass& worker_class) {
  return slot.health.band() != Band::Unhealthy || worker_class.health.sound.empty();
}

}  // namespace

// Keeps the class's sets of who may be given what. Order: after every change of a slot. `counted`:
// the sums of its hand are those of now.
void Core::refresh(Slot& slot, bool counted) {
  WorkerClass& worker_class = class_of(slot);
  if (!counted) count_hand(slot);
  const auto [known, ending, recalling, unstarted] = slot.words;
  const bool reserved = worker_class.has_reserved && worker_class.reserved == slot.id;
  const bool usable = is_of_use(slot) && !slot.alone && !ending && !reserved;
  const bool free = usable && slot.held.size() < slot.concurrency;
  const Band band = slot.health.band();
  const bool ill = band == Band::Unhealthy;
  const bool room = slot.held.size() < slot.credits && slot.expected < options.prefetch_budget;
  const bool asks = slot.state == SlotState::Running && slot.recall && !slot.stopped;
  worker_class.suspects.set(slot.index, slot.alone && !slot.held.empty());
  worker_class.gone.set(slot.index, slot.state == SlotState::Gone);
  worker_class.free.set(slot.index, free && !ill);
  worker_class.health.well.set(slot.index, free && band == Band::Healthy);
  worker_class.health.ailing.set(slot.index, free && ill);
  worker_class.health.sound.set(slot.index, is_of_use(slot) && !ill);
  const bool ahead = usable && !free && band == Band::Healthy;
  worker_class.credit.set(slot.index, ahead && room && known && !recalling && asks);
  worker_class.ahead.set(slot.index, asks && unstarted != 0);
  const bool over = asks && slot.behind > options.overtake_max;
  worker_class.over.set(slot.index, over);
  if (over) worker_class.latest = std::max(worker_class.latest, latest_behind(slot));
  if (!usable) worker_class.cleared.set(slot.index, false);
}

void Core::refresh_all() {
  for (std::size_t at = 0; at < slots.size(); ++at) {
    Slot& slot = slots[SlotId{static_cast<std::uint16_t>(at)}];
    slots.look_at(slot, due_of(slot));
    refresh(slot);
  }
}

bool CoreState::is_open(const WorkerClass& worker_class) const {
  return worker_class.declared && !worker_class.paused && !paused_;
}

bool CoreState::has_turn(const WorkerClass& worker_class) const {
  return worker_class.suspects.count() < worker_class.options.suspects_max.value_or(kUnlimited);
}

bool CoreState::suspect_waits(const WorkerClass& worker_class) const {
  return !lanes.empty(worker_class.id, LaneKind::Suspect) && has_turn(worker_class);
}

// Free places of all classes come before any is kept for a suspect or given work ahead: a class may
// share types.
void Core::dispatch() {
  if (stopping_) return;
  for (bool gave = true; gave;) {
    gave = false;
    for (const bool critical : {true, false}) {
      for (auto& worker_class : classes) {
        if (is_open(worker_class) && worker_class.options.critical == critical) {
          gave = dispatch_free(worker_class) || gave;
        }
      }
    }
  }
  for (auto& worker_class : classes) {
    if (is_open(worker_class) && suspect_waits(worker_class)) reserve(worker_class);
  }
  for (const bool critical : {true, false}) {
    for (auto& worker_class : classes) {
      const bool its_turn = worker_class.options.critical == critical;
      if (is_open(worker_class) && its_turn) dispatch_ahead(worker_class);
    }
  }
}

bool Core::dispatch_free(WorkerClass& worker_class) {
  const ClassId id = worker_class.id;
  bool any = false;
  for (bool gave = true; gave; any = any || gave) {
    const bool suspects = suspect_waits(worker_class);
    const bool ordinary = !lanes.empty(id, LaneKind::Ordinary);
    if (!suspects) unreserve(worker_class);
    const bool suspect_first =
        suspects && (!ordinary || lanes.first_key(id, LaneKind::Suspect) <
                                      lanes.first_key(id, LaneKind::Ordinary));
    gave = (suspect_first && give_suspect(worker_class)) || (ordinary && give_free(worker_class)) ||
           (suspects && !suspect_first && give_suspect(worker_class));
  }
  return any;
}

bool Core::give_suspect(WorkerClass& worker_class) {
  Slot* slot = find_empty(worker_class);
  if (slot == nullptr) return false;
  const TaskIndex index = lanes.first(worker_class.id, LaneKind::Suspect);
  const LaneKey place = lanes.first_key(worker_class.id, LaneKind::Suspect);
  lanes.pop_first(worker_class.id, LaneKind::Suspect);
  if (worker_class.has_reserved && worker_class.reserved == slot->id) unreserve(worker_class);
  assign(*slot, index, place);
  return true;
}

bool Core::give_free(WorkerClass& worker_class) {
  if (worker_class.candidates().empty()) return false;
  const TaskIndex index = lanes.first(worker_class.id, LaneKind::Ordinary);
  if (!is_preferred(worker_class, index)) return false;
  const LaneKey place = lanes.first_key(worker_class.id, LaneKind::Ordinary);
  const FitIf any([](const Slot&) { return true; });
  const auto chosen = strategy_named(worker_class.options.strategy)
                          .choose(worker_class, slots, worker_class.candidates(), any);
  lanes.pop_first(worker_class.id, LaneKind::Ordinary);
  assign(slots[worker_class.members[*chosen]], index, place);
  return true;
}

// No class that comes before this one for the task has a free worker as healthy, and none at all a
// healthier one. That one then takes the task, or a more urgent one and asks for no more; so some
// class always goes on.
bool Core::is_preferred(const WorkerClass& worker_class, TaskIndex index) const {
  bool before = true;
  for (ClassId id : lanes.classes_of(index)) {
    const WorkerClass& other = classes[id.value];
    before = before && id != worker_class.id;
    if (id == worker_class.id || !is_open(other) || other.candidates().empty()) continue;
    const Band best = other.best(), own = worker_class.best();
    if (best < own || (before && best == own)) return false;
  }
  return true;
}

void Core::dispatch_ahead(WorkerClass& worker_class) {
  const ClassId id = worker_class.id;
  while (!worker_class.credit.empty() && !lanes.empty(id, LaneKind::Ordinary)) {
    const TaskIndex index = lanes.first(id, LaneKind::Ordinary);
    const LaneKey place = lanes.first_key(id, LaneKind::Ordinary);
    Slot* slot = find_credit(worker_class, index, place);
    if (slot == nullptr) return;
    lanes.pop_first(id, LaneKind::Ordinary);
    assign(*slot, index, place);
  }
}

// All in hand is short and leaves room, nobody in it is less urgent by too much, and the first is
// not late already.
Slot* Core::find_credit(WorkerClass& worker_class, TaskIndex index, const LaneKey& place) {
  const Duration own = expected(tasks[index].type);
  if (own.ns == 0 || !may_wait_in_hand(tasks[index].type)) return nullptr;
  const Duration budget = tasks[index].recalled
                              ? std::min(options.prefetch_budget, options.overtake_max)
                              : options.prefetch_budget;
  const FitIf has_room([&](const Slot& slot) {
    return slot.expected + own <= budget && !is_late(slot) &&
           (slot.behind <= options.overtake_max || overtaking(slot, place) <= options.overtake_max);
  });
  const auto chosen = strategy_named(worker_class.options.strategy)
                          .choose(worker_class, slots, worker_class.credit, has_room);
  return chosen ? &slots[worker_class.members[*chosen]] : nullptr;
}

Slot* Core::find_empty(WorkerClass& worker_class) {
  if (worker_class.has_reserved) {
    Slot& reserved = slots[worker_class.reserved];
    if (reserved.state == SlotState::Ready && !reserved.unresponsive && !reserved.stopped &&
        may_be_kept(reserved, worker_class)) {
      return &reserved;
    }
  }
  Slot* empty = nullptr;
  worker_class.places().each([&](std::uint16_t index) {
    Slot& slot = slots[worker_class.members[index]];
    if (!slot.held.empty()) return;
    if (empty == nullptr || slot.health.band() < empty->health.band()) empty = &slot;
  });
  return empty;
}

// The one that will be empty first, as far as one can tell: with the fewest in hand.
void Core::reserve(WorkerClass& worker_class) {
  if (worker_class.has_reserved) {
    const Slot& slot = slots[worker_class.reserved];
    const bool works = slot.state == SlotState::Running || slot.state == SlotState::Ready;
    const bool well = !slot.stopped && !slot.unresponsive && may_be_kept(slot, worker_class);
    if (works && !slot.removing && well) return;
    unreserve(worker_class);
  }
  Slot* best = nullptr;
  for (SlotId id : worker_class.members) {
    Slot& slot = slots[id];
    if (slot.state != SlotState::Running || slot.removing || slot.stopped || slot.alone) continue;
    const bool ill = !may_be_kept(slot, worker_class);
    const bool better = best != nullptr && ill != !may_be_kept(*best, worker_class)
                            ? !ill
                            : best == nullptr || slot.held.size() < best->held.size();
    if (better) best = &slot;
  }
  if (best == nullptr) return;
  worker_class.has_reserved = true;
  worker_class.reserved = best->id;
  refresh(*best);
}

void Core::unreserve(WorkerClass& worker_class) {
  if (!worker_class.has_reserved) return;
  worker_class.has_reserved = false;
  refresh(slots[worker_class.reserved]);
}

}  // namespace warmpool
