// The queue holds at most 64, so that a search by key is a walk.
#include "worker/attempt.hpp"

#include <algorithm>

namespace warmpool::worker {

AttemptQueue::Owned AttemptQueue::blank() {
  if (spare_.empty()) return std::make_unique<Attempt>();
  Owned attempt = std::move(spare_.back());
  spare_.pop_back();
  return attempt;
}

AttemptQueue::Owned AttemptQueue::pop() {
  Owned attempt = std::move(waiting_.front());
  waiting_.pop_front();
  return attempt;
}

AttemptQueue::Owned AttemptQueue::remove(const AttemptKey& key) {
  const auto found = std::ranges::find(waiting_, key, [](const Owned& one) { return one->key; });
  if (found == waiting_.end()) return nullptr;
  Owned attempt = std::move(*found);
  waiting_.erase(found);
  return attempt;
}

void AttemptQueue::recycle(Owned attempt) {
  attempt->large.reset();
  attempt->shared = {};
  attempt->descriptor.reset();
  if (spare_.size() >= kSpareMax || attempt->payload.capacity() > kSparePayloadMax) return;
  spare_.push_back(std::move(attempt));
}

}  // namespace warmpool::worker
