// Whether a process can be forked safely, and its mark where the kernel shows it.
#pragma once

#include <string>
#include <string_view>

namespace warmpool::worker {

// Empty, or why not. A fork takes one thread along, and the locks of all as they are.
std::string threads_fault();
// The same, and what else is for workers of their own: one descriptor that all share is nobody's,
// and a number that is closed under its owner is soon somebody else's. `own`: is no fault.
std::string unfit_to_fork(int own);

// Writes over the value of a variable of as many bytes, in the block that this program was started
// with (/proc/PID/environ). False: it is not there any more, or has another length.
bool overwrite_mark(const char* variable, std::string_view value);

}  // namespace warmpool::worker
