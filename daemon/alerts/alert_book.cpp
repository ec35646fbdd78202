// A cause that comes and goes is one alert and not a hundred: it is resolved only after the cause
// has been gone for a while, and one that comes again before that is the same.
#include "daemon/alerts/alert_book.hpp"

#include <algorithm>

namespace warmpool::daemon {

std::string_view name_of(AlertChange change) {
  switch (change) {
    case AlertChange::Raised:
      return "raised";
    case AlertChange::Repeated:
      return "repeated";
    case AlertChange::Resolved:
      break;
  }
  return "resolved";
}

void AlertBook::set_past_max(std::size_t past_max) {
  past_max_ = past_max;
  while (past_.size() > past_max_) past_.pop_front();
}

void AlertBook::see(std::vector<Sighting> states, Instant now) {
  for (auto& state : states) sight(std::move(state), now);
  for (auto& [key, alert] : active_) {
    if (row_of(key.first).kind == AlertKind::State) alert.present = alert.last_seen == now;
  }
  age(now);
}

void AlertBook::happened(Sighting event, Instant now) { sight(std::move(event), now); }

void AlertBook::sight(Sighting what, Instant now) {
  const auto found = active_.find({what.alert, what.subject});
  if (found == active_.end()) return raise(std::move(what), now);
  auto& alert = found->second;
  const bool event = row_of(what.alert).kind == AlertKind::Event;
  if (event || !alert.present) ++alert.count;
  alert.what = std::move(what);
  alert.last_seen = now;
  alert.present = true;
}

void AlertBook::raise(Sighting what, Instant now) {
  if (active_.size() >= kActiveMax) {
    ++dropped_;
    return;
  }
  RaisedAlert alert;
  alert.number = ++last_number_;
  alert.what = std::move(what);
  alert.since = alert.last_seen = alert.told_at = now;
  news_.push_back({AlertChange::Raised, alert});
  active_.emplace(Key{alert.what.alert, alert.what.subject}, std::move(alert));
}

bool AlertBook::is_over(const RaisedAlert& alert, Instant now) const {
  if (row_of(alert.what.alert).kind == AlertKind::Event)
    return alert.last_seen + times_.stays <= now;
  return !alert.present && alert.last_seen + times_.clear_after <= now;
}

void AlertBook::age(Instant now) {
  for (auto at = active_.begin(); at != active_.end();) {
    auto& alert = at->second;
    if (is_over(alert, now)) {
      at = resolve(at, now);
      continue;
    }
    const bool due = times_.repeat.ns != 0 && alert.told_at + times_.repeat <= now;
    if (due && alert.present && !alert.acknowledged) {
      alert.told_at = now;
      news_.push_back({AlertChange::Repeated, alert});
    }
    ++at;
  }
}

AlertBook::Active::iterator AlertBook::resolve(Active::iterator at, Instant now) {
  at->second.resolved_at = now;
  at->second.present = false;
  news_.push_back({AlertChange::Resolved, at->second});
  past_.push_back(std::move(at->second));
  while (past_.size() > past_max_) past_.pop_front();
  return active_.erase(at);
}

std::vector<AlertNews> AlertBook::take_news() { return std::exchange(news_, {}); }

std::size_t AlertBook::acknowledge(Alert alert, std::string_view subject) {
  std::size_t found = 0;
  for (auto& [key, raised] : active_) {
    if (key.first != alert || (!subject.empty() && key.second != subject)) continue;
    raised.acknowledged = true;
    ++found;
  }
  return found;
}

std::size_t AlertBook::acknowledge_all() {
  for (auto& [key, raised] : active_) raised.acknowledged = true;
  return active_.size();
}

namespace {

bool more_urgent(const RaisedAlert* a, const RaisedAlert* b) {
  const auto level = [](const RaisedAlert* one) { return row_of(one->what.alert).level; };
  if (level(a) != level(b)) return level(a) == AlertLevel::Critical;
  return a->number < b->number;
}

}  // namespace

std::vector<const RaisedAlert*> AlertBook::active() const {
  std::vector<const RaisedAlert*> list;
  for (const auto& [key, alert] : active_) list.push_back(&alert);
  std::ranges::sort(list, more_urgent);
  return list;
}

std::vector<const RaisedAlert*> AlertBook::present() const {
  auto list = active();
  std::erase_if(list, [](const auto* alert) { return !alert->present; });
  return list;
}

}  // namespace warmpool::daemon
