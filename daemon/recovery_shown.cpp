#include "daemon/recovery_shown.hpp"

#include <algorithm>

namespace warmpool::daemon {

Json recovery_json(const Services& services, const ClassView& view) {
  const auto& its = view.recovery;
  const auto& clock = services.engine.clock();
  const bool open = its.state == RecoveryState::Open;
  const bool known = its.opened != 0;
  return {{"state", name_of(its.state)},
          {"since", known ? time_of(clock, its.since) : Json()},
          {"why", known ? Json(name_of(its.why)) : Json()},
          {"next_probe", open ? time_of(clock, its.until) : Json()},
          {"deaths", its.deaths},
          {"waiting", its.waiting},
          {"opened", its.opened}};
}

Json recoveries_json(const RecoveriesView& view) {
  const auto ended = view.succeeded + view.failed;
  const auto wanted = static_cast<double>(view.wanted.ns);
  const auto up = static_cast<double>((view.wanted - std::min(view.down, view.wanted)).ns);
  return {{"attempts", view.attempts},
          {"succeeded", view.succeeded},
          {"failed", view.failed},
          {"success_rate", ended == 0 ? Json()
                                      : Json(rate_of(static_cast<double>(view.succeeded),
                                                     static_cast<double>(ended)))},
          {"mean_ms", milliseconds_of(view.mean)},
          {"median_ms", milliseconds_of(view.median)},
          {"max_ms", milliseconds_of(view.longest)},
          {"down_seconds", seconds_of(view.down)},
          {"worker_uptime", wanted == 0 ? Json() : Json(rate_of(up, wanted))}};
}

std::string recovery_text(const Services& services, const ClassView& view) {
  const auto& name = services.options_of(view.worker_class).name;
  const auto waiting = std::to_string(view.recovery.waiting) +
                       (view.recovery.waiting == 1 ? " place waits" : " places wait");
  const bool open = view.recovery.state == RecoveryState::Open;
  return "replacements of class " + name + " keep dying (" +
         std::string(name_of(view.recovery.why)) + "): " + waiting +
         (open ? ", and one tries at " +
                     rfc3339(services.engine.clock().wall_of(view.recovery.until))
               : ", and one tries now") +
         "; see: warmpool workers; start all at once with: warmpool restart --class " + name;
}

void add_recovery(const SlotView& slot, const std::string& former, Json& row) {
  const bool is_replaced = slot.recovering || slot.tries != 0;
  row["recovery"] = is_replaced ? Json(name_of(slot.strategy)) : Json();
  row["recovery_attempts"] = slot.tries;
  row["held_back"] = slot.held_back;
  row["former_id"] = former.empty() ? Json() : Json(former);
}

}  // namespace warmpool::daemon
