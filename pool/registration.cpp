// Workers that people start themselves. They have a place as long as they are connected, and nobody
// is started in their stead: what is theirs to decide is when they come and when they go. All else,
// what they are given and how the end of what they had is charged, is as for any other worker.
#include <algorithm>

#include "pool/core.hpp"

namespace warmpool {

void Core::on(const event::WorkerRegistered& event) {
  const auto turn_away = [&](Refusal code) { emit(command::TurnAway{event.registration, code}); };
  const std::size_t at = event.worker_class.value;
  if (stopping_) return turn_away(Refusal::Stopping);
  if (at >= classes.size() || !classes[at].declared) return turn_away(Refusal::NoSuchClass);
  WorkerClass& worker_class = classes[at];
  const bool full = slots.registered() >= options.registered_max ||
                    slots.registered(worker_class.id) >= worker_class.options.registered_max;
  const bool room = !worker_class.gone.empty() || slots.size() < SlotTable::kSlotsMax;
  if (full || !room) return turn_away(Refusal::WorkersFull);
  Slot& slot = slots.add(worker_class, now);
  slot.registered = true;
  slots.fire(slot, SlotTrigger::Spawn, now);
  begin_life(slot);
  ++counters.registrations;
  emit(command::Admit{event.registration, slot.worker, slot.id, slot.worker_class, slot.home});
  notify(about(slot, Notice::WorkerRegistered));
  slots.look_at(slot, due_of(slot));
  refresh(slot);
}

void Core::on(const event::WorkerLeaving& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || !slot->registered || slot->removing) return;
  const bool works = slot->state == SlotState::Ready || slot->state == SlotState::Running;
  if (works) drain(*slot);
}

// Until it is over the task stays where it is when a record is awaited: it can be cancelled, and
// its deadline holds.
void Core::on(const event::Outlived& event) {
  if (!event.over) return outlived_.push_back(event.task);
  const auto known = std::ranges::find(outlived_, event.task);
  if (known == outlived_.end()) return;
  outlived_.erase(known);
  const auto index = tasks.find(event.task);
  if (!index || tasks[*index].state != TaskState::Recording) return;
  if (is_kept(tasks[*index].record)) go_on(*index);
}

}  // namespace warmpool
