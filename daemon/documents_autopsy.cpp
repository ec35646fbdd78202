// What is kept of bad ends: of a task's attempts with its history, of a slot's processes in memory.
#include "daemon/documents.hpp"
#include "daemon/json.hpp"

namespace warmpool::daemon {
namespace {

// It may come from a file that somebody wrote to.
void add(const std::string& text, Json& list) {
  auto document = Json::parse(text, nullptr, false);
  if (document.is_object()) list.push_back(std::move(document));
}

}  // namespace

std::optional<std::string> Documents::autopsies(TaskId task) const {
  const auto stored = services_.store.find(task);
  if (!stored) return std::nullopt;
  Json list = Json::array();
  if (stored->attempts != nullptr) {
    for (const auto& entry : *stored->attempts) add(entry.autopsy, list);
  }
  return text_of({{"schema", kDocumentSchema}, {"id", task.value}, {"autopsies", std::move(list)}});
}

std::optional<std::string> Documents::autopsies(std::string_view slot_name) const {
  const auto home = workers_.places().find_home(slot_name);
  if (!home) return std::nullopt;
  Json list = Json::array();
  for (const auto& text : workers_.places().deaths_of(*home)) add(text, list);
  return text_of(
      {{"schema", kDocumentSchema}, {"worker", slot_name}, {"autopsies", std::move(list)}});
}

}  // namespace warmpool::daemon
