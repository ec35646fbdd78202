// What the core does about circuit breakers. A breaker that admits nothing more closes the lanes of
// its type, as a pause does.
#pragma once

#include "pool/core_state.hpp"

namespace warmpool {

class CoreBreakers : public CoreState {
 protected:
  using CoreState::CoreState;

  void on(const event::TypeConfigured& event);
  void on(const event::SetBreaker& event);
  // Order: for each attempt once when it is given to a worker, and once when it leaves its hand.
  void run_begins(TypeId type);
  void run_ends(const Held& held, EndCause cause, Charge charge);
  // Those whose time to stay open is over.
  void judge_breakers();

 private:
  Duration cooldown_of(const Breaker& breaker);
  void open(TypeId type, Breaker& breaker, BreakerTrigger trigger, BreakerWhy why,
            Duration cooldown);
  void half_open(TypeId type, Breaker& breaker);
  void close(TypeId type, Breaker& breaker, BreakerTrigger trigger, BreakerWhy why);
  void leave_open(TypeId type, const Breaker& breaker);
  void hit(const Breaker& breaker, BreakerTrigger trigger);
  void gate(TypeId type, const Breaker& breaker);
  void tell(Notice notice, TypeId type, const Breaker& breaker);
};

}  // namespace warmpool
