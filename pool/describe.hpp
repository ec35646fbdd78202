// Events, records and commands as lines of a trace: of the simulator, and of a recording.
#pragma once

#include <string>

#include "pool/command.hpp"
#include "pool/event.hpp"

namespace warmpool {

std::string describe(const Event& event);
std::string describe(const Record& record);
std::string describe(const Command& command);
std::string describe(Instant now);  // seconds with nanoseconds

// The life and the counter of a task, as people read it in a trace: 2.17.
std::string task_name(TaskId task);
// The slot and the counter of a worker: 3#12.
std::string worker_name(WorkerId worker);

}  // namespace warmpool
