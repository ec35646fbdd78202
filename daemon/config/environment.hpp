// The layer of environment variables.
#pragma once

#include <string>
#include <vector>

#include "daemon/config/setting.hpp"

namespace warmpool::daemon {

// The process's environment as a value.
Environment environment_of_process();

// Settings of the pool, R11's plain names first (numbers of times are seconds there), then
// WARMPOOL_<OPTION>. POOL_SIZE and WARMPOOL_WORKERS become the setting "workers".
// `notes` says which variables were taken for nothing, or look like a mistyped one.
std::vector<Setting> environment_settings(const Environment& environment,
                                          std::vector<std::string>& notes);

}  // namespace warmpool::daemon
