// Events and commands as lines of a trace.
#pragma once

#include <string>

#include "pool/command.hpp"
#include "pool/event.hpp"

namespace warmpool::sim {

std::string describe(const Event& event);
std::string describe(const Command& command);
std::string describe(Instant now);  // seconds with nanoseconds

}  // namespace warmpool::sim
