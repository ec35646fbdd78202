// A death in words.
#pragma once

#include <string>

#include "daemon/process/process_port.hpp"

namespace warmpool::daemon {

// "worker-0 ended with status 1", "... was ended by signal 9 (SIGKILL): out of memory".
std::string exit_text(const std::string& name, const Exit& exit);

// Why a worker had to be ended, behind its name or "it": "was idle and silent for longer than ...".
std::string fault_text(ExitCause cause);

}  // namespace warmpool::daemon
