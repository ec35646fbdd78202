// Circuit breakers: which there are, what they wait for, and what an alert says of them.
#include "daemon/breakers_shown.hpp"
#include "daemon/documents.hpp"

namespace warmpool::daemon {
namespace {

Json share_json(const BreakerView& breaker) {
  return {{"runs", breaker.runs}, {"failures", breaker.failures}};
}

}  // namespace

Json breaker_json(const Services& services, const TypeView& type) {
  const BreakerView& breaker = *type.breaker;
  const bool open = breaker.state == BreakerState::Open;
  const auto& clock = services.engine.clock();
  const bool known = breaker.opened != 0 || breaker.state != BreakerState::Closed;
  return {{"name", services.types.at(type.type).name},
          {"state", name_of(breaker.state)},
          {"since", time_of(clock, breaker.since)},
          {"why", known ? Json(name_of(breaker.why)) : Json()},
          {"next_probe", open ? time_of(clock, breaker.until) : Json()},
          {"failures_in_a_row", breaker.in_a_row},
          {"window", share_json(breaker)},
          {"at_once", open                 ? Json(0)
                      : breaker.limit == 0 ? Json()
                                           : Json(breaker.limit)},
          {"running", breaker.running},
          {"waiting", type.waiting},
          {"opened", breaker.opened}};
}

BreakersShown breakers_shown(const Snapshot& snapshot) {
  BreakersShown shown;
  for (const auto& type : snapshot.types) {
    if (!type.breaker) continue;
    ++shown.on;
    const auto state = type.breaker->state;
    if (state == BreakerState::Closed) continue;
    ++(state == BreakerState::Open ? shown.open : shown.half_open);
    shown.waiting += type.waiting;
  }
  return shown;
}

std::string breaker_text(const Services& services, const TypeView& type, bool draining) {
  auto text = services.types.at(type.type).name + " is " +
              std::string(name_of(type.breaker->state)) + ": " + std::to_string(type.waiting) +
              (type.waiting == 1 ? " task waits" : " tasks wait");
  if (draining && type.waiting != 0) text += ", and so does the drain";
  return text + "; see: warmpool breaker ls";
}

std::string Documents::breakers() const {
  const auto snapshot = services_.engine.pool().snapshot();
  Json rows = Json::array();
  for (const auto& type : snapshot.types) {
    if (type.breaker) rows.push_back(breaker_json(services_, type));
  }
  return text_of({{"schema", kDocumentSchema}, {"breakers", std::move(rows)}});
}

std::string Documents::left(std::uint64_t left) const {
  const auto snapshot = services_.engine.pool().snapshot();
  return text_of({{"schema", kDocumentSchema},
                  {"left", left},
                  {"behind_breakers", breakers_shown(snapshot).waiting}});
}

}  // namespace warmpool::daemon
