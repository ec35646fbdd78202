// What was taken from a worker that was killed and does not go: it ends in a Tick, without a death,
// and whoever sent it is told as much of it as of a death.
#pragma once

#include <span>

#include "daemon/services.hpp"
#include "daemon/workers.hpp"
#include "pool/command.hpp"

namespace warmpool::daemon {

// `commands`: of a Tick. Order: before the next step.
void attach_given_up(Services& services, const Workers& workers, std::span<const Command> commands);

}  // namespace warmpool::daemon
