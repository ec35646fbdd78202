// One task and lists of them.
#include <algorithm>

#include "daemon/task_json.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::size_t kTextShownMax = 4096;
// Tasks before another one are counted no further.
constexpr std::size_t kBeforeMax = 10'000;

std::optional<Verdict> verdict_of(TaskState state) {
  for (const auto& row : Words<Verdict>::rows) {
    if (state_of(row.value) == state) return row.value;
  }
  return std::nullopt;
}

Json body_json(const StoredTask& stored) {
  Json body{{"content", name_of(stored.content)}, {"bytes", stored.body->size()}};
  if (stored.body->is_by_descriptor() || stored.payload_lost) return body;
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
  if (const auto before = services_.engine.pool().tasks_before(task, kBeforeMax)) {
    document["before"] = *before;
  }
  const auto live = services_.engine.pool().task(task);
  if (live && live->bound) document["bound"] = json.bound(*live, *stored);
  document["attempts"] = json.attempts(*stored);
  if (stored->attempts_dropped != 0) document["attempts_dropped"] = stored->attempts_dropped;
  if (const auto* checkpoint = stored->checkpoint) {
    document["checkpoint"] = {{"bytes", checkpoint->body.size()},
                              {"content", name_of(checkpoint->content)},
                              {"round", checkpoint->round},
                              {"attempt", checkpoint->attempt},
                              {"age_ms", milliseconds_of(services_.engine.now() - checkpoint->at)}};
  }
  const bool done = stored->verdict == Verdict::Done;
  const bool has_body = done || !stored->verdict || stored->verdict == Verdict::Dead;
  if (has_body && !stored->result_gone) {
    document[done ? "result" : "payload"] = body_json(*stored);
  }
  return text_of(document);
}

TaskListing::TaskListing(const TaskFilter& filter) : filter_(filter) {
  filter_.limit = std::clamp(filter.limit, 1U, kLimitMax);
  live_.emplace(TaskQuery{.after = filter_.after,
                          .limit = filter_.limit + 1,
                          .state = filter_.state,
                          .type = filter_.type});
  const auto verdict = filter_.state ? verdict_of(*filter_.state) : std::nullopt;
  if (filter_.state && (!verdict || *verdict == Verdict::Dead)) return;
  finished_.emplace(filter_.after, filter_.limit + 1, verdict, filter_.type);
}

bool TaskListing::advance(const Services& services, std::uint32_t places) {
  const auto take = [this](auto& scan, bool through) {
    if (!through) return;
    std::ranges::copy(scan->ids.sorted(), std::back_inserter(found_));
    scan.reset();
  };
  if (live_) take(live_, services.engine.pool().scan(*live_, places));
  if (finished_) take(finished_, services.store.scan_finished(*finished_, places));
  return !live_ && !finished_;
}

// One that has settled while it was looked for is in both.
std::vector<TaskId> TaskListing::ids() {
  std::ranges::sort(found_);
  found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
  found_.resize(std::min<std::size_t>(found_.size(), filter_.limit + std::size_t{1}));
  return std::move(found_);
}

std::string Documents::tasks(const TaskFilter& filter, std::vector<TaskId> ids) const {
  const auto limit = std::clamp(filter.limit, 1U, TaskListing::kLimitMax);
  const bool more = ids.size() > limit;
  if (more) ids.resize(limit);
  const TaskJson json(services_, workers_);
  Json rows = Json::array();
  for (const auto id : ids) {
    if (services_.store.find(id)) rows.push_back(json.row(id));  // else it has gone meanwhile
  }
  Json document{{"schema", kDocumentSchema}, {"tasks", std::move(rows)}, {"more", more}};
  if (more) document["next_after"] = ids.back().value;
  return text_of(document);
}

}  // namespace warmpool::daemon
