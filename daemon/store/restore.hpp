// A backup in the place of the store.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/store/schema.hpp"

namespace warmpool::daemon {

struct Restored {
  std::uint64_t tasks = 0, dead = 0, results = 0;
  std::string replaced;  // where the store is that was there; empty: there was none
};

// Makes the store at `place` a copy of the backup `file`, which stays as it is. A store that is
// there is set aside under another name, whatever state it is in, with its WAL. Task ids of lives
// that the backup does not know are not used again.
// Order: while no daemon runs, with its state directory locked. Errors: Error::code is the
// ExitStatus. Unless it is complete nothing has changed, or a start refuses and asks for it again.
Result<Restored> restore_store(const SchemaPlace& place, const std::string& file);

}  // namespace warmpool::daemon
