// The last step: find the program and become it.
#pragma once

#include "daemon/launch/report.hpp"

namespace warmpool::launch {

// Returns only when it cannot: step Exec or Interpreter, errno, and the path or name it was about.
// A name without a slash is looked for in PATH of the environment, as a shell does. A file that the
// kernel does not know (ENOEXEC) is an error, never given to a shell.
Report execute(char** command);

}  // namespace warmpool::launch
