// Types that are named for the first time: declared to the core, within the bounds.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/services.hpp"

namespace warmpool::daemon {

// The core passes over the types with a need of memory at each Tick and at each start of one. Of
// those that a pattern gives it (`[[type]] name = "*"`) clients could invent any number. One that
// has a table of its own, or is of tasks of an earlier life, is known whatever the bound.
inline constexpr std::size_t kMemoryTypesMax = 1'024;

// The number of a type that some class serves, declared to the core. None: none serves it, or it
// would be one too many.
std::optional<TypeId> find_or_declare(const Services& services, std::string_view name);
// Why there is none, for people.
std::string unknown_type(const Services& services, std::string_view name);

}  // namespace warmpool::daemon
