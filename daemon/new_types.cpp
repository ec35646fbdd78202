// How many there are is counted when a name is new, up to the bound, and kept nowhere: a reload may
// change it for all.
#include "daemon/new_types.hpp"

#include <algorithm>

namespace warmpool::daemon {
namespace {

bool is_one_too_many(const Services& services, std::string_view name) {
  if (!task_memory_of(services.configuration, name).any()) return false;
  const auto& tables = services.configuration.types;
  const bool named =
      std::ranges::any_of(tables, [&](const auto& table) { return table.values.name == name; });
  std::size_t count = 0;
  for (std::uint32_t i = 0; !named && i < services.types.size() && count < kMemoryTypesMax; ++i) {
    count += services.engine.pool().memory(TypeId{i}).wanted.any();
  }
  return count >= kMemoryTypesMax;
}

}  // namespace

std::optional<TypeId> find_or_declare(const Services& services, std::string_view name) {
  if (const auto known = services.types.find(name)) return known;
  if (is_one_too_many(services, name)) return std::nullopt;
  const auto interned = services.types.intern(name);
  if (!interned) return std::nullopt;
  services.declare(interned->type);
  return interned->type;
}

std::string unknown_type(const Services& services, std::string_view name) {
  if (is_one_too_many(services, name)) {
    return "there are " + std::to_string(kMemoryTypesMax) + " types with `memory` already, and '" +
           std::string(name) + "' would be one more; use fewer names, or give it a [[type]] table";
  }
  return "no worker class serves '" + std::string(name) +
         "'; served are: " + services.types.known_text();
}

}  // namespace warmpool::daemon
