// Strategies hold no state of their own: the cursor lives with the class, so that a reload may
// change the strategy of a running class.
#include "pool/strategy.hpp"

namespace warmpool {
namespace {

class RoundRobin final : public Strategy {
 public:
  std::uint16_t choose(WorkerClass& worker_class, const SlotTable&,
                       const SlotSet& candidates) const override {
    const std::uint16_t index = *candidates.next_round(worker_class.cursor);
    worker_class.cursor = static_cast<std::uint16_t>(index + 1);
    return index;
  }
};

// Fewest tasks in hand; among equals the one that has served fewest.
class LeastLoaded final : public Strategy {
 public:
  std::uint16_t choose(WorkerClass& worker_class, const SlotTable& slots,
                       const SlotSet& candidates) const override {
    std::uint16_t best = *candidates.next(0);
    candidates.each([&](std::uint16_t index) {
      if (lighter(slots[worker_class.members[index]], slots[worker_class.members[best]])) {
        best = index;
      }
    });
    return best;
  }

 private:
  static bool lighter(const Slot& a, const Slot& b) {
    if (a.held.size() != b.held.size()) return a.held.size() < b.held.size();
    return a.attempts_of_worker < b.attempts_of_worker;
  }
};

}  // namespace

const Strategy& strategy_named(std::string_view name) {
  static const RoundRobin round_robin;
  static const LeastLoaded least_loaded;
  if (name == "least-loaded") return least_loaded;
  REQUIRE(name == "round-robin");
  return round_robin;
}

}  // namespace warmpool
