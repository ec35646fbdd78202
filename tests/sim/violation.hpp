// How the oracle says that a rule is broken. Rules have names, so that the mutants' table can say
// which rule found which mutant.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "pool/ids.hpp"

namespace warmpool::sim {

struct Violation {
  std::string rule;
  std::string text;
};

[[noreturn]] inline void violate(std::string_view rule, std::string text) {
  throw Violation{std::string(rule), std::move(text)};
}

// `text` is a function, so that a rule that holds costs one comparison.
template <class Text>
void require_rule(bool holds, std::string_view rule, Text&& text) {
  if (!holds) [[unlikely]]
    violate(rule, text());
}

// The life and the counter of a task, as people read it in a trace: 2.17.
inline std::string task_name(TaskId task) {
  return std::to_string(task.value >> 40) + "." + std::to_string(task.value & ((1ULL << 40) - 1));
}

// The slot and the counter of a worker: 3#12.
inline std::string worker_name(WorkerId worker) {
  return std::to_string(worker.value & 0xffff) + "#" + std::to_string(worker.value >> 16);
}

}  // namespace warmpool::sim
