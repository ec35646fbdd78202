// What became of a spawn between the launcher's start and the program's.
#pragma once

#include "pool/result.hpp"

namespace warmpool::daemon {

enum class LaunchState : unsigned char {
  Pending,  // nothing is known yet: ask again when launch_status is readable
  Running,  // the program was executed (or the launcher was killed: then the exit says so)
  Failed,   // error says at which step and what to do; the exit with status 127 follows
};

struct LaunchOutcome {
  LaunchState state = LaunchState::Pending;
  Error error;  // of Failed: errno, and "cannot ...: ...; what to do"
};

// Blocks: never. Order: call it until it is not Pending, then close the descriptor.
LaunchOutcome launch_outcome(int launch_status);

}  // namespace warmpool::daemon
