// One task and lists of them.
#include <algorithm>

#include "daemon/task_json.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint32_t kLimitMax = 10'000;
constexpr std::size_t kTextShownMax = 4096;

std::optional<Verdict> verdict_of(TaskState state) {
  for (const auto& row : Words<Verdict>::rows) {
    if (state_of(row.value) == state) return row.value;
  }
  return std::nullopt;
}

Json body_json(const StoredTask& stored) {
  Json body{{"content", name_of(stored.content)}, {"bytes", stored.body->size()}};
  const auto text = ipc::text_of(stored.body->bytes());
  if (stored.content == Content::Bytes || stored.content == Content::Msgpack) return body;
  body["text"] = text.substr(0, kTextShownMax);
  if (text.size() > kTextShownMax) body["cut"] = true;
  return body;
}

}  // namespace

std::optional<std::string> Documents::show(TaskId task) const {
  const auto stored = services_.store.find(task);
  if (!stored) return std::nullopt;
  const TaskJson json(services_, workers_);
  Json document{{"schema", kDocumentSchema}};
  document.update(json.row(task));
  document["attempts"] = json.attempts(*stored);
  if (stored->attempts_dropped != 0) document["attempts_dropped"] = stored->attempts_dropped;
  const bool done = stored->verdict == Verdict::Done;
  const bool has_body = done || !stored->verdict || stored->verdict == Verdict::Dead;
  if (has_body && !stored->result_gone) {
    document[done ? "result" : "payload"] = body_json(*stored);
  }
  return text_of(document);
}

std::string Documents::tasks(const TaskFilter& filter) const {
  const auto limit = std::clamp(filter.limit, 1U, kLimitMax);
  const auto verdict = filter.state ? verdict_of(*filter.state) : std::nullopt;
  std::vector<TaskId> ids;
  if (filter.state == TaskState::Dead) {
    ids = dead_letters(filter);
  } else {
    for (const auto& view : services_.engine.pool().list({.after = filter.after,
                            .limit = limit + 1,
                            .state = filter.state,
                            .type = filter.type})) {
      ids.push_back(view.task);
    }
  }
  if (!filter.state || (verdict && *verdict != Verdict::Dead)) {
    const auto finished = services_.store.finished(filter.after, limit + 1, verdict, filter.type);
    ids.insert(ids.end(), finished.begin(), finished.end());
  }
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const bool more = ids.size() > limit;
  if (more) ids.resize(limit);
  const TaskJson json(services_, workers_);
  Json rows = Json::array();
  for (const auto id : ids) rows.push_back(json.row(id));
  Json document{{"schema", kDocumentSchema}, {"tasks", std::move(rows)}, {"more", more}};
  if (more) document["next_after"] = ids.back().value;
  return text_of(document);
}

}  // namespace warmpool::daemon
