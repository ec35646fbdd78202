// What a board does not hold is left out: alerts and health are the daemon's judgement, and figures
// of store and clients are asked for where they matter.
#include "client/cli/board_documents.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "client/cli/format.hpp"
#include "client/cli/json_text.hpp"
#include "pool/worker_words.hpp"

namespace warmpool::cli {

namespace {

using Json = nlohmann::ordered_json;

double seconds_of(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

double rate_of(double part, double whole) {
  if (whole <= 0) return 0;
  return static_cast<double>(static_cast<long long>(part / whole * 10'000 + 0.5)) / 10'000;
}

Json time_of(std::int64_t wall_ns) {
  return wall_ns == 0 ? Json() : Json(wall_text(WallTime{wall_ns}));
}

SlotState state_of(const ipc::BoardSlot& row) { return static_cast<SlotState>(row.state); }
bool has(const ipc::BoardSlot& row, std::uint8_t flag) { return (row.flags & flag) != 0; }

bool is_silent(const ipc::BoardSlot& row) {
  return has(row, ipc::slot_flag::kStopped) || has(row, ipc::slot_flag::kUnresponsive);
}

bool is_at_work(const ipc::BoardSlot& row) {
  return state_of(row) == SlotState::Running || state_of(row) == SlotState::Draining;
}

const char* health_of(const ipc::BoardSlot& row) {
  if (has(row, ipc::slot_flag::kStopped)) return "stopped";
  if (has(row, ipc::slot_flag::kUnresponsive)) return "unresponsive";
  if (is_at_work(row)) return "working";
  switch (state_of(row)) {
    case SlotState::Ready:
      return "healthy";
    case SlotState::Recovery:
    case SlotState::Backoff:
    case SlotState::Held:
      return "recovering";
    case SlotState::Failed:
      return "dead";
    default:
      return "unknown";
  }
}

bool is_healthy(const ipc::BoardSlot& row) {
  const auto state = state_of(row);
  return !is_silent(row) &&
         (state == SlotState::Ready || state == SlotState::Completing || is_at_work(row));
}

bool is_unhealthy(const ipc::BoardSlot& row) {
  const auto state = state_of(row);
  return is_silent(row) || state == SlotState::Recovery || state == SlotState::Backoff ||
         state == SlotState::Failed;
}

Json slot_json(const ipc::BoardSlot& row, const ipc::BoardFigures& figures) {
  const auto now = figures.pool.updated_at;
  Json json{{"id", ipc::text_in(row.name)},
            {"pid", row.pid == 0 ? Json() : Json(row.pid)},
            {"class", ipc::text_in(figures.classes[row.worker_class].name)},
            {"state", name_of(state_of(row))},
            {"healthy", is_healthy(row)},
            {"health", health_of(row)},
            {"tasks_executed", row.tasks_executed},
            {"current_task", row.task == 0 ? Json() : Json(row.task)},
            {"in_hand", row.in_hand},
            {"credits", row.credits},
            {"score", row.score == 0 ? Json() : Json(ipc::score_of(row.score))}};
  json["uptime_seconds"] = row.spawned_at == 0 ? Json() : Json(seconds_of(now - row.spawned_at));
  json["last_activity"] = time_of(row.state_since);
  json["last_heartbeat"] = time_of(row.last_heard);
  json["utilization"] = rate_of(seconds_of(row.busy), seconds_of(figures.pool.uptime));
  json["tasks_of_process"] = row.tasks_of_process;
  json["processes_spawned"] = row.processes_spawned;
  json["unproductive_deaths"] = row.unproductive_deaths;
  const bool died = row.processes_spawned > (row.worker == 0 ? 0U : 1U);
  json["last_exit"] = died ? Json(name_of(static_cast<ExitCause>(row.last_exit))) : Json();
  if (row.retry_at != 0) {
    json["next_start_seconds"] = std::max(0.0, seconds_of(row.retry_at - now));
  }
  if (row.kernel_state == 0) return json;
  json["rss_bytes"] = row.rss_bytes;
  json["cpu_seconds"] = seconds_of(row.cpu);
  json["kernel_state"] = std::string(1, static_cast<char>(row.kernel_state));
  return json;
}

Json board_json(const client::BoardView& board) {
  return {{"pid", board.pid}, {"alive", board.alive}, {"age_seconds", seconds_of(board.age.ns)}};
}

Json head_of(const client::BoardView& board) {
  return {{"schema", kSchema},
          {"timestamp", time_of(board.figures.pool.updated_at)},
          {"board", board_json(board)}};
}

Json pool_json(const ipc::BoardFigures& figures) {
  using namespace ipc::board_flag;
  const auto is = [&](std::uint32_t flag) { return (figures.pool.flags & flag) != 0; };
  std::uint64_t target = 0;
  for (const auto& row : figures.classes) target += row.target;
  return {{"size", target},
          {"initialized", is(kInitialized)},
          {"draining", is(kDraining)},
          {"shutting_down", is(kStopping)},
          {"store_accepting", is(kStoreAccepting)},
          {"uptime_seconds", seconds_of(figures.pool.uptime)}};
}

Json workers_json(const ipc::BoardFigures& figures) {
  std::uint64_t ready = 0, busy = 0, unhealthy = 0, starting = 0, failed = 0;
  for (const auto& row : figures.slots) {
    ready += state_of(row) == SlotState::Ready || is_at_work(row);
    busy += is_at_work(row);
    unhealthy += is_unhealthy(row);
    starting += state_of(row) == SlotState::Starting;
    failed += state_of(row) == SlotState::Failed;
  }
  return {{"total", figures.slots.size() + figures.pool.slots_left_out},
          {"ready", ready},
          {"busy", busy},
          {"unhealthy", unhealthy},
          {"starting", starting},
          {"failed", failed}};
}

std::uint64_t waiting_in(const ipc::BoardPool& pool) {
  return pool.recording + pool.ready + pool.delayed + pool.blocked + pool.held;
}

Json tasks_json(const ipc::BoardPool& pool) {
  const auto settled = [&](Verdict verdict) {
    return pool.settled[static_cast<std::size_t>(verdict)];
  };
  return {{"submitted", pool.accepted},
          {"completed", settled(Verdict::Done)},
          {"failed", settled(Verdict::Dead)},
          {"queued", waiting_in(pool)},
          {"dlq", pool.dead_letters},
          {"accepted", pool.accepted},
          {"waiting", waiting_in(pool)},
          {"running", pool.running},
          {"done", settled(Verdict::Done)},
          {"dead", settled(Verdict::Dead)},
          {"cancelled", settled(Verdict::Cancelled)},
          {"expired", settled(Verdict::Expired)},
          {"skipped", settled(Verdict::Skipped)},
          {"duplicates", pool.duplicates},
          {"refused", pool.refused_submits}};
}

Json performance_json(const ipc::BoardPool& pool) {
  const auto attempts = static_cast<double>(pool.attempts);
  const auto started = static_cast<double>(pool.spawns + pool.processes_started);
  return {{"worker_reuse_rate", rate_of(std::max(0.0, attempts - started), attempts)},
          {"workers_spawned", pool.spawns},
          {"processes_started", pool.processes_started},
          {"workers_exited", pool.exits},
          {"attempts", pool.attempts},
          {"failures", pool.failures},
          {"crashes", pool.crashes},
          {"interruptions", pool.interruptions},
          {"suspects", pool.suspects},
          {"recalls", pool.recalls},
          {"free_ends", pool.free_ends},
          {"refused_results", pool.refused_results},
          {"zombies", pool.zombies}};
}

Json queue_json(const ipc::BoardPool& pool) {
  return {{"depth", waiting_in(pool)},
          {"recording", pool.recording},
          {"ready", pool.ready},
          {"delayed", pool.delayed},
          {"blocked", pool.blocked},
          {"held", pool.held},
          {"oldest_wait_ms", static_cast<double>(pool.oldest_ready) / 1e6},
          {"payload_bytes", pool.payload_bytes}};
}

Json class_json(const ipc::BoardClass& row) {
  return {{"name", ipc::text_in(row.name)}, {"target", row.target}, {"size_min", row.size_min},
          {"size_max", row.size_max},       {"slots", row.slots},   {"ready", row.ready},
          {"running", row.running},         {"failed", row.failed}, {"capacity", row.capacity},
          {"in_flight", row.in_flight}};
}

}  // namespace

std::string board_status(const client::BoardView& board) {
  const auto& pool = board.figures.pool;
  Json document = head_of(board);
  document["server"] = board.server;
  document["pid"] = board.pid;
  document["pool"] = pool_json(board.figures);
  document["workers"] = workers_json(board.figures);
  document["tasks"] = tasks_json(pool);
  document["performance"] = performance_json(pool);
  document["queue"] = queue_json(pool);
  document["classes"] = Json::array();
  for (const auto& row : board.figures.classes) document["classes"].push_back(class_json(row));
  return document.dump();
}

std::string board_workers(const client::BoardView& board) {
  Json document = head_of(board);
  document["workers"] = Json::array();
  for (const auto& row : board.figures.slots) {
    document["workers"].push_back(slot_json(row, board.figures));
  }
  return document.dump();
}

}  // namespace warmpool::cli
