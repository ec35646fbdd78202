// A look costs 15 to 20 us: 500 workers are a hundred looks a second, 0.2 % of a core.
#include "daemon/health_watch.hpp"

#include <algorithm>
#include <charconv>

#include "ipc/bytes.hpp"
#include "ipc/frame.hpp"
#include "ipc/gauge_name.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::int64_t kEvery = 5;  // of sample_interval
constexpr std::size_t kGaugesMax = 16;

// Per mille of the time between two looks.
std::uint32_t share(Duration used, Duration elapsed) {
  const auto whole = std::max<std::int64_t>(elapsed.ns / 1000, 1);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(used.ns / whole, 0, 1'000'000));
}

std::uint16_t part(Duration used, Duration elapsed) {
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(share(used, elapsed), 1000));
}

void set_gauge(std::string_view text, std::map<std::string, std::int64_t, std::less<>>& gauges) {
  const auto equals = text.find('=');
  const auto name = text.substr(0, equals);
  if (equals == std::string_view::npos || !ipc::is_gauge_name(name)) return;
  const auto digits = text.substr(equals + 1);
  const auto known = gauges.find(name);
  if (digits.empty()) {
    if (known != gauges.end()) gauges.erase(known);
    return;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return;
  if (known != gauges.end()) {
    known->second = value;
  } else if (gauges.size() < kGaugesMax) {
    gauges.emplace(name, value);
  }
}

}  // namespace

void HealthWatch::look_if_due(WorkerProcess& worker) {
  if (worker.buried || !worker.ready) return;
  checks_.look_if_due(worker);
  const auto now = services_.engine.now();
  const auto every = services_.options().sample_interval * kEvery;
  auto& vitals = worker.vitals;
  if (vitals.due.ns == 0) {  // the first looks of many are spread
    const auto place = static_cast<std::int64_t>(worker.slot.value % kEvery);
    vitals.due = now + services_.options().sample_interval * place;
  }
  if (now < vitals.due) return;
  vitals.due = now + every;
  look(worker);
}

void HealthWatch::look(WorkerProcess& worker) {
  auto& vitals = worker.vitals;
  const auto now = services_.engine.now();
  // It is no child of ours: its number may be another's by now.
  if (worker.registered && name_of_process(worker.child.pid) != worker.name) return;
  if (!vitals.cpu_stat) vitals.cpu_stat = cpu_stat_path(worker.child.pid);
  const auto figures = process_figures(worker.child.pid, *vitals.cpu_stat);
  if (!figures) return;
  const auto before = std::exchange(vitals.figures, *figures);
  const auto elapsed = now - vitals.at;
  const bool first = vitals.at.ns == 0;
  vitals.at = now;
  const auto* ring = places_.output_of(worker.slot);
  const auto printed = ring == nullptr ? 0 : ring->counters().bytes;
  const bool prints = std::exchange(vitals.output_bytes, printed) != printed;
  event::Measures seen;
  seen.descriptors = figures->descriptors;
  seen.descriptors_max = figures->descriptors_max;
  if (!first) {
    seen.cpu = share(figures->cpu_time - before.cpu_time, elapsed);
    if (figures->disk_wait.ns != 0) {
      seen.disk_wait = part(figures->disk_wait - before.disk_wait, elapsed);
    }
    if (figures->throttled && before.throttled) {
      seen.throttled = part(*figures->throttled - *before.throttled, elapsed);
    }
    seen.moved = prints || figures->read_bytes != before.read_bytes ||
                 figures->write_bytes != before.write_bytes;
  }
  vitals.told = seen;
  services_.engine.step(event::WorkerMeasured{worker.id, seen});
}

void HealthWatch::said(WorkerProcess& worker, const ipc::Frame& frame,
                       const ipc::ReportMeta& report) {
  auto& said = worker.said;
  for (const auto gauge : report.gauges) set_gauge(gauge, said.gauges);
  if (!report.gauges.empty()) said.gauges_at = services_.engine.now();
  const bool well = (frame.header.flags & ipc::flag::kWell) != 0;
  const bool degraded = (frame.header.flags & ipc::flag::kDegraded) != 0 && !well;
  if (!well && !degraded) return;
  said.degraded = degraded;
  said.reason = degraded ? std::string(report.reason) : std::string();
  services_.engine.step(event::WorkerFlagged{worker.id, degraded});
}

}  // namespace warmpool::daemon
