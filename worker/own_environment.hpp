// What of the environment is for the worker alone: docs/protocol.md, section 1.
#pragma once

#include <array>

namespace warmpool::worker {

// A program that the worker starts shall neither find a channel that it does not have, nor the
// secret.
inline constexpr std::array kOwnEnvironment{"WARMPOOL_CHANNEL", "WARMPOOL_FIFO_IN",
                                            "WARMPOOL_FIFO_OUT", "WARMPOOL_TOKEN"};

}  // namespace warmpool::worker
