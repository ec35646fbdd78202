#include "daemon/refusals.hpp"

#include <utility>

namespace warmpool::daemon {

std::string_view meaning_of(Refusal code) {
  for (const auto& row : Words<Refusal>::rows) {
    if (row.value == code) return row.meaning;
  }
  return "refused";
}

std::string refusal_text(Refusal code, TaskId task) {
  const bool passes = static_cast<unsigned>(code) < 200;
  if (!task || passes) return std::string(meaning_of(code));
  const auto id = std::to_string(task.value);
  if (code == Refusal::KeyConflict) {
    return "task " + id + " has this key, with another type or payload; use another key, or see: " +
           "warmpool show " + id;
  }
  if (code == Refusal::Damaged) {
    return "the payload of dead letter " + id +
           " was lost or damaged on the disk: retry it with another one (warmpool dlq retry " + id +
           " --payload-file FILE), or remove it";
  }
  return "task " + id + ": " + std::string(meaning_of(code));
}

Error refused(Refusal code, std::string text) { return {static_cast<int>(code), std::move(text)}; }

}  // namespace warmpool::daemon
