// The first replacement is at once. From the second death in a row that was of no use each place
// waits, longer and longer. Beside that a class has a breaker: where its replacements keep dying,
// further ones would only heat the machine, so none starts but a single probe after a while; when
// that works all others start, and need not wait out what each of them had waited for.
//
// A place with a productive past is the first to try: where a few places of a class are broken and
// others are not, the breaker that these opened is closed by those.
#include <algorithm>
#include <utility>

#include "pool/core_recovery.hpp"

namespace warmpool {
namespace {

// In which those that a breaker held back start again, so that they do not all come at once.
constexpr Duration kSpreadMax = seconds(1);

// What comes before a process is bounded by those who do it; that holds whatever they do: an hour
// for its turn to that, beside what its class allows for it.
Duration prepares_max(const ClassOptions& its) {
  return hours(1) + its.recovery_timeout + its.directory_timeout * 2;
}

bool waits(const Slot& slot) {
  return (slot.state == SlotState::Backoff || slot.state == SlotState::Failed) && !slot.removing;
}

// Where restarts are not automatic a place waits for a person; a successor is what a person, or a
// rule of the class, has asked for.
bool tries_by_itself(const Slot& slot, const ClassOptions& its) {
  return its.automatic_restart || slot.successor || slot.by_hand;
}

// One that is replaced while it works, or has just been, shares its number with another.
bool is_alone(const Slot& slot) {
  return !slot.successor && slot.partner == kNoSlot && slot.leaver == kNoSlot;
}

// One that is being ended, or has a run that does not end in time, proves nothing; nor does one
// that is not heard, or stands still.
bool proves(const Slot& slot) {
  const bool works = slot.state == SlotState::Ready || slot.state == SlotState::Running;
  return works && !slot.stopped && !slot.unresponsive &&
         std::ranges::none_of(slot.held, &Held::is_ending);
}

}  // namespace

void CoreRecovery::begin_life(Slot& slot) {
  slot.worker = slots.next_worker(slot.id);
  slot.attempts_of_worker = slot.answers_of_worker = 0;
  slot.spawned_at = slot.last_heard = now;
  slot.unresponsive = slot.stopped = slot.slow = slot.alone = slot.recall = false;
  slot.killed = slot.prepares = slot.useful = false;
  slot.motion = Motion::Unknown;
  slot.told = WorkerHealth::Unknown;
  slot.order = ExitCause::Exited;
  slot.force_at = kNever;
  slot.due_for = DueReason::None;
  slot.memory = slot.memory_base = 0;
  slot.based = false;
  slot.health.begin(now);
}

void CoreRecovery::start_or_hold(Slot& slot, SlotTrigger trigger) {
  const bool exited = trigger == SlotTrigger::ExitedNow;
  if (!may_start(slot)) return hold(slot, exited ? SlotTrigger::ExitedHeld : SlotTrigger::Hold);
  if (slot.recovering) return start_again(slot, trigger);
  slots.fire(slot, trigger, now);
  start_worker(slot);
}

void CoreRecovery::judge_admission() {
  if (stopping_) return;
  while (Slot* slot = next_held()) {
    if (slot->recovering) {
      start_again(*slot, SlotTrigger::Admit);
    } else {
      slots.fire(*slot, SlotTrigger::Admit, now);
      start_worker(*slot);
    }
  }
}

void CoreRecovery::start_worker(Slot& slot) {
  begin_life(slot);
  ++slot.spawns;
  ++counters.spawns;
  command::Recovery how{slot.strategy, slot.last_cause, slot.last_code, slot.unproductive,
                        slot.recovering ? slot.tries : 0};
  if (slot.recovering && slot.strategy == RecoveryStrategy::Recreate) how.former = slot.former;
  emit(command::Spawn{slot.worker, slot.id, slot.worker_class, slot.home, how});
  if (how.attempt != 0) tell(slot, how);  // by then the place has its name
  notify(about(slot, Notice::WorkerStarted));
  slots.look_at(slot, hello_due(slot));
}

void CoreRecovery::on(const event::WorkerPrepares& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || slot->state != SlotState::Starting) return;
  slot->prepares = !event.over;
  if (event.over) slot->spawned_at = now;
  slots.look_at(*slot, hello_due(*slot));
}

Instant CoreRecovery::hello_due(const Slot& slot) const {
  const Duration before =
      slot.prepares ? prepares_max(classes[slot.worker_class.value].options) : Duration{};
  return slot.spawned_at + options.start_timeout + before;
}

// It was killed, and does not go: it proves nothing any more, and others may try.
void CoreRecovery::stays(const Slot& slot) {
  WorkerClass& worker_class = classes[slot.worker_class.value];
  if (!worker_class.gate.is_probe(slot.id)) return;
  open(worker_class, RecoveryTrigger::Fail, RecoveryWhy::Probe);
}

// One beside each at most: where that hangs too, a third would as well. It counts for nobody's
// budget of replacements; with its memory it counts until it goes, as all that live.
void CoreRecovery::substitute(Slot& slot) {
  WorkerClass& worker_class = class_of(slot);
  const bool stuck = slot.state == SlotState::Recovery && slot.killed && slot.force_at == kNever;
  const bool may = is_alone(slot) && !slot.removing && !slot.registered && !stopping_;
  if (!stuck || !may || !worker_class.options.automatic_restart || worker_class.gate.shut()) return;
  Slot& heir = slots.add(worker_class, now, slot.home);
  slot.removing = slot.leaving = true;
  slot.heir = heir.id;
  heir.leaver = slot.id;
  heir.attempts += std::exchange(slot.attempts, slot.attempts_of_worker);
  heir.spawns += std::exchange(slot.spawns, 1);
  heir.busy = heir.busy + std::exchange(slot.busy, {});
  heir.died_at = slot.recovering ? slot.died_at : now;
  heir.recovering = true;
  slot.recovering = false;
  heir.unproductive = slot.unproductive;
  heir.tries = slot.tries;
  heir.last_cause = slot.order;
  heir.strategy = strategy_of(heir);
  start_or_hold(heir, SlotTrigger::Spawn);
}

RecoveryStrategy CoreRecovery::strategy_of(const Slot& slot) const {
  const auto chosen = choose_recovery(classes[slot.worker_class.value].recovery, slot.last_cause,
                                      slot.unproductive);
  const bool clears = chosen == RecoveryStrategy::Reset || chosen == RecoveryStrategy::Recreate;
  return clears && !is_alone(slot) ? RecoveryStrategy::Restart : chosen;
}

void CoreRecovery::inherit(Slot& successor, const Slot& dead) {
  successor.last_cause = dead.last_cause;
  successor.last_code = dead.last_code;
  successor.strategy = strategy_of(successor);
}

void CoreRecovery::recover(Slot& slot) {
  if (slot.recovering) {
    ++recoveries.failed;
  } else {
    slot.died_at = now;
  }
  slot.recovering = true;
  const bool useless = !slot.useful;
  if (useless) {
    ++slot.unproductive;
    ++counters.unproductive_deaths;
  }
  slot.strategy = strategy_of(slot);
  const bool by_itself = class_of(slot).options.automatic_restart || slot.successor;
  if (!by_itself) return wait_for_hand(slot);
  if (useless) judge_death(slot);
  const bool at_once = !useless || (slot.unproductive == 1 && options.restarts_max > 1);
  if (at_once && admits(slot)) return start_or_hold(slot, SlotTrigger::ExitedNow);
  back_off(slot);
}

void CoreRecovery::judge_death(Slot& slot) {
  WorkerClass& worker_class = class_of(slot);
  RecoveryGate& gate = worker_class.gate;
  if (gate.is_probe(slot.id)) return open(worker_class, RecoveryTrigger::Fail, RecoveryWhy::Probe);
  if (gate.shut() || slot.unproductive < 2) return;
  if (gate.died(now, worker_class.options)) {
    open(worker_class, RecoveryTrigger::Trip, RecoveryWhy::Deaths);
  }
}

void CoreRecovery::try_again(Slot& slot) {
  if (admits(slot)) return start_or_hold(slot, SlotTrigger::RetryDue);
  slot.retry_at = kNever;  // its breaker says when, or a person does
  if (!tries_by_itself(slot, class_of(slot).options)) tell_given_up(slot, {});
}

void CoreRecovery::start_again(Slot& died, SlotTrigger trigger) {
  const bool moves = died.strategy == RecoveryStrategy::Recreate && is_alone(died);
  Slot& slot = moves ? recreate(died) : died;
  if (!moves) slots.fire(slot, trigger, now);
  slot.by_hand = false;
  RecoveryGate& gate = class_of(slot).gate;
  if (gate.state() == RecoveryState::HalfOpen && !gate.has_probe()) gate.set_probe(slot.id);
  ++slot.tries;
  ++recoveries.attempts;
  start_worker(slot);
}

void CoreRecovery::tell(const Slot& slot, const command::Recovery& how) {
  auto told = about(slot, Notice::RecoveryAttempted);
  told.count = how.attempt;
  told.strategy = how.strategy;
  told.exit_cause = how.cause;
  told.former = how.former;
  notify(told);
}

// The number, the figures and all that the daemon has of the place go; that it died so often does
// not, or a program that cannot run would be tried without a pause.
Slot& CoreRecovery::recreate(Slot& former) {
  WorkerClass& worker_class = class_of(former);
  slots.fire(former, has_process(former.state) ? SlotTrigger::ExitedGone : SlotTrigger::Remove,
             now);
  Slot& slot = slots.add_anew(worker_class, now, former.home);
  worker_class.gone.set(former.index, true);
  slot.recovering = std::exchange(former.recovering, false);
  slot.died_at = former.died_at;
  slot.unproductive = former.unproductive;
  slot.tries = former.tries;
  slot.last_cause = former.last_cause;
  slot.last_code = former.last_code;
  slot.strategy = former.strategy;
  slot.former = former.home;
  slot.by_hand = former.by_hand;
  slots.fire(slot, SlotTrigger::Spawn, now);
  return slot;
}

void CoreRecovery::back_off(Slot& slot) {
  const bool failed = slot.unproductive >= options.restarts_max;
  slots.fire(slot, failed ? SlotTrigger::ExitedFailed : SlotTrigger::ExitedBackoff, now);
  const std::uint64_t nth = std::max<std::uint32_t>(slot.unproductive, 2) - 1U;
  const Duration wait = jitter_.shorten(backoff(
      options.restart_cooldown, options.restart_multiplier, nth, options.restart_backoff_max));
  slot.retry_at = now + wait;
  if (failed) tell_given_up(slot, wait);
  slots.look_at(slot, slot.retry_at);
}

// `wait`: until it is tried again all the same; 0: a person is waited for.
void CoreRecovery::tell_given_up(const Slot& slot, Duration wait) {
  auto told = about(slot, Notice::RecoveryGivenUp);
  told.count = slot.unproductive;
  told.strategy = slot.strategy;
  told.duration_ns = wait.ns;
  notify(told);
}

void CoreRecovery::wait_for_hand(Slot& slot) {
  slots.fire(slot, SlotTrigger::ExitedFailed, now);
  slot.retry_at = kNever;
  tell_given_up(slot, {});
}

void CoreRecovery::replaced(Slot& slot) {
  WorkerClass& worker_class = class_of(slot);
  if (worker_class.gate.is_probe(slot.id)) {
    worker_class.gate.probe_ready(now + worker_class.options.recovery_cooldown);
  }
  if (!slot.recovering) return;
  const Duration took = now - slot.died_at;
  auto told = about(slot, Notice::RecoverySucceeded);
  told.duration_ns = took.ns;
  told.strategy = slot.strategy;
  notify(told);
  recoveries.recovered(took);
  if (!slot.successor) recoveries.down_ms += took.ns / 1'000'000;
  slot.recovering = false;
}

void CoreRecovery::of_use(Slot& slot) {
  slot.unproductive = slot.tries = 0;
  if (slot.registered) return;  // it says nothing of the program that the class starts
  WorkerClass& worker_class = class_of(slot);
  worker_class.gate.proved(slot.id);
  if (!worker_class.gate.is_probe(slot.id)) return;
  close(worker_class, RecoveryTrigger::Recover, RecoveryWhy::Recovered);
}

void CoreRecovery::unwanted(Slot& slot) {
  RecoveryGate& gate = class_of(slot).gate;
  if (gate.is_probe(slot.id)) gate.drop_probe();
  if (!std::exchange(slot.recovering, false) || slot.successor) return;
  recoveries.down_ms += (now - slot.died_at).ns / 1'000'000;
}

// --- the breaker of a class ----------------------------------------------------------------------

void CoreRecovery::judge_recovery() {
  if (stopping_) return;
  for (const bool critical : {true, false}) {
    for (auto& worker_class : classes) {
      const bool its_turn = worker_class.options.critical == critical;
      if (its_turn && worker_class.gate.shut()) judge_gate(worker_class);
    }
  }
}

void CoreRecovery::judge_gate(WorkerClass& worker_class) {
  RecoveryGate& gate = worker_class.gate;
  if (gate.state() == RecoveryState::Open) {
    if (gate.until() > now) return;
    gate.half_open(now);
    tell(Notice::RecoveryHalfOpen, worker_class);
  }
  if (gate.has_probe()) {
    if (gate.proved_at() > now) return;
    // A task may take hours, and the class has one worker meanwhile; should that death be of no use
    // after all, it counts again.
    if (!proves(slots[gate.probe()]))
      return gate.probe_ready(now + worker_class.options.recovery_cooldown);
    return close(worker_class, RecoveryTrigger::Recover, RecoveryWhy::Recovered);
  }
  if (holds_probe(worker_class)) return;  // it tries as soon as it fits
  if (Slot* probe = next_probe(worker_class)) return start_or_hold(*probe, SlotTrigger::RetryDue);
  close(worker_class, RecoveryTrigger::Recover, RecoveryWhy::Nobody);
}

Instant CoreRecovery::next_recovery() const {
  Instant next = kNever;
  if (stopping_) return next;
  for (const auto& worker_class : classes) {
    const RecoveryGate& gate = worker_class.gate;
    if (!gate.shut()) continue;
    const bool tries = gate.state() == RecoveryState::HalfOpen;
    if (tries && !gate.has_probe() && holds_probe(worker_class)) continue;
    next = std::min(next, !tries ? gate.until() : gate.has_probe() ? gate.proved_at() : now);
  }
  return next;
}

Slot* CoreRecovery::next_probe(WorkerClass& worker_class) {
  Slot* first = nullptr;
  for (const SlotId id : worker_class.members) {
    Slot& slot = slots[id];
    const auto rank = [](const Slot& one) { return std::pair(one.successor, one.unproductive); };
    const bool may = waits(slot) && tries_by_itself(slot, worker_class.options);
    if (may && (first == nullptr || rank(slot) < rank(*first))) first = &slot;
  }
  return first;
}

void CoreRecovery::open(WorkerClass& worker_class, RecoveryTrigger trigger, RecoveryWhy why) {
  RecoveryGate& gate = worker_class.gate;
  const ClassOptions& its = worker_class.options;
  const Duration cooldown = jitter_.shorten(
      backoff(its.recovery_cooldown, 2, gate.openings() + 1, its.recovery_cooldown_max));
  gate.open(trigger, why, now, now + cooldown);
  tell(Notice::RecoveryOpened, worker_class);
}

void CoreRecovery::close(WorkerClass& worker_class, RecoveryTrigger trigger, RecoveryWhy why) {
  worker_class.gate.close(trigger, why, now);
  tell(Notice::RecoveryClosed, worker_class);
  release(worker_class);
}

void CoreRecovery::close_by_hand(WorkerClass& worker_class) {
  if (!worker_class.gate.shut()) return;
  close(worker_class, RecoveryTrigger::Close, RecoveryWhy::ByHand);
}

void CoreRecovery::release(WorkerClass& worker_class) {
  const Duration spread = std::min(worker_class.options.recovery_cooldown, kSpreadMax);
  for (const SlotId id : worker_class.members) {
    Slot& slot = slots[id];
    if (!waits(slot) || !tries_by_itself(slot, worker_class.options)) continue;
    slot.retry_at = std::min(slot.retry_at, now + jitter_.part(spread));
    slots.look_at(slot, slot.retry_at);
  }
  substitute_all(worker_class);
}

void CoreRecovery::substitute_all(WorkerClass& worker_class) {
  const auto members = worker_class.members;  // a substitute may be one more
  for (const SlotId id : members) substitute(slots[id]);
}

void CoreRecovery::set_recovery(WorkerClass& worker_class) {
  const ClassOptions& its = worker_class.options;
  const auto rules = parse_recovery(its.recovery);
  REQUIRE(static_cast<bool>(rules));
  worker_class.recovery = *rules;
  const bool off = !its.automatic_restart || its.recovery_deaths == 0;
  if (worker_class.gate.shut() && off) {
    return close(worker_class, RecoveryTrigger::Close, RecoveryWhy::Off);
  }
  for (const SlotId id : worker_class.members) {
    const Slot& slot = slots[id];
    const bool held = slot.state == SlotState::Held && slot.recovering && !slot.successor;
    if (held && !its.automatic_restart && !slot.by_hand) tell_given_up(slot, {});
  }
  if (!worker_class.gate.shut() && its.automatic_restart) {
    for (const SlotId id : worker_class.members) {
      Slot& slot = slots[id];
      if (!waits(slot) || slot.retry_at != kNever) continue;
      slot.retry_at = now;
      slots.look_at(slot, now);
    }
    substitute_all(worker_class);
  }
}

void CoreRecovery::tell(Notice notice, const WorkerClass& worker_class) {
  const RecoveryGate& gate = worker_class.gate;
  Notification told{.notice = notice};
  told.worker_class = worker_class.id;
  told.recovery = gate.why();
  if (gate.state() == RecoveryState::Open) {
    told.count = gate.deaths(now, worker_class.options.recovery_window);
    told.duration_ns = (gate.until() - now).ns;
  }
  notify(told);
}

}  // namespace warmpool
