// A handler may report ten thousand times a second and then be silent for an hour: what it said
// last is what people want to see meanwhile. So a report is never dropped for coming too soon, only
// for a later one.
#include "worker/held_report.hpp"

namespace warmpool::worker {
namespace {

constexpr std::uint16_t kAllDone = 1000;

}  // namespace

void HeldReport::begin() {
  next_ = {};
  due_.store(kNever.time_since_epoch().count(), std::memory_order_relaxed);
}

HeldReport::Fate HeldReport::take(Clock::time_point now, Report& report) {
  const std::lock_guard lock(mutex_);
  if (due_at() != kNever && report.partial.empty()) {
    report.partial = std::move(report_.partial);
    report.content = report_.content;
  }
  if (now >= next_ || report.permille == kAllDone) {
    next_ = now + kInterval;
    due_.store(kNever.time_since_epoch().count(), std::memory_order_release);
    return Fate::SayNow;
  }
  report_ = std::move(report);
  const auto before = due_.exchange(next_.time_since_epoch().count(), std::memory_order_acq_rel);
  return before == kNever.time_since_epoch().count() ? Fate::KeptFirst : Fate::Kept;
}

HeldReport::Clock::time_point HeldReport::due_at() const {
  return Clock::time_point(Clock::duration(due_.load(std::memory_order_acquire)));
}

std::optional<HeldReport::Report> HeldReport::due(Clock::time_point now) {
  if (due_at() == kNever) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (due_at() == kNever || due_at() > now) return std::nullopt;
  next_ = now + kInterval;
  due_.store(kNever.time_since_epoch().count(), std::memory_order_release);
  return std::move(report_);
}

std::optional<HeldReport::Report> HeldReport::rest() {
  if (due_at() == kNever) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (due_at() == kNever) return std::nullopt;
  due_.store(kNever.time_since_epoch().count(), std::memory_order_release);
  return std::move(report_);
}

}  // namespace warmpool::worker
