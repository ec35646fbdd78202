// A core as bytes, and back. The bytes hold every member of its parts, the order of heaps and free
// places included, so that what comes back decides as the first would have: the flight recorder
// begins its segments with that. Lookup tables are written in the order of their keys, so that
// equal cores have equal bytes. Options that no decision needs (commands, environments) are left
// out.
#include <algorithm>

#include "pool/core.hpp"
#include "pool/image/reader.hpp"
#include "pool/image/shape.hpp"
#include "pool/pool_settings.hpp"
#include "pool/pool_state.hpp"

namespace warmpool {
namespace {

bool is_sound(const MemoryNeeds& needs, std::size_t types) {
  const auto order = [](const MemoryNeed& a, const MemoryNeed& b) { return a.type < b.type; };
  const auto same = [](const MemoryNeed& a, const MemoryNeed& b) { return a.type == b.type; };
  const bool sorted = std::ranges::is_sorted(needs.types, order) &&
                      std::ranges::adjacent_find(needs.types, same) == needs.types.end();
  const bool known = needs.types.empty() || needs.types.back().type.value < types;
  const bool has_row = !needs.awaited ||
                       std::ranges::count(needs.types, needs.awaited->type, &MemoryNeed::type) != 0;
  return sorted && known && has_row;
}

// What is counted on without another look.
bool is_sound(const CoreState& state) {
  const auto learned = [](const TypeState& type) { return type.peaks.is_sound(); };
  return std::ranges::all_of(state.types, learned) &&
         is_sound(state.memory_needs, state.types.size());
}

}  // namespace

std::optional<std::string> Pool::image(std::size_t bytes_max) const {
  std::string bytes;
  image::ByteSink sink(bytes, bytes_max);
  image::walk(sink, state_->genesis);
  image::walk(sink, static_cast<const CoreState&>(*state_));
  if (sink.full()) return std::nullopt;
  return bytes;
}

std::optional<Pool> Pool::from_image(std::string_view bytes) {
  image::Reader reader(bytes);
  Genesis genesis;
  reader.get(genesis);
  if (!reader.good() || !is_life(genesis.life)) return std::nullopt;
  Pool pool(genesis);
  reader.get(static_cast<CoreState&>(*pool.state_));
  if (!reader.good() || !reader.empty() || !is_sound(*pool.state_)) return std::nullopt;
  return pool;
}

PoolSettings Pool::settings() const {
  PoolSettings settings{state_->genesis, state_->options, state_->generator(), {}};
  for (const auto& worker_class : state_->classes) settings.classes.push_back(worker_class.options);
  return settings;
}

std::uint32_t Pool::shape() {
  return image::shape_of<PoolSettings, CoreState, Event, Record, Command>();
}

}  // namespace warmpool
