// The first ids of a list's page, out of many that come in any order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "pool/ids.hpp"

namespace warmpool {

// Keeps the `limit` smallest above `after`. Cost: a comparison for each one that is beyond them.
class FirstIds {
 public:
  FirstIds(TaskId after, std::size_t limit) : after_(after), limit_(limit) {}

  void take(TaskId task) {
    if (task <= after_ || limit_ == 0) return;
    if (ids_.size() == limit_ && ids_.front() < task) return;
    ids_.push_back(task);
    std::ranges::push_heap(ids_);
    if (ids_.size() <= limit_) return;
    std::ranges::pop_heap(ids_);
    ids_.pop_back();
  }

  // Ascending; it is empty after that.
  std::vector<TaskId> sorted() {
    std::ranges::sort(ids_);
    return std::exchange(ids_, {});
  }

 private:
  TaskId after_;
  std::size_t limit_;
  std::vector<TaskId> ids_;  // a heap, the largest first
};

}  // namespace warmpool
