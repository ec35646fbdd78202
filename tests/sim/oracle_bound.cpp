// A charged death for memory or time binds a task to the class that the one where it died names,
// and nothing else does or undoes that within its round.
#include "tests/sim/oracle_bound.hpp"

#include <algorithm>

namespace warmpool::sim {

bool serves_bound(const std::vector<ClassId>& classes, ClassId bound, ClassId worker_class) {
  const auto serves = [&](ClassId one) { return std::ranges::count(classes, one) != 0; };
  return serves(bound) ? worker_class == bound : serves(worker_class);
}

void BoundWatch::judge(SeenTask& task, const record::Ended& record) const {
  const bool memory = record.cause == EndCause::Memory;
  const bool dies = memory || record.cause == EndCause::Timeout;
  if (dies && record.charge != Charge::Nothing && oracle.ended_on_ != nullptr) {
    const ClassOptions& from = oracle.classes_[oracle.ended_on_->worker_class.value].options;
    const std::string& next = memory ? from.retry_memory_class : from.retry_timeout_class;
    for (std::size_t c = 0; c < oracle.classes_.size(); ++c) {
      if (oracle.classes_[c].options.name != next) continue;
      task.bound = ClassId{static_cast<std::uint16_t>(c)};
    }
  }
  require_rule(record.bound == task.bound, "bound", [&] {
    return task_name(task.id) + " ended as " + std::string(name_of(record.cause)) +
           " and is bound to class " + std::to_string(record.bound.value) + ", not to " +
           std::to_string(task.bound.value);
  });
}

void BoundWatch::judge_shown(const Pool& pool) const {
  for (const std::uint32_t index : oracle.unsettled_) {
    const SeenTask& task = oracle.tasks_[index];
    if (task.bound == kNoClass) continue;
    const auto& classes = oracle.types_[task.spec.type.value].classes;
    const bool holds = serves_bound(classes, task.bound, task.bound);
    const auto shown = pool.task(task.id)->bound.value_or(kNoClass);
    require_rule(shown == (holds ? task.bound : kNoClass), "shown", [&] {
      return task_name(task.id) + " is shown as bound to class " + std::to_string(shown.value);
    });
  }
}

}  // namespace warmpool::sim
