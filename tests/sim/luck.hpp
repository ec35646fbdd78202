// When a fault strikes. Only faults that the scenario has strike, none does once the world is calm,
// and each strike is counted.
#pragma once

#include <array>

#include "tests/sim/random.hpp"
#include "tests/sim/scenario.hpp"

namespace warmpool::sim {

using Strikes = std::array<std::uint64_t, kFaults>;

class Luck {
 public:
  Luck(const Scenario& scenario, Random& random) : scenario_(scenario), random_(random) {}

  // `weight`: in per cent of how often mishaps strike in this scenario.
  bool strikes(Fault fault, std::uint64_t weight = 100) {
    if (calm_ || !scenario_.has(fault)) return false;
    if (!random_.chance(scenario_.mishaps_per_mille * weight / 100)) return false;
    count(fault);
    return true;
  }
  void count(Fault fault) { ++strikes_[static_cast<std::size_t>(fault)]; }
  void calm_down() { calm_ = true; }
  bool calm() const { return calm_; }
  const Strikes& all() const { return strikes_; }

 private:
  const Scenario& scenario_;
  Random& random_;
  bool calm_ = false;
  Strikes strikes_{};
};

}  // namespace warmpool::sim
