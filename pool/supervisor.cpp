// Slots and the lives of their workers. Ask, wait, kill: what is asked to end has a time, and then
// it is forced. A replacement is at once the first time, then later and later.
#include <algorithm>

#include "pool/core.hpp"
#include "pool/verdict.hpp"

namespace warmpool {

void Core::on(const event::Scale& event) {
  const std::size_t at = event.worker_class.value;
  if (stopping_) return refuse(event.client, event.request, {}, Refusal::Stopping, seconds(1));
  if (at >= classes.size() || !classes[at].declared) {
    return refuse(event.client, event.request, {}, Refusal::NoSuchClass);
  }
  WorkerClass& worker_class = classes[at];
  const int before = worker_class.target;
  int wanted = event.number;
  if (event.mode == event::ScaleMode::Up) wanted = before + event.number;
  if (event.mode == event::ScaleMode::Down) wanted = before - event.number;
  const auto& limits = worker_class.options;
  if (wanted < static_cast<int>(limits.size_min) || wanted > static_cast<int>(limits.size_max) ||
      wanted > slots.room(worker_class)) {
    return refuse(event.client, event.request, {}, Refusal::SizeOutOfRange);
  }
  if (wanted > before && !could_fit(worker_class, static_cast<std::uint64_t>(wanted))) {
    return refuse(event.client, event.request, {}, Refusal::MemoryDoesNotFit);
  }
  resize(worker_class, static_cast<std::uint16_t>(wanted));
  complete(event.client, event.request, static_cast<std::uint64_t>(before),
           static_cast<std::uint64_t>(wanted));
}

void Core::resize(WorkerClass& worker_class, std::uint16_t target) {
  Notification told{.notice = target > worker_class.target ? Notice::PoolScaledUp
                                                           : Notice::PoolScaledDown};
  told.worker_class = worker_class.id;
  told.count = static_cast<std::uint32_t>(std::abs(int{target} - int{worker_class.target}));
  told.size = target;
  if (told.count != 0) notify(told);
  worker_class.place_time.count(now, worker_class.wanted());
  worker_class.target = target;
  worker_class.parked = 0;
  worker_class.wanted_at = now;  // somebody wants so many
  resized_ = true;
  std::size_t active = slots.active(worker_class);
  for (; active < target; ++active) {
    Slot& slot = slots.add(worker_class, now);
    start_or_hold(slot, SlotTrigger::Spawn);
  }
  for (; active > target; --active) drain(*least_useful(worker_class));
  for (const SlotId id : worker_class.members) slots.look_at(slots[id], due_of(slots[id]));
}

namespace {

// Whom a smaller pool misses least: those of no use first, then the idle, then the busy; among
// equals the one that has served fewest, then the newest place.
int usefulness(const Slot& slot) {
  switch (slot.state) {
    case SlotState::Failed:
      return 0;
    case SlotState::Backoff:
      return 1;
    case SlotState::Held:
      return 2;
    case SlotState::Recovery:
      return 3;
    case SlotState::Starting:
      return 4;
    case SlotState::Ready:
      return 5;
    default:
      return 6;
  }
}

bool has_place(const Slot& slot) {
  return slot.state != SlotState::Gone && !slot.removing && !slot.successor && !slot.registered;
}

bool less_useful(const Slot& a, const Slot& b) {
  if (usefulness(a) != usefulness(b)) return usefulness(a) < usefulness(b);
  if (a.held.size() != b.held.size()) return a.held.size() < b.held.size();
  if (a.health.band() != b.health.band()) return b.health.band() < a.health.band();
  if (a.attempts_of_worker != b.attempts_of_worker) {
    return a.attempts_of_worker < b.attempts_of_worker;
  }
  return a.index > b.index;
}

}  // namespace

Slot* Core::least_useful(WorkerClass& worker_class) {
  Slot* least = nullptr;
  for (SlotId id : worker_class.members) {
    Slot& slot = slots[id];
    if (!has_place(slot)) continue;
    if (least == nullptr || less_useful(slot, *least)) least = &slot;
  }
  REQUIRE(least != nullptr);
  return least;
}

// The least useful first. Cost: n log n for all of them, however many go.
std::vector<Slot*> Core::idle_ones(WorkerClass& worker_class) {
  std::vector<Slot*> idle;
  for (SlotId id : worker_class.members) {
    Slot& slot = slots[id];
    if (has_place(slot) && idle_at(slot) <= now) idle.push_back(&slot);
  }
  std::ranges::sort(idle, [](const Slot* a, const Slot* b) { return less_useful(*a, *b); });
  return idle;
}

void Core::on(const event::WorkerReady& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || slot->state != SlotState::Starting) return;
  slots.fire(*slot, SlotTrigger::Hello, now);
  slot->ready_at = slot->last_heard = now;
  slot->offered = event.credits;
  slot->concurrency = static_cast<std::uint8_t>(
      std::min<std::uint64_t>(event.credits, class_of(*slot).options.concurrency));
  grant_credits(*slot);
  slot->recall = event.recall;
  slot->checkpoints = event.checkpoints;
  auto told = about(*slot, Notice::WorkerReady);
  told.duration_ns = (now - slot->spawned_at).ns;
  notify(told);
  replaced(*slot);
  if (slot->successor) hand_over(slots[slot->partner], *slot);
  if (slot->due_for != DueReason::None) class_of(*slot).due.push_back(slot->id);
  slots.look_at(*slot, due_of(*slot));
  refresh(*slot);
  pool_may_be_initialized();
}

void Core::grant_credits(Slot& slot) {
  const std::uint64_t most =
      std::max<std::uint64_t>(credits_of(class_of(slot).options), slot.concurrency);
  slot.credits = static_cast<std::uint8_t>(std::min<std::uint64_t>(slot.offered, most));
}

void Core::pool_may_be_initialized() {
  if (initialized_) return;
  std::uint32_t size = 0;
  for (const auto& worker_class : classes) {
    const auto ready = std::ranges::count_if(worker_class.members, [this](SlotId id) {
      return slots[id].state == SlotState::Ready || slots[id].state == SlotState::Running;
    });
    // What waits for memory may do so for long, and is no fault.
    const std::uint64_t may = worker_class.wanted() - held_places(worker_class);
    const auto needed = std::min<std::uint64_t>(worker_class.options.size_min, may);
    if (static_cast<std::uint64_t>(ready) < std::max<std::uint64_t>(needed, may ? 1 : 0)) return;
    size += worker_class.target;
  }
  initialized_ = true;
  Notification told{.notice = Notice::PoolInitialized};
  told.size = size;
  notify(told);
}

// Who is heard is not stopped, though nobody may have told that it goes on.
void Core::heard(Slot& slot) {
  slot.last_heard = slot.stopped_at = now;
  if (!slot.unresponsive && slot.motion == Motion::Unknown) return;
  slot.motion = Motion::Unknown;
  const bool was = std::exchange(slot.unresponsive, false);
  tell_health(slot);
  if (was) refresh(slot);
}

void Core::on(const event::WorkerBeat& event) {
  if (Slot* slot = slots.find(event.worker)) heard(*slot);
}

void Core::on(const event::WorkerStopped& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || (!slot->stopped && !event.stopped)) return;
  slot->stopped = event.stopped;
  slot->stopped_at = now;
  tell_health(*slot);
  slots.look_at(*slot, due_of(*slot));
  refresh(*slot);
}

// Who is heard moves, whatever was seen.
void Core::on(const event::WorkerObserved& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr) return;
  if (event.printed) {
    for (auto& held : slot->held) held.moves(now);
  }
  const bool silent = now - slot->last_heard >= options.unresponsive_after;
  slot->motion = silent ? event.motion : Motion::Unknown;
  tell_health(*slot);
}

// A worker that ends by itself closes its channel a moment before it is gone: it has that moment,
// so that its own status is seen and not ours.
void Core::on(const event::WorkerBroken& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || slot->state == SlotState::Recovery) return;
  if (slot->state == SlotState::Completing && event.cause == ExitCause::ChannelClosed) return;
  if (event.cause == ExitCause::Protocol) {
    return end_by_force(*slot, event.cause, command::Force::Kill);
  }
  slots.fire(*slot, SlotTrigger::Kill, now);
  tell_health(*slot);
  slot->order_later = event.cause;
  slot->force_at = now + milliseconds(100);
  slots.look_at(*slot, slot->force_at);
  refresh(*slot);
}

void Core::end_by_force(Slot& slot, ExitCause cause, command::Force force) {
  if (slot.state != SlotState::Recovery) slots.fire(slot, SlotTrigger::Kill, now);
  if (slot.order == ExitCause::Exited) slot.order = cause;
  const bool kill = force == command::Force::Kill;
  for (auto& held : slot.held) {
    if (held.is_ending()) held.rung = kill ? Rung::Kill : Rung::Term;
  }
  emit(command::EndWorker{slot.worker, force, slot.order});
  tell_health(slot);
  slot.killed = slot.killed || kill;
  slot.force_at = now + (kill ? options.unkillable_after : options.term_grace);
  if (slot.order != ExitCause::Requested && slot.order != ExitCause::Shutdown) {
    auto told = about(slot, Notice::WorkerError);
    told.exit_cause = slot.order;
    notify(told);
  }
  slots.look_at(slot, due_of(slot));
  refresh(slot);
}

void Core::drain(Slot& slot) {
  slot.removing = true;
  if (slot.partner != kNoSlot) part(slot);
  switch (slot.state) {
    case SlotState::Starting:
      end_starting(slot);
      break;
    case SlotState::Ready:
      slots.fire(slot, SlotTrigger::Drain, now);
      retire(slot);
      break;
    case SlotState::Running:
      slots.fire(slot, SlotTrigger::Drain, now);
      ask_all(slot);
      recall_unstarted(slot);
      break;
    case SlotState::Backoff:
    case SlotState::Failed:
    case SlotState::Held:
      slots.fire(slot, SlotTrigger::Remove, now);
      unwanted(slot);
      if (slot.replaced) left(slot);
      break;
    default:
      break;
  }
  refresh(slot);
}

void Core::retire(Slot& slot) {
  emit(command::Retire{slot.worker});
  slot.force_at = now + options.term_grace;
  slots.look_at(slot, slot.force_at);
}

// It has not said hello, so it would not read what it is asked.
void Core::end_starting(Slot& slot) {
  slots.fire(slot, SlotTrigger::Drain, now);
  slot.order = ExitCause::Requested;
  emit(command::EndWorker{slot.worker, command::Force::Term, slot.order});
  slot.force_at = now + options.term_grace;
  slots.look_at(slot, slot.force_at);
}

void Core::emptied(Slot& slot) {
  slot.busy = slot.busy + (now - slot.busy_since);
  slot.alone = false;
  if (slot.state == SlotState::Running) {
    slots.fire(slot, SlotTrigger::Empty, now);
    slot.last_heard = now;
    slots.look_at(slot, due_of(slot));
  } else if (slot.state == SlotState::Draining) {
    slots.fire(slot, SlotTrigger::Empty, now);
    retire(slot);
  }
}

void Core::on(const event::WorkerExited& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr) return;
  ++counters.exits;
  const bool left = event.cause == ExitCause::Exited ||
                    (slot->registered && event.cause == ExitCause::ChannelClosed);
  const bool asked = slot->state == SlotState::Completing && left;
  ExitCause cause = slot->order != ExitCause::Exited ? slot->order : event.cause;
  if (asked) cause = ExitCause::Requested;
  slot->last_cause = cause;
  slot->last_code = event.code;
  auto told = about(*slot, Notice::WorkerExited);
  told.exit_cause = cause;
  told.code = event.code;
  notify(told);
  if (slot->order == ExitCause::Exited && !asked) {
    told.notice = Notice::WorkerError;
    notify(told);
  }
  if (!slot->held.empty()) slot->busy = slot->busy + (now - slot->busy_since);
  slot->worker = WorkerId{};
  slot->alone = slot->stopped = slot->unresponsive = slot->slow = slot->killed = false;
  slot->motion = Motion::Unknown;
  slot->told = WorkerHealth::Unknown;
  slot->order = ExitCause::Exited;
  bury_hand(*slot, event, cause);
  if (slot->partner != kNoSlot && !slot->successor) succeed_the_dead(*slot);
  after_exit(*slot);
  refresh(*slot);
}

void Core::after_exit(Slot& slot) {
  slot.force_at = kNever;
  if (slot.removing || slot.registered) {
    slots.fire(slot, SlotTrigger::ExitedGone, now);
    unwanted(slot);
    if (slot.replaced || slot.heir != kNoSlot) left(slot);
    return;
  }
  recover(slot);
}

}  // namespace warmpool
