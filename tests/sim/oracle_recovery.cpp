// A class whose replacements keep dying stops making them, tries with one at a time, and comes back
// by itself; each replacement is made as the table says. A worker ends for idleness only when it
// was idle for long enough and its class has more than it must have, and comes back when it is
// needed.
#include "tests/sim/oracle_recovery.hpp"

#include <algorithm>
#include <utility>

#include "tests/sim/oracle_admission.hpp"
#include "tests/sim/oracle_health.hpp"
#include "tests/sim/oracle_liveness.hpp"

namespace warmpool::sim {
namespace {

// In which those that were held back start, at most.
constexpr Duration kSpread = seconds(1);

std::string class_text(ClassId id) { return "class " + std::to_string(id.value); }

std::uint64_t within(const std::vector<Instant>& dates, Instant now, Duration window) {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(dates, [=](Instant at) { return at + window > now; }));
}

}  // namespace

void RecoveryWatch::options_come(ClassId worker_class, bool resized) const {
  SeenClass& seen = oracle.classes_[worker_class.value];
  if (resized) seen.parked = 0;
  if (resized) seen.needed_at = oracle.now_;
}

void RecoveryWatch::restart_comes(const event::Restart& event) const {
  for (SeenSlot& slot : oracle.slots_) {
    if (!slot.used || slot.worker.live) continue;
    const bool meant = !event.worker_class || slot.worker_class == *event.worker_class;
    slot.asked = slot.asked || (!event.home && meant);
    const bool its = event.home && slot.worker.home == *event.home;
    slot.wanted = slot.wanted || (event.home ? its : meant);
    if (!its) continue;
    ++oracle.classes_[slot.worker_class.value].recovery.asked_starts;
  }
}

void RecoveryWatch::settled(const record::Settled& record) const {
  const event::AttemptAnswered& answered = *oracle.answered_;
  const bool ran = record.verdict == Verdict::Done || record.verdict == Verdict::Dead;
  if (!ran || answered.ungiven) return;
  SeenWorker& worker = oracle.worker_of(answered.worker, "world");
  SeenSlot& slot = oracle.slot_of(answered.worker);
  slot.deaths_least = slot.deaths_most = 0;
  if (std::exchange(worker.productive, true) || worker.registered) return;
  SeenRecovery& seen = oracle.classes_[worker.worker_class.value].recovery;
  seen.deaths_least.clear();
  seen.deaths_most.clear();
  const bool tries = seen.probe && seen.probe == worker.id;
  if (tries) seen.probe_works = true;
  if (tries || seen.state == RecoveryState::Closed) seen.openings = 0;
}

void RecoveryWatch::died(const SeenSlot& slot, const SeenWorker& worker) const {
  SeenClass& known = oracle.classes_[worker.worker_class.value];
  SeenRecovery& seen = known.recovery;
  if (seen.probe && seen.probe == worker.id) {
    seen.probe_died = worker.productive ? std::optional<bool>{} : true;
    seen.last_probe = std::exchange(seen.probe, WorkerId{});
    return;
  }
  const bool by_hand = worker.substituted || (!known.options.automatic_restart && !slot.pending);
  if (seen.state != RecoveryState::Closed || by_hand) return;
  // Who did not go in time may have a substitute already, which is held: then it was no death of
  // the place.
  const bool succeeded = is_stuck(worker) && AdmissionWatch{oracle}.held(worker.worker_class) != 0;
  if (slot.deaths_least >= 2 && !succeeded) seen.deaths_least.push_back(oracle.now_);
  if (slot.deaths_most >= 2) seen.deaths_most.push_back(oracle.now_);
}

void RecoveryWatch::told(const Notification& notification) const {
  switch (notification.notice) {
    case Notice::RecoveryOpened:
      return opened(class_of(notification), notification);
    case Notice::RecoveryHalfOpen:
      return half_opened(class_of(notification));
    case Notice::RecoveryClosed:
      return closed(class_of(notification), notification);
    case Notice::WorkerParked:
      return parked(class_of(notification), notification);
    case Notice::WorkerUnparked:
      return unparked(class_of(notification), notification);
    default:
      return;
  }
}

void RecoveryWatch::opened(SeenClass& known, const Notification& notification) const {
  SeenRecovery& seen = known.recovery;
  const ClassOptions& options = known.options;
  if (seen.state == RecoveryState::Closed) {
    const auto deaths = within(seen.deaths_most, oracle.now_, options.recovery_window);
    require_rule(options.recovery_deaths != 0 && deaths >= options.recovery_deaths,
                 "recovery-opens", [&] {
                   return class_text(notification.worker_class) + " opened after " +
                          std::to_string(deaths) + " deaths";
                 });
  } else {
    const bool failed = seen.probe_died.has_value() || stays(seen.probe);
    require_rule(seen.state == RecoveryState::HalfOpen && failed, "recovery-opens", [&] {
      return class_text(notification.worker_class) + " opened again without a reason";
    });
  }
  Duration longest = options.recovery_cooldown;
  for (std::uint64_t i = 0; i < seen.openings; ++i) {
    longest = std::min(longest * 2, options.recovery_cooldown_max);
  }
  const Duration told{notification.duration_ns};
  require_rule(told <= longest && told >= longest / 4 * 3, "recovery-cooldown", [&] {
    return class_text(notification.worker_class) + " is open for " +
           std::to_string(told.ns / 1000) + " us, not about " + std::to_string(longest.ns / 1000);
  });
  ++seen.openings;
  seen.state = RecoveryState::Open;
  seen.until = oracle.now_ + told;
  seen.probe = WorkerId{};
  seen.probe_died.reset();
}

// It was killed long ago, and does not go.
bool RecoveryWatch::stays(WorkerId id) const {
  const SeenWorker* worker = id ? oracle.find_worker(id) : nullptr;
  return worker != nullptr && worker->live && is_stuck(*worker);
}

// It was killed, and did not go in time.
bool RecoveryWatch::is_stuck(const SeenWorker& worker) const {
  return worker.kill_ordered && oracle.now_ >= worker.kill_at + oracle.options_.unkillable_after;
}

// It does not answer, stands still, or has what it was told to end and does not.
bool RecoveryWatch::is_unfit(const SeenWorker& worker) {
  const bool told = worker.hand.empty() && is_silence(worker.told);
  return worker.stopped || told || std::ranges::any_of(worker.hand, &HeldAttempt::cancel_ordered);
}

// It has been ready for a cooldown, whatever it runs, and was fit all that time.
bool RecoveryWatch::has_proved(const SeenClass& known) const {
  const SeenRecovery& seen = known.recovery;
  const SeenWorker* worker = seen.probe ? oracle.find_worker(seen.probe) : nullptr;
  if (seen.state != RecoveryState::HalfOpen || worker == nullptr) return false;
  const bool leaves = worker->broken || worker->may_drain || worker->may_be_removed;
  const Instant since = std::max(worker->ready_at, seen.unfit_at);
  return worker->assignable() && !leaves &&
         oracle.now_ - kSlack >= since + known.options.recovery_cooldown;
}

void RecoveryWatch::half_opened(SeenClass& known) const {
  SeenRecovery& seen = known.recovery;
  require_rule(seen.state == RecoveryState::Open && oracle.now_ >= seen.until, "recovery-tries",
               [] { return std::string("a class tries again too early"); });
  oracle.judge_due(seen.until, "a class's trial");
  seen.state = RecoveryState::HalfOpen;
  seen.probe = WorkerId{};
  seen.probe_works = false;
  seen.probe_died.reset();
}

void RecoveryWatch::closed(SeenClass& known, const Notification& notification) const {
  SeenRecovery& seen = known.recovery;
  const SeenWorker* probe = seen.probe ? oracle.find_worker(seen.probe) : nullptr;
  bool fair = false;
  switch (notification.recovery) {
    case RecoveryWhy::Recovered:
      fair =
          seen.state == RecoveryState::HalfOpen && probe != nullptr && probe->ready &&
          (seen.probe_works ||
           (!is_unfit(*probe) && oracle.now_ >= probe->ready_at + known.options.recovery_cooldown));
      break;
    case RecoveryWhy::Nobody:
      fair = seen.state == RecoveryState::HalfOpen && probe == nullptr &&
             !AdmissionWatch{oracle}.holds_probe(notification.worker_class);
      break;
    case RecoveryWhy::ByHand:
      fair = std::holds_alternative<event::Restart>(*oracle.event_);
      break;
    default:
      break;
  }
  require_rule(fair, "recovery-closes", [&] {
    return class_text(notification.worker_class) +
           " closed without a reason: " + std::string(name_of(notification.recovery));
  });
  const bool anew = notification.recovery == RecoveryWhy::ByHand ||
                    notification.recovery == RecoveryWhy::Off || seen.probe_works;
  seen = SeenRecovery{.closed_at = oracle.now_, .openings = anew ? 0 : seen.openings};
  // What each place had waited for is over.
  for (SeenSlot& slot : oracle.slots_) {
    if (slot.worker_class == notification.worker_class && !slot.worker.live) slot.let_go = true;
  }
}

// One that waits for memory, instead of one that is idle for long enough.
void RecoveryWatch::parked_held(SeenClass& known, const Notification& notification) const {
  const auto its = std::ranges::find_if(oracle.held_, [&](const SeenHeld& held) {
    return held.worker_class == notification.worker_class && held.home == notification.slot &&
           !held.successor;
  });
  require_rule(its != oracle.held_.end(), "parked-idle", [&] {
    return class_text(notification.worker_class) + " gives up a place that is not held";
  });
  if (its->slot.value < oracle.slots_.size()) {  // who is there next is no replacement
    SeenSlot& slot = oracle.slots_[its->slot.value];
    slot.deaths_least = slot.deaths_most = 0;
  }
  oracle.held_.erase(its);
  ++known.parked;
  ++oracle.seen_.parked;
  require_rule(known.target >= known.options.size_min + known.parked, "parked-min", [&] {
    return class_text(notification.worker_class) + " has less than size_min for idleness";
  });
  oracle.owe(Notice::WorkerParked);
}

void RecoveryWatch::parked(SeenClass& known, const Notification& notification) const {
  if (!notification.worker) return parked_held(known, notification);
  const auto held = AdmissionWatch{oracle}.held(notification.worker_class);
  require_rule(held == 0, "parked-idle", [&] {
    return worker_name(notification.worker) + " ends for idleness while places are held";
  });
  SeenWorker& worker = oracle.worker_of(notification.worker, "parked-idle");
  const Duration most = known.options.max_idle;
  const Instant since = std::max(worker.empty_since, worker.ready_at);
  require_rule(
      most.ns != 0 && worker.assignable() && worker.hand.empty() && oracle.now_ >= since + most,
      "parked-idle", [&] {
        return worker_name(worker.id) + " ends after " +
               std::to_string((oracle.now_ - since).ns / 1000) + " us without work";
      });
  require_rule(!could_run(worker.worker_class), "parked-needed",
               [&] { return worker_name(worker.id) + " ends for idleness while tasks wait"; });
  ++known.parked;
  ++oracle.seen_.parked;
  require_rule(known.target >= known.options.size_min + known.parked, "parked-min", [&] {
    return class_text(notification.worker_class) + " has less than size_min for idleness";
  });
  worker.parked = true;
  AdmissionWatch{oracle}.forget_successor(worker);
  oracle.owe(Notice::WorkerParked);
}

void RecoveryWatch::unparked(SeenClass& known, const Notification& notification) const {
  const bool declared = std::holds_alternative<event::ClassDeclared>(*oracle.event_);
  require_rule(
      known.parked > 0 && (declared || needs_more(notification.worker_class.value, false) ||
                           needs_more(notification.worker_class.value, true) ||
                           only_ill(notification.worker_class, false)),
      "unparked-needed", [&] {
        return class_text(notification.worker_class) +
               " takes one back though no task waits for want of a worker";
      });
  --known.parked;
  ++known.unparking;
  oracle.owe(Notice::WorkerUnparked);
}

// A task waits that it serves, and not for its turn.
bool RecoveryWatch::could_run(ClassId worker_class) const {
  return std::ranges::any_of(oracle.unsettled_, [&](std::uint32_t index) {
    const SeenTask& task = oracle.tasks_[index];
    const bool turn = !task.suspect || !oracle.full_of_suspects(worker_class);
    return turn && oracle.ready_but_for_memory(task) && oracle.served_by(task, worker_class);
  });
}

// Who has been idle for twice the time while nothing waited that its class could run goes. What a
// pause keeps from running is waited for.
void RecoveryWatch::judge_idle(ClassId worker_class, SeenClass& known) const {
  const Duration most = known.options.max_idle;
  const bool spares = most.ns != 0 && known.target > known.options.size_min + known.parked;
  const bool needed = could_run(worker_class) || !oracle.is_open(worker_class) ||
                      known.recovery.state != RecoveryState::Closed;
  if (!std::exchange(known.spares, spares) || needed) known.needed_at = oracle.now_;
  if (!spares) return;
  for (const SeenSlot& slot : oracle.slots_) {
    const SeenWorker& worker = slot.worker;
    if (slot.worker_class != worker_class || !worker.assignable() || worker.registered) continue;
    if (worker.broken || !worker.hand.empty() || slot.pending || worker.may_drain) continue;
    const Instant since = std::max({worker.empty_since, worker.ready_at, known.needed_at,
                                    known.declared_at, oracle.grace_until_});
    require_rule(oracle.now_ < since + most * 2 + kSlack, "parked-late", [&] {
      return worker_name(worker.id) + " is idle for " +
             std::to_string((oracle.now_ - since).ns / 1000) + " us and stays";
    });
  }
}

// More tasks wait that it serves than workers come for them, and none of its workers is free; for a
// suspect none that is empty.
bool RecoveryWatch::needs_more(std::size_t worker_class, bool suspect) const {
  const ClassId id{static_cast<std::uint16_t>(worker_class)};
  std::uint64_t waiting = 0;
  for (const std::uint32_t index : oracle.unsettled_) {
    const SeenTask& task = oracle.tasks_[index];
    const bool waits = oracle.ready_now(task) && oracle.served_by(task, id);
    waiting += waits && (!task.suspect || (suspect && !oracle.full_of_suspects(id)));
  }
  const bool full = std::ranges::none_of(oracle.slots_, [&](const SeenSlot& slot) {
    const bool fits = suspect ? slot.worker.hand.empty() : !slot.worker.reserved;
    return slot.worker_class == id && fits && oracle.is_free(slot.worker);
  });
  return full && waiting > coming(id) + oracle.classes_[worker_class].unparking;
}

// It has such as would be given something, and no other.
bool RecoveryWatch::only_ill(ClassId worker_class, bool surely) const {
  if (Fitness{oracle}.any_sound(worker_class, !surely)) return false;
  return std::ranges::any_of(oracle.slots_, [&](const SeenSlot& slot) {
    const SeenWorker& worker = slot.worker;
    return slot.worker_class == worker_class && worker.band == Band::Unhealthy &&
           !(surely && worker.reserved) && oracle.is_free(worker, surely);
  });
}

std::uint64_t RecoveryWatch::coming(ClassId worker_class) const {
  const auto starting = std::ranges::count_if(oracle.slots_, [&](const SeenSlot& slot) {
    const SeenWorker& worker = slot.worker;
    const bool ends = worker.term_ordered || worker.kill_ordered || worker.broken;
    return slot.worker_class == worker_class && worker.live && !worker.ready && !slot.pending &&
           !ends;
  });
  return static_cast<std::uint64_t>(starting) + AdmissionWatch{oracle}.held(worker_class);
}

void RecoveryWatch::judge_strategy(const SeenSlot& slot, const command::Spawn& spawn) const {
  const SeenClass& known = oracle.classes_[spawn.worker_class.value];
  const auto rules = parse_recovery(known.options.recovery);
  const command::Recovery& how = spawn.recovery;
  const auto least = std::min(slot.deaths_least, slot.deaths_most);
  bool fair = false;
  for (std::uint32_t deaths = least; deaths <= slot.deaths_most; ++deaths) {
    const auto strategy = choose_recovery(*rules, how.cause, deaths);
    const bool clears =
        strategy == RecoveryStrategy::Recreate || strategy == RecoveryStrategy::Reset;
    const bool shared = clears && how.strategy == RecoveryStrategy::Restart;
    fair = fair || how.strategy == strategy || shared;
  }
  const bool counted = how.deaths <= slot.deaths_most;
  require_rule(fair && counted, "recovery-strategy", [&] {
    return worker_name(spawn.worker) + " is started by " + std::string(name_of(how.strategy)) +
           " after " + std::string(name_of(how.cause)) + " and " + std::to_string(how.deaths) +
           " deaths in a row";
  });
}

// The place has another number; what it had waited for it still waits for.
void RecoveryWatch::move(SeenSlot& slot, const command::Spawn& spawn) const {
  // Several may have had that number, one after the other.
  SeenSlot* former = nullptr;
  for (SeenSlot& one : oracle.slots_) {
    const bool may = one.used && !one.worker.live && one.worker_class == spawn.worker_class &&
                     one.worker.home == spawn.recovery.former;
    if (may && (former == nullptr || one.died_at > former->died_at)) former = &one;
  }
  const bool taken = std::ranges::any_of(oracle.slots_, [&](const SeenSlot& one) {
    return one.used && one.worker_class == spawn.worker_class && one.worker.live &&
           one.worker.home == spawn.home;
  });
  const bool fresh = former != nullptr && spawn.home != spawn.recovery.former && !taken;
  require_rule(fresh, "recreated-elsewhere",
               [&] { return worker_name(spawn.worker) + " is no new place for an old one"; });
  if (former == &slot) return;
  slot.deaths_least = former->deaths_least;
  slot.deaths_most = former->deaths_most;
  slot.died_at = former->died_at;
  slot.let_go = former->let_go;
  slot.asked = former->asked;
  slot.wanted = former->wanted;
  slot.worker_class = former->worker_class;
  slot.used = true;
  former->used = former->pending = false;
  former->deaths_least = former->deaths_most = 0;
}

void RecoveryWatch::judge_spawn(SeenSlot& slot, const command::Spawn& spawn, bool was_held) const {
  SeenClass& known = oracle.classes_[spawn.worker_class.value];
  SeenRecovery& seen = known.recovery;
  if (spawn.recovery.attempt == 0) {
    const bool pair = known.unparking == 0 && seen.state != RecoveryState::Closed;
    const bool wanted = std::holds_alternative<event::Scale>(*oracle.event_) ||
                        std::holds_alternative<event::ClassDeclared>(*oracle.event_);
    require_rule(!pair || wanted, "recovery-holds", [&] {
      return worker_name(spawn.worker) +
             " is started though the breaker of its class is not closed";
    });
    return;
  }
  if (spawn.recovery.former != SlotId{0xffff}) move(slot, spawn);
  if (slot.worker_class == spawn.worker_class) judge_strategy(slot, spawn);
  const bool by_itself = known.options.automatic_restart || slot.pending || was_held;
  const bool wanted = std::exchange(slot.wanted, false);
  require_rule(by_itself || wanted, "waits-for-a-person",
               [&] { return worker_name(spawn.worker) + " is started, and nobody asked for it"; });
  const bool asked = std::exchange(slot.asked, false);
  if (seen.state == RecoveryState::Closed) return;
  const bool tries = seen.state == RecoveryState::HalfOpen && !seen.probe;
  if (tries) {
    seen.probe = spawn.worker;
    seen.probe_works = false;
    seen.probe_died.reset();
    slot.let_go = true;
    return;
  }
  if (asked) return;  // by a restart of its class; it was held meanwhile
  require_rule(seen.asked_starts > 0, "recovery-holds", [&] {
    return worker_name(spawn.worker) + " is started though the breaker of its class is " +
           std::string(name_of(seen.state)) + (seen.probe ? " and another one tries" : "");
  });
  --seen.asked_starts;
}

// A probe that was of no use closes nothing, and too many deaths open it.
void RecoveryWatch::judge_step() const {
  for (SeenClass& known : oracle.classes_) known.unparking = 0;
  for (std::size_t i = 0; i < oracle.classes_.size(); ++i) {
    const SeenClass& known = oracle.classes_[i];
    const SeenRecovery& seen = known.recovery;
    const std::uint64_t most = known.options.recovery_deaths;
    if (seen.state != RecoveryState::Closed || most == 0) continue;
    const auto deaths = within(seen.deaths_least, oracle.now_, known.options.recovery_window);
    require_rule(deaths < most, "recovery-opens", [&] {
      return "class " + std::to_string(i) + " had to open after " + std::to_string(deaths) +
             " deaths";
    });
  }
}

// A successor that died is tried again, whatever holds for the places of its class.
void RecoveryWatch::judge_successors() const {
  const AdmissionWatch admission{oracle};
  for (const SeenSlot& slot : oracle.slots_) {
    const SeenClass& known = oracle.classes_[slot.worker_class.value];
    const SlotId id{static_cast<std::uint16_t>(&slot - oracle.slots_.data())};
    const bool waits = slot.used && slot.pending && !slot.worker.live && !admission.is_held(id);
    if (!waits || known.recovery.state != RecoveryState::Closed) continue;
    const bool works = std::ranges::any_of(oracle.slots_, [&](const SeenSlot& one) {
      return one.worker_class == slot.worker_class && one.worker.home == slot.worker.home &&
             one.worker.assignable() && !one.worker.may_drain;
    });
    if (!works) continue;
    const Duration spread = std::min(known.options.recovery_cooldown, kSpread);
    const Instant due = std::max(slot.died_at + oracle.restart_wait(slot.deaths_most),
                                 known.recovery.closed_at + spread);
    require_rule(oracle.now_ <= due + kSlack, "successor-tries", [&] {
      return worker_name(slot.worker.id) + " is to succeed another one, and is not tried again";
    });
  }
}

// The place of one that was killed and does not go is another one's.
void RecoveryWatch::judge_stuck() const {
  if (!oracle.calm()) return;
  for (const SeenSlot& slot : oracle.slots_) {
    const SeenWorker& worker = slot.worker;
    const bool stuck = worker.live && stays(worker.id) &&
                       oracle.now_ > worker.kill_at + oracle.options_.unkillable_after + kSlack;
    const bool exempt = worker.registered || worker.retired || worker.unwanted() ||
                        worker.may_drain || worker.may_be_removed || worker.parked || slot.pending;
    const SeenClass& known = oracle.classes_[worker.worker_class.value];
    const bool may = known.options.automatic_restart &&
                     known.recovery.state == RecoveryState::Closed &&
                     AdmissionWatch{oracle}.held(worker.worker_class) == 0 &&
                     oracle.now_ > oracle.grace_until_ + kSlack;
    if (!stuck || exempt || !may || worker.replaced || oracle.is_pair(worker)) continue;
    // One that was on its way out before is not missed.
    std::uint64_t others = oracle.waiting_places(worker.worker_class);
    for (const SeenSlot& one : oracle.slots_) {
      others += one.worker_class == worker.worker_class && one.worker.live &&
                !one.worker.registered && !one.worker.replaced && !stays(one.worker.id);
    }
    if (others >= known.target - known.parked) continue;
    violate("unkillable-substituted",
            worker_name(worker.id) + " does not go, and nobody has its place");
  }
}

void RecoveryWatch::judge_after_tick(const Pool& pool) const {
  if (oracle.stopping_) return;
  judge_successors();
  judge_stuck();
  for (std::size_t i = 0; i < oracle.classes_.size(); ++i) {
    SeenClass& known = oracle.classes_[i];
    SeenRecovery& seen = known.recovery;
    const SeenWorker* probe = seen.probe ? oracle.find_worker(seen.probe) : nullptr;
    const bool silent =
        probe != nullptr && oracle.now_ - probe->heard_at >= oracle.options_.unresponsive_after;
    if (probe != nullptr && (silent || is_unfit(*probe))) seen.unfit_at = oracle.now_;
    require_rule(seen.state != RecoveryState::Open || oracle.now_ < seen.until, "recovery-tries",
                 [&] { return "class " + std::to_string(i) + " does not try again"; });
    require_rule(!oracle.calm() || !stays(seen.probe), "recovery-tries", [&] {
      return worker_name(seen.probe) +
             ", which tries for its class, cannot be killed, and holds it";
    });
    require_rule(!has_proved(known), "recovery-closes-late", [&] {
      return worker_name(seen.probe) + " serves for long enough, and its class still tries";
    });
    const ClassId id{static_cast<std::uint16_t>(i)};
    judge_idle(id, known);
    const bool may = known.parked > 0 && oracle.is_open(id) && seen.state == RecoveryState::Closed;
    const bool starts = std::ranges::any_of(oracle.slots_, [&](const SeenSlot& slot) {
      return slot.worker_class == id && slot.worker.live && !slot.worker.ready;
    });
    const bool comes = starts || AdmissionWatch{oracle}.held(id) != 0;  // or waits for room
    require_rule(!may || comes || !needs_more(i, false), "unparked-late", [&] {
      return "a task waits, and class " + std::to_string(i) + " does without workers";
    });
    require_rule(!may || comes || !only_ill(id, true), "unparked-late", [&] {
      return "class " + std::to_string(i) + " has unhealthy workers only, and others are parked";
    });
  }
  if (oracle.ticks_ % 16 != 0) return;
  for (const ClassView& view : pool.overview().classes) {
    const SeenClass& known = oracle.classes_[view.worker_class.value];
    require_rule(
        view.parked == known.parked && view.recovery.state == known.recovery.state, "shown", [&] {
          return class_text(view.worker_class) + " is shown with " + std::to_string(view.parked) +
                 " parked and its breaker " + std::string(name_of(view.recovery.state));
        });
  }
}

bool RecoveryWatch::holds(const SeenSlot& slot) const {
  const SeenClass& known = oracle.classes_[slot.worker_class.value];
  if (known.recovery.state != RecoveryState::Closed) return true;
  const Duration spread = std::min(known.options.recovery_cooldown, kSpread);
  return slot.let_go && oracle.now_ <= known.recovery.closed_at + spread + kSlack;
}

}  // namespace warmpool::sim
