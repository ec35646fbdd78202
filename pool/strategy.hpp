// Which of several fitting workers is given the next task.
#pragma once

#include <optional>
#include <string_view>

#include "pool/slot_table.hpp"

namespace warmpool {

// Which of the candidates may be chosen.
class Fit {
 public:
  virtual ~Fit() = default;
  virtual bool operator()(const Slot& slot) const = 0;
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  // Of `candidates` (indexes in the class) one that fits; nullopt if none does. May move the
  // class's cursor.
  virtual std::optional<std::uint16_t> choose(WorkerClass& worker_class, const SlotTable& slots,
                                              const SlotSet& candidates, const Fit& fit) const = 0;
};

// Bounds: a name from the row of the option `strategy`.
const Strategy& strategy_named(std::string_view name);

}  // namespace warmpool
