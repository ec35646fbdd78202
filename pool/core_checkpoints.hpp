// What the core does about checkpoints: when the handler of a run is asked for one, and what
// becomes of those that come. Their bytes are the daemon's.
#pragma once

#include "pool/core_health.hpp"

namespace warmpool {

class CoreCheckpoints : public CoreHealth {
 protected:
  using CoreHealth::CoreHealth;

  // When this run is to be asked next; never if its worker has not the feature, or it is ending.
  Instant ask_at(const Slot& slot, const Held& held) const;
  // Those in its hand whose time has come.
  void ask_due(Slot& slot);
  // Its worker is to end when they have: perhaps they are killed before.
  void ask_all(Slot& slot);
  // Nothing where its worker has not the feature, or it has not started.
  void ask(const Slot& slot, Held& held);
  // Order: its worker has it in hand.
  void take_checkpoint(Held& held, std::uint32_t bytes);
};

}  // namespace warmpool
