#include "daemon/alerts/alert_json.hpp"

namespace warmpool::daemon {
namespace {

Json facts_json(const std::vector<AlertFact>& facts) {
  Json members = Json::object();
  for (const auto& fact : facts) {
    members[fact.name] =
        fact.is_number ? Json::parse(fact.value, nullptr, false) : Json(fact.value);
  }
  return members;
}

std::string_view state_of(const RaisedAlert& alert) {
  if (alert.resolved()) return "resolved";
  return alert.present ? "active" : "clearing";
}

}  // namespace

Json alert_json(const RaisedAlert& alert, const Clock& clock) {
  const auto& row = row_of(alert.what.alert);
  const Json subject = alert.what.subject.empty() ? Json() : Json(alert.what.subject);
  return {{"name", row.name},
          {"level", name_of(row.level)},
          {"text", alert.what.text},
          {"worker", row.subject == "slot" ? subject : Json()},
          {"subject", subject},
          {"state", state_of(alert)},
          {"time", time_of(clock, alert.since)},
          {"last_seen", time_of(clock, alert.last_seen)},
          {"resolved_at", alert.resolved() ? time_of(clock, alert.resolved_at) : Json()},
          {"count", alert.count},
          {"acknowledged", alert.acknowledged},
          {"number", alert.number},
          {"metadata", facts_json(alert.what.facts)}};
}

}  // namespace warmpool::daemon
