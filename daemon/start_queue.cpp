// Nothing waits while a turn has room, so a worker that is replaced alone is started as soon as it
// is asked for. A start that fails is told to the core, which may ask for another one meanwhile.
#include "daemon/start_queue.hpp"

#include <algorithm>

namespace warmpool::daemon {

void StartQueue::add(Wanted wanted) {
  if (room_ == 0 || !waiting_.empty()) return waiting_.push_back(std::move(wanted));
  --room_;
  start_(wanted);
}

bool StartQueue::remove(WorkerId worker) {
  const auto found = std::ranges::find_if(
      waiting_, [worker](const Wanted& wanted) { return wanted.command.worker == worker; });
  if (found == waiting_.end()) return false;
  waiting_.erase(found);
  return true;
}

void StartQueue::more() {
  for (; room_ > 0 && !waiting_.empty(); --room_) {
    const Wanted wanted = std::move(waiting_.front());
    waiting_.pop_front();
    start_(wanted);
  }
}

}  // namespace warmpool::daemon
