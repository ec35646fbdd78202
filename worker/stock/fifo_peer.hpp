// Two FIFOs, over which a program that somebody else has started is spoken to.
#pragma once

#include <string>

#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::worker::stock {

struct FifoPaths {
  std::string to, from;  // what the program reads; what it writes
};

// What the program reads, from here on without an end; a write there never breaks. Makes those of
// both that are missing, mode 0600. Blocks: never.
// Errors: one is no FIFO of this user alone, or cannot be made.
Result<ipc::UniqueFd> hold_fifos(const FifoPaths& paths);
// What it writes, and nobody else reads meanwhile. Blocks: never.
// Errors: EWOULDBLOCK: another worker has them; else as hold_fifos.
Result<ipc::UniqueFd> open_fifos(const FifoPaths& paths, const ipc::UniqueFd& held);
// The same end anew: on one that was seen to end before, it would be seen for ever.
Result<ipc::UniqueFd> open_from(const FifoPaths& paths);

}  // namespace warmpool::worker::stock
