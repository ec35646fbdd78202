// A breaker opens when it must and not before, nothing of its type is given while it is open, at
// most so many probes run at once, and it closes after as many as succeeded in a row.
#include "tests/sim/oracle_breaker.hpp"

#include <algorithm>

namespace warmpool::sim {
namespace {

// Longer than any number of workers that a pool has.
constexpr std::uint64_t kAnyNumber = 65'536;

std::string type_text(std::size_t type) { return "type " + std::to_string(type); }

}  // namespace

// Of the runs that count: those that began since it opened last.
std::uint64_t Books::probes(TypeId type) const {
  std::uint64_t running = 0;
  for (const SeenSlot& slot : slots_) {
    running += static_cast<std::uint64_t>(
        std::ranges::count_if(slot.worker.hand, [&](const HeldAttempt& held) {
          return held.type == type && held.assigned_at > types_[type.value].breaker.blind_until;
        }));
  }
  return running;
}

bool Books::admits(TypeId type) const {
  const SeenBreaker& breaker = types_[type.value].breaker;
  if (!breaker.holds_back()) return true;
  return breaker.state != BreakerState::Open && probes(type) < breaker.at_once;
}

void BreakerWatch::change(SeenType& type, BreakerState to) const {
  type.breaker.state = to;
  type.breaker.since = oracle.now_;
  type.changed_at = oracle.now_;
}

void BreakerWatch::open(SeenType& type, Duration wanted) const {
  SeenBreaker& breaker = type.breaker;
  breaker.longest = breaker.rules.cooldown;
  for (std::uint64_t i = 0; i < breaker.openings; ++i) {
    breaker.longest = std::min(breaker.longest * 2, breaker.rules.cooldown_max);
  }
  ++breaker.openings;
  breaker.opens = true;
  breaker.wanted = wanted;
  breaker.blind_until = breaker.opened_at = oracle.now_;
  breaker.good = breaker.at_once = 0;
  change(type, BreakerState::Open);
  oracle.owe(Notice::BreakerOpened);
}

void BreakerWatch::close(SeenType& type, std::uint64_t at_once) const {
  SeenBreaker& breaker = type.breaker;
  if (breaker.state == BreakerState::Open) {
    type.floor = std::max(type.floor, oracle.now_ - oracle.options_.reopen_age_max);
  }
  if (at_once == 0) breaker.openings = 0;
  breaker.at_once = at_once;
  breaker.in_a_row = breaker.good = 0;
  breaker.ends.clear();
  change(type, BreakerState::Closed);
}

void BreakerWatch::configured(const event::TypeConfigured& event) const {
  SeenType& type = oracle.types_[event.type.value];
  SeenBreaker& breaker = type.breaker;
  const bool was = breaker.rules.on;
  if (was && !event.breaker.on) {
    if (breaker.holds_back()) oracle.owe(Notice::BreakerClosed);
    close(type, 0);
    type.breaker = SeenBreaker{};
  } else if (event.breaker.on && !was) {
    breaker.rules = event.breaker;
    breaker.blind_until = oracle.now_;
  } else if (event.breaker.on) {
    if (breaker.rules.window != event.breaker.window) breaker.ends.clear();
    breaker.rules = event.breaker;
    if (breaker.state == BreakerState::HalfOpen) breaker.at_once = event.breaker.probes;
    if (breaker.state == BreakerState::Closed && breaker.at_once != 0) {
      breaker.at_once = std::max(breaker.at_once, event.breaker.probes);
    }
  }
  type.changed_at = oracle.now_;
}

void BreakerWatch::set(const event::SetBreaker& event) const {
  oracle.ask({.client = event.client,
              .request = event.request,
              .asked = Asked::Breaker,
              .spec = {},
              .task = TaskId{event.type.value}});
  SeenType& type = oracle.types_[event.type.value];
  if (!type.breaker.rules.on) return;
  if (event.open) return open(type, event.time);
  if (!type.breaker.holds_back()) return;
  close(type, 0);
  oracle.owe(Notice::BreakerClosed);
}

void BreakerWatch::tick() const {
  for (SeenType& type : oracle.types_) {
    SeenBreaker& breaker = type.breaker;
    if (!breaker.rules.on || breaker.state != BreakerState::Open) continue;
    if (breaker.until > oracle.now_) continue;
    oracle.judge_due(breaker.until, "a breaker's trial");
    type.floor = std::max(type.floor, oracle.now_ - oracle.options_.reopen_age_max);
    breaker.at_once = breaker.rules.probes;
    breaker.good = 0;
    change(type, BreakerState::HalfOpen);
    oracle.owe(Notice::BreakerHalfOpen);
  }
}

void BreakerWatch::ended(const HeldAttempt& attempt, EndCause cause, Charge charge) const {
  SeenType& type = oracle.types_[attempt.type.value];
  SeenBreaker& breaker = type.breaker;
  if (!breaker.rules.on || attempt.assigned_at <= breaker.blind_until) return;
  if (breaker.holds_back()) type.changed_at = oracle.now_;
  const bool charged = charge == Charge::Failure || charge == Charge::Crash;
  const bool failed = charged && cause != EndCause::FailedForGood;
  if (!failed && cause != EndCause::Done) return;
  breaker.in_a_row = failed ? breaker.in_a_row + 1 : 0;
  breaker.good = failed ? 0 : breaker.good + 1;
  const bool enough = breaker.good >= breaker.rules.successes;
  if (breaker.state == BreakerState::HalfOpen) {
    if (failed) return open(type, {});
    if (!enough) return;
    close(type, breaker.rules.probes);
    return oracle.owe(Notice::BreakerClosed);
  }
  breaker.ends.push_back({oracle.now_, failed});
  if (failed && breaker.too_many_failed(oracle.now_)) return open(type, {});
  if (failed || breaker.at_once == 0 || !enough) return;
  breaker.good = 0;
  breaker.at_once = breaker.at_once * 2;
  if (breaker.at_once < kAnyNumber) return;
  breaker.at_once = breaker.openings = 0;
}

// When it was told that it opened, it may not be known yet that it had to.
void BreakerWatch::told(const Notification& notification) const {
  if (notification.notice != Notice::BreakerOpened) return;
  oracle.types_[notification.type.value].breaker.told = Duration{notification.duration_ns};
}

void BreakerWatch::judge_step() const {
  for (std::size_t i = 0; i < oracle.types_.size(); ++i) {
    SeenBreaker& breaker = oracle.types_[i].breaker;
    if (!breaker.opens && !breaker.told) continue;
    require_rule(breaker.opens && breaker.told, "breaker-opens", [&] {
      return "the breaker of " + type_text(i) +
             (breaker.opens ? " had to open and did not" : " opened without reason");
    });
    const Duration told = *breaker.told;
    const bool right = breaker.wanted.ns > 0
                           ? told == breaker.wanted
                           : told <= breaker.longest && told >= breaker.longest / 4 * 3;
    require_rule(right, "breaker-cooldown", [&] {
      return "the breaker of " + type_text(i) + " is open for " + std::to_string(told.ns / 1000) +
             " us, not about " +
             std::to_string(std::max(breaker.wanted, breaker.longest).ns / 1000);
    });
    breaker.until = oracle.now_ + told;
    breaker.opens = false;
    breaker.told.reset();
  }
}

void BreakerWatch::judge_given(SeenWorker& worker, const SeenTask& task) const {
  const auto rule = [&](bool holds, std::string_view name, std::string_view why) {
    require_rule(holds, name, [&] {
      return task_name(task.id) + " to " + worker_name(worker.id) + ": " + std::string(why);
    });
  };
  rule(oracle.admits(task.spec.type), "breaker", "the breaker of its type admits no more");
  const bool ahead = worker.hand.size() >= worker.concurrency;
  const bool probe = oracle.types_[task.spec.type.value].breaker.holds_back();
  const bool behind = std::ranges::any_of(worker.hand, &HeldAttempt::probe);
  rule(!ahead || !(probe || behind), "probe-ahead", "a probe would wait, or be waited for");
}

bool BreakerWatch::recall_is_asked(const HeldAttempt& attempt) const {
  const SeenBreaker& breaker = oracle.types_[attempt.type.value].breaker;
  return breaker.rules.on && breaker.opened_at >= attempt.assigned_at;
}

void BreakerWatch::judge_after_tick(const Pool& pool) const {
  for (const SeenSlot& slot : oracle.slots_) {
    const SeenWorker& worker = slot.worker;
    const bool asked = worker.live && worker.ready && worker.recall && !worker.broken &&
                       !worker.term_ordered && !worker.kill_ordered;
    if (!asked) continue;
    for (const HeldAttempt& held : worker.hand) {
      const bool left = !held.started && !held.recall_ordered && recall_is_asked(held);
      require_rule(!left, "breaker-recalls", [&] {
        return task_name(held.key.task) + " stays in the hand of " + worker_name(worker.id) +
               " though the breaker of its type opened";
      });
    }
  }
  if (oracle.ticks_ % 16 != 0) return;
  for (const TypeView& view : pool.snapshot().types) {
    const SeenBreaker& breaker = oracle.types_[view.type.value].breaker;
    const bool same = view.breaker.has_value() == breaker.rules.on &&
                      (!view.breaker || (view.breaker->state == breaker.state &&
                                         view.breaker->limit == breaker.at_once &&
                                         view.breaker->in_a_row == breaker.in_a_row &&
                                         view.breaker->running == oracle.probes(view.type)));
    require_rule(same, "shown",
                 [&] { return "the breaker of " + type_text(view.type.value) + " is otherwise"; });
  }
}

}  // namespace warmpool::sim
