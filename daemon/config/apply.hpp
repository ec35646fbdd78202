// Puts the settings of a layer into options, by the rows of the options table.
#pragma once

#include <string>
#include <vector>

#include "daemon/config/configuration.hpp"

namespace warmpool::daemon {

// Errors: appended to `problems`: unknown names (with the nearest known one), wrong kinds, units
// and ranges. An option that is refused keeps its earlier value.
void apply_settings(Sourced<Options>& pool, const std::vector<Setting>& settings,
                    Problems& problems);
void apply_settings(Sourced<ClassOptions>& worker_class, const std::vector<Setting>& settings,
                    Problems& problems);
void apply_settings(Sourced<TypeOptions>& type, const std::vector<Setting>& settings,
                    Problems& problems);

// Names of all rows.
std::vector<std::string> pool_option_names();
std::vector<std::string> class_option_names();
std::vector<std::string> type_option_names();

}  // namespace warmpool::daemon
