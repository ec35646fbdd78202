// Nothing waits while a turn has room, so a worker that is replaced alone is started as soon as it
// is asked for. A start that fails is told to the core, which may ask for another one meanwhile.
#include "daemon/start_queue.hpp"

#include <algorithm>

namespace warmpool::daemon {

void StartQueue::add(Wanted wanted) {
  const bool critical = is_critical_(wanted.command.worker_class);
  const bool first = critical_.empty() && (critical || waiting_.empty());
  if (room_ == 0 || !first) return (critical ? critical_ : waiting_).push_back(std::move(wanted));
  --room_;
  start_(wanted);
}

bool StartQueue::remove(WorkerId worker) {
  for (auto* line : {&critical_, &waiting_}) {
    const auto found = std::ranges::find_if(
        *line, [worker](const Wanted& wanted) { return wanted.command.worker == worker; });
    if (found == line->end()) continue;
    line->erase(found);
    return true;
  }
  return false;
}

void StartQueue::more() {
  for (; room_ > 0 && !empty(); --room_) {
    auto& line = critical_.empty() ? waiting_ : critical_;
    const Wanted wanted = std::move(line.front());
    line.pop_front();
    start_(wanted);
  }
}

}  // namespace warmpool::daemon
