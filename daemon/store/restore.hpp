// A backup in the place of the store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/store/schema.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

struct Restored {
  std::uint64_t tasks = 0, dead = 0, results = 0;
  std::string replaced;          // where the store is that was there; empty: there was none
  std::string said;              // what the backup does not have that it should; empty: nothing
  std::vector<TaskId> left_out;  // whose payload or result is lost
};

// Makes the store at `place` a copy of the backup `file`, which stays as it is. A store that is
// there is set aside under another name, whatever state it is in, with its WAL. Task ids of lives
// that the backup does not know are not used again.
// One that was interrupted is gone on with by the next: what was set aside stays.
// Order: while no daemon runs, with its state directory locked. Errors: Error::code is the
// ExitStatus. Unless it is complete nothing has changed, or a start refuses and asks for it again.
// Whether a restore that was not finished has set aside something of the store at `path`.
bool has_set_aside(const std::string& path);
Result<Restored> restore_store(const SchemaPlace& place, const std::string& file);

}  // namespace warmpool::daemon
