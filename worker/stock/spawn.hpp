// The start of a program with three pipes.
#pragma once

#include <sys/types.h>

#include "ipc/fd.hpp"
#include "worker/stock/exec_request.hpp"
#include "worker/stock/spawn_parts.hpp"

namespace warmpool::worker::stock {

// Our ends of its standard streams, non-blocking. `input` is empty when it reads /dev/null.
struct Spawned {
  pid_t pid = 0;
  ipc::UniqueFd input, output, error;
};

// It leads a new process group, has no other descriptor of ours, no signal blocked or ignored.
// Errors: Error::code is the errno; the text names the program or directory.
Result<Spawned> spawn_program(const ExecRequest& request, SpawnTie tie);

}  // namespace warmpool::worker::stock
