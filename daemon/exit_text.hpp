// A death in words.
#pragma once

#include <string>

#include "daemon/process/process_port.hpp"

namespace warmpool::daemon {

// "worker-0 ended with status 1", "... was ended by signal 9 (SIGKILL): out of memory".
std::string exit_text(const std::string& name, const Exit& exit);

}  // namespace warmpool::daemon
