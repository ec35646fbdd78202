// What --check-config prints.
#pragma once

#include <string>

#include "daemon/config/configuration.hpp"

namespace warmpool::daemon {

// One line for each problem; "ok" and the notes where there is none.
std::string check_text(const Configuration& configuration, const Problems& problems);
// The same as {"schema", "ok", "problems": [{"origin", "text", ...}], "files", "notes"}.
std::string check_json(const Configuration& configuration, const Problems& problems);
// What is allowed and seldom meant.
std::vector<std::string> config_warnings(const Configuration& configuration);

}  // namespace warmpool::daemon
