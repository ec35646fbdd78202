// When a breaker opens, tries and closes, and what that does to the queue.
//
// A failure is what is charged to the task as a failure or a crash; but one that failed for good
// failed by its input, and says nothing of what its handler depends on. Runs that began before a
// breaker opened say nothing of the time after it.
//
// While it admits some, the lanes of the type are closed whenever as many run as may, and opened
// when one ends: with the age that they have, or tasks of a busy pool would be overtaken for ever.
// Cost: one pass over the lanes of the type, which are its tenants, for each such run.
#include "pool/core_breakers.hpp"
#include "pool/require.hpp"

namespace warmpool {
namespace {

RunEnd run_end(EndCause cause, Charge charge) {
  if (cause == EndCause::Done) return RunEnd::Success;
  const bool charged = charge == Charge::Failure || charge == Charge::Crash;
  return charged && cause != EndCause::FailedForGood ? RunEnd::Failure : RunEnd::Neither;
}

}  // namespace

void CoreBreakers::on(const event::TypeConfigured& event) {
  Breaker* breaker = breakers.find(event.type);
  if (!event.breaker.on) {
    if (breaker == nullptr) return;
    close(event.type, *breaker, BreakerTrigger::Close, BreakerWhy::Off);
    breakers.erase(event.type);
    type_state(event.type).breaker = false;
    return;
  }
  if (breaker == nullptr) {
    breakers.add(event.type, event.breaker, now);
    type_state(event.type).breaker = true;
    return;
  }
  breaker->set_options(event.breaker);
  gate(event.type, *breaker);
}

void CoreBreakers::on(const event::SetBreaker& event) {
  Breaker* breaker = breakers.find(event.type);
  if (breaker == nullptr) {
    const bool known = event.type.value < types.size();
    return refuse(event.client, event.request, {},
                  known ? Refusal::NoBreaker : Refusal::UnknownType);
  }
  if (event.open) {
    const Duration time = event.time.ns > 0 ? event.time : cooldown_of(*breaker);
    open(event.type, *breaker, BreakerTrigger::OpenByHand, BreakerWhy::ByHand, time);
  } else if (breaker->limited()) {
    close(event.type, *breaker, BreakerTrigger::Close, BreakerWhy::ByHand);
  }
  complete(event.client, event.request, 0, 1);
}

void CoreBreakers::run_begins(TypeId type) {
  if (!types[type.value].breaker) return;
  Breaker& breaker = *breakers.find(type);
  breaker.run_begins(now);
  gate(type, breaker);
}

void CoreBreakers::run_ends(const Held& held, EndCause cause, Charge charge) {
  const TypeId type = tasks[held.task].type;
  if (!types[type.value].breaker) return;
  Breaker& breaker = *breakers.find(type);
  const auto why = breaker.run_ends(held.assigned_at, run_end(cause, charge), now);
  if (!why) return gate(type, breaker);
  if (*why == BreakerWhy::Recovered) {
    return close(type, breaker, BreakerTrigger::Recover, *why);
  }
  const auto trigger = *why == BreakerWhy::Probe ? BreakerTrigger::Fail : BreakerTrigger::Trip;
  open(type, breaker, trigger, *why, cooldown_of(breaker));
}

void CoreBreakers::judge_breakers() {
  while (breakers.next() <= now) {
    const TypeId type = breakers.first();
    half_open(type, *breakers.find(type));
  }
}

Duration CoreBreakers::cooldown_of(const Breaker& breaker) {
  const BreakerOptions& its = breaker.options();
  return jitter_.shorten(backoff(its.cooldown, 2, breaker.openings() + 1, its.cooldown_max));
}

void CoreBreakers::open(TypeId type, Breaker& breaker, BreakerTrigger trigger, BreakerWhy why,
                        Duration cooldown) {
  if (breaker.state() == BreakerState::Open) breakers.stop_waiting(type, breaker.until());
  hit(breaker, trigger);
  breaker.open(trigger, why, now, now + cooldown);
  breakers.wait_for(type, breaker.until());
  breakers.opened.push_back(type);
  gate(type, breaker);
  tell(Notice::BreakerOpened, type, breaker);
}

void CoreBreakers::half_open(TypeId type, Breaker& breaker) {
  leave_open(type, breaker);
  hit(breaker, BreakerTrigger::Cool);
  breaker.half_open(now);
  gate(type, breaker);
  tell(Notice::BreakerHalfOpen, type, breaker);
}

void CoreBreakers::close(TypeId type, Breaker& breaker, BreakerTrigger trigger, BreakerWhy why) {
  const bool silent = why == BreakerWhy::Off && !breaker.limited();
  if (breaker.state() == BreakerState::Open) leave_open(type, breaker);
  hit(breaker, trigger);
  breaker.close(trigger, why, now);
  gate(type, breaker);
  if (!silent) tell(Notice::BreakerClosed, type, breaker);
}

// What waited meanwhile claims no more age than after a pause.
void CoreBreakers::leave_open(TypeId type, const Breaker& breaker) {
  breakers.stop_waiting(type, breaker.until());
  lanes.open(type, Hold::Breaker, now, options.reopen_age_max);
}

void CoreBreakers::hit(const Breaker& breaker, BreakerTrigger trigger) {
  const std::size_t row = find_row(kBreakerRows, breaker.state(), trigger);
  REQUIRE(row != kNoRow);
  ++breakers.row_hits[row];
}

void CoreBreakers::gate(TypeId type, const Breaker& breaker) {
  const bool shut = (lanes.holds(type) & hold_bit(Hold::Breaker)) != 0;
  if (shut != breaker.admits()) return;
  if (shut) {
    lanes.open(type, Hold::Breaker, now, kDurationMax);
  } else {
    lanes.close(type, Hold::Breaker);
  }
}

void CoreBreakers::tell(Notice notice, TypeId type, const Breaker& breaker) {
  Notification told{.notice = notice};
  told.type = type;
  told.breaker = breaker.why();
  if (breaker.state() == BreakerState::Open) {
    told.duration_ns = (breaker.until() - now).ns;
    const bool share = breaker.why() == BreakerWhy::Share;
    told.count = static_cast<std::uint32_t>(share ? breaker.share(now).failures : breaker.row());
  }
  notify(told);
}

}  // namespace warmpool
