// Strategies hold no state of their own: the cursor lives with the class, so that a reload may
// change the strategy of a running class.
#include "pool/strategy.hpp"

namespace warmpool {
namespace {

class RoundRobin final : public Strategy {
 public:
  std::optional<std::uint16_t> choose(WorkerClass& worker_class, const SlotTable& slots,
                                      const SlotSet& candidates, const Fit& fit) const override {
    auto found = first(worker_class, slots, candidates, fit, worker_class.cursor, kEnd);
    if (!found) found = first(worker_class, slots, candidates, fit, 0, worker_class.cursor);
    if (found) worker_class.cursor = static_cast<std::uint16_t>(*found + 1);
    return found;
  }

 private:
  static constexpr std::size_t kEnd = 0x10000;

  static std::optional<std::uint16_t> first(const WorkerClass& worker_class, const SlotTable& slots,
                                            const SlotSet& candidates, const Fit& fit,
                                            std::size_t from, std::size_t end) {
    for (auto at = candidates.next(from); at && *at < end; at = candidates.next(*at + 1U)) {
      if (fit(slots[worker_class.members[*at]])) return at;
    }
    return std::nullopt;
  }
};

// Fewest tasks in hand; among equals the one that has served fewest.
class LeastLoaded final : public Strategy {
 public:
  std::optional<std::uint16_t> choose(WorkerClass& worker_class, const SlotTable& slots,
                                      const SlotSet& candidates, const Fit& fit) const override {
    std::optional<std::uint16_t> best;
    candidates.each([&](std::uint16_t index) {
      const Slot& slot = slots[worker_class.members[index]];
      if (best && !lighter(slot, slots[worker_class.members[*best]])) return;
      if (fit(slot)) best = index;
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
