#include "daemon/worker_places.hpp"

#include <algorithm>

namespace warmpool::daemon {

std::uint16_t WorkerPlaces::number(SlotId home) const {
  const auto view = services_.engine.pool().slot(home);
  return view ? view->index : home.value;
}

WorkerPlaces::Place& WorkerPlaces::place(SlotId home, ClassId worker_class) {
  auto name = services_.options_of(worker_class).name + "-" + std::to_string(number(home));
  auto& place = places_[home.value];
  if (place.name != name) {
    OutputBounds bounds;
    bounds.bytes_max = services_.options().worker_output_bytes_max;
    bounds.lines_max = kOutputLinesMax;
    place = {std::move(name), worker_class, OutputRing(bounds)};
  }
  return place;
}

const WorkerPlaces::Place* WorkerPlaces::find(SlotId home) const {
  const auto found = places_.find(home.value);
  return found == places_.end() ? nullptr : &found->second;
}

void WorkerPlaces::prepare(const command::Spawn& command) {
  const auto& how = command.recovery;
  if (how.attempt == 0) return;
  if (how.strategy == RecoveryStrategy::Reset) clear(command.home);
  if (how.strategy == RecoveryStrategy::Recreate) clear(how.former);
}

void WorkerPlaces::clear(SlotId home) {
  const auto found = places_.find(home.value);
  if (found != places_.end()) found->second.reported = {};
}

std::string WorkerPlaces::slot_name(SlotId home) const {
  if (const auto* place = find(home)) return place->name;
  const auto from_top = std::size_t{0xffff} - home.value;
  if (from_top < earlier_slots_.size()) return earlier_slots_[from_top];
  const auto held = services_.engine.pool().slot(home);  // waits for its first worker
  if (held)
    return services_.options_of(held->worker_class).name + "-" + std::to_string(held->index);
  return "slot-" + std::to_string(home.value);
}

SlotId WorkerPlaces::earlier_slot(std::string_view name) {
  constexpr std::size_t earlier_max = 16'384;
  const auto found = std::ranges::find(earlier_slots_, name);
  auto at = static_cast<std::size_t>(found - earlier_slots_.begin());
  if (found == earlier_slots_.end() && at < earlier_max) earlier_slots_.emplace_back(name);
  at = std::min(at, earlier_max - 1);
  return SlotId{static_cast<std::uint16_t>(0xffff - at)};
}

std::optional<SlotId> WorkerPlaces::find_home(std::string_view name) const {
  for (const auto& [number, place] : places_) {
    if (place.name == name) return SlotId{number};
  }
  const auto& pool = services_.engine.pool();
  for (const SlotId id : pool.memory().held) {
    const auto home = pool.slot(id)->home;
    if (slot_name(home) == name) return home;
  }
  return std::nullopt;
}

const OutputRing* WorkerPlaces::output_of(SlotId home) const {
  const auto* place = find(home);
  return place == nullptr ? nullptr : &place->ring;
}

std::optional<ClassId> WorkerPlaces::class_of(SlotId home) const {
  const auto* place = find(home);
  if (place == nullptr) return std::nullopt;
  return place->worker_class;
}

void WorkerPlaces::remember_death(SlotId home, std::string autopsy) {
  const auto found = places_.find(home.value);
  if (found == places_.end()) return;
  auto& deaths = found->second.deaths;
  deaths.push_back(std::move(autopsy));
  if (deaths.size() > kDeathsMax) deaths.pop_front();
}

const std::deque<std::string>& WorkerPlaces::deaths_of(SlotId home) const {
  static const std::deque<std::string> none;
  const auto* place = find(home);
  return place == nullptr ? none : place->deaths;
}

const Reported* WorkerPlaces::reported_of(SlotId home) const {
  const auto* place = find(home);
  return place == nullptr || place->reported.at.ns == 0 ? nullptr : &place->reported;
}

}  // namespace warmpool::daemon
