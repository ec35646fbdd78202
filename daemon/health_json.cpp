// A score is of no use to anybody who does not see what it is made of, so all of that is shown:
// each part with its weight and what it is, and the figures behind it.
#include "daemon/health_json.hpp"

namespace warmpool::daemon {
namespace {

std::string_view meaning_of(HealthReason reason) {
  return Words<HealthReason>::rows[static_cast<std::size_t>(reason)].meaning;
}

Json time_or_null(const Services& services, Instant at) {
  return at.ns == 0 ? Json() : Json(time_of(services.engine.clock(), at));
}

std::uint64_t weight_of(const ClassOptions& options, HealthPart part) {
  switch (part) {
    case HealthPart::Liveness:
      return options.health_liveness;
    case HealthPart::Activity:
      return options.health_activity;
    case HealthPart::Errors:
      return options.health_errors;
    case HealthPart::Resources:
      return options.health_resources;
    case HealthPart::Velocity:
      break;
  }
  return options.health_velocity;
}

Json parts_json(const Services& services, const SlotView& slot) {
  const auto& options = services.options_of(slot.worker_class);
  Json parts = Json::object();
  for (const auto& row : Words<HealthPart>::rows) {
    const auto& part = slot.parts[static_cast<std::size_t>(row.value)];
    parts[std::string(row.name)] = {{"score", part.known ? Json(part.value) : Json()},
                                    {"weight", weight_of(options, row.value)},
                                    {"reason", part.known ? Json(name_of(part.reason)) : Json()}};
  }
  return parts;
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

// Of its runs that can be held against those of others.
Json inputs_json(const Services& services, const SlotView& slot) {
  const auto& health = slot.health_state;
  const auto now = services.engine.now();
  return {{"beat_age_seconds", seconds_of(now - slot.last_heard)},
          {"failing_permille", health.failing()},
          {"failing_of_peers_permille", health.expected()},
          {"failures_in_row", health.failures_in_row()},
          {"spiral", health.in_spiral()},
          {"speed_permille", or_null(health.speed())},
          {"descriptors_base", health.descriptors_base()},
          {"tasks", slot.attempts_of_worker}};
}

Json figures_json(const Services& services, const WorkerProcess& process) {
  const auto& vitals = process.vitals;
  if (vitals.at.ns == 0) return {};
  const auto& seen = vitals.figures;
  return {{"at", time_of(services.engine.clock(), vitals.at)},
          {"cpu_seconds", seconds_of(seen.cpu_time)},
          {"cpu_permille", vitals.told.cpu},
          {"throttled_seconds", seen.throttled ? Json(seconds_of(*seen.throttled)) : Json()},
          {"throttled_permille", or_null(vitals.told.throttled)},
          {"disk_wait_seconds", seconds_of(seen.disk_wait)},
          {"read_bytes", seen.read_bytes},
          {"write_bytes", seen.write_bytes},
          {"disk_read_bytes", seen.disk_read_bytes},
          {"disk_write_bytes", seen.disk_write_bytes},
          {"descriptors", seen.descriptors},
          {"descriptors_max", seen.descriptors_max},
          {"threads", seen.threads},
          {"minor_faults", seen.minor_faults},
          {"major_faults", seen.major_faults},
          {"output_bytes", vitals.output_bytes},
          {"memory_bytes", process.memory.figure.own_bytes},
          {"memory_peak_bytes", process.memory.peak},
          {"rss_bytes", process.memory.figure.rss_bytes}};
}

Json check_json(const Services& services, const SlotView& slot, const WorkerProcess& process) {
  const auto& options = services.options_of(slot.worker_class);
  if (options.check == "none") return {};
  const auto& check = process.check;
  return {{"kind", options.check},
          {"at", time_or_null(services, check.at)},
          {"passed", check.at.ns == 0 ? Json() : Json(check.passed)},
          {"took_ms", milliseconds_of(check.took)},
          {"failures_in_row", check.failures},
          {"threshold", options.check_threshold},
          {"text", check.text}};
}

}  // namespace

bool is_scored(const SlotView& slot) {
  const bool alive = static_cast<bool>(slot.worker) && slot.state != SlotState::Starting;
  return alive && slot.health_state.is_known();
}

void add_health(const SlotView& slot, Json& row) {
  const bool alive = static_cast<bool>(slot.worker) && slot.state != SlotState::Starting;
  const auto& health = slot.health_state;
  row["coarse"] = name_of(coarse_of(slot.health));
  row["band"] = alive ? Json(name_of(health.band())) : Json();
  row["score"] = is_scored(slot) ? Json(health.score()) : Json();
  row["score_reason"] = alive ? Json(name_of(health.reason())) : Json();
}

Json health_parts_json(const Services& services, const SlotView& slot,
                       const WorkerProcess* process) {
  const auto& health = slot.health_state;
  Json json{{"score", health.is_known() ? Json(health.score()) : Json()},
            {"band", name_of(health.band())},
            {"band_since", time_or_null(services, health.band_since())},
            {"reason", name_of(health.reason())},
            {"why", meaning_of(health.reason())},
            {"measured_at", time_or_null(services, health.measured_at())},
            {"parts", parts_json(services, slot)},
            {"inputs", inputs_json(services, slot)}};
  if (process == nullptr) return json;
  json["figures"] = figures_json(services, *process);
  json["check"] = check_json(services, slot, *process);
  const auto& said = process->said;
  json["degraded"] = said.degraded ? Json(said.reason) : Json();
  json["gauges"] = said.gauges;
  json["gauges_at"] = time_or_null(services, said.gauges_at);
  return json;
}

Json coarse_json(const Snapshot& snapshot) {
  Json counts = Json::object();
  for (const auto& row : Words<CoarseHealth>::rows) {
    std::uint64_t count = 0;
    for (const auto& slot : snapshot.slots) {
      count += slot.state != SlotState::Gone && coarse_of(slot.health) == row.value;
    }
    counts[std::string(row.name)] = count;
  }
  return counts;
}

}  // namespace warmpool::daemon
