// What the payload of a task would make a handler do. The world knows a task by the size of its
// payload, as a real worker knows it by what is in it.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "pool/ids.hpp"

namespace warmpool::sim {

enum class Nature : std::uint8_t {
  Normal,
  Fails,
  FailsForGood,
  AsksLater,
  Holds,
  Poison,
  Hangs,
  HangsAndReturns
};

struct Work {
  Nature nature = Nature::Normal;
  std::uint8_t times = 0;  // how often it misbehaves
  std::uint16_t runs = 0;
};

class Works {
 public:
  // The payload size that stands for this work.
  std::uint32_t add(Work work) {
    works_.push_back(work);
    return static_cast<std::uint32_t>(works_.size());
  }
  void name(TaskId task, std::uint32_t payload_bytes) { by_task_[task.value] = payload_bytes; }
  Work& of(TaskId task) { return works_[by_task_.at(task.value) - 1]; }

 private:
  std::vector<Work> works_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_task_;
};

}  // namespace warmpool::sim
