// A copy of a database that others go on writing to.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/store/sqlite.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

// What is beside the source: of a store at work the journal has nothing that is not in the tables,
// or will be; of one that nobody uses it is part of the store.
enum class SourceKind : std::uint8_t { AtWork, Left };

struct CopiedStore {
  std::vector<TaskId> left_out;  // whose payload or result is gone or damaged
  std::uint64_t bytes = 0;       // of the copy with what is beside it
  std::string said;              // what the source, or its journal, lacks; empty: nothing
};

// The directory of what has files in the store at work, or the copy, `database`: a copy or a store
// that was set aside has them in FILE.bodies, one that was copied with its directory in `bodies`.
std::string bodies_beside(const std::string& database);

// Makes `path`, mode 0600, as `source`, the file `source_path`, is at one moment: everything that
// was committed before the call, nothing that is committed after it has begun. The copy is one file
// without a WAL, checked and synced, with its name. What had a file of its own is in its row there,
// up to 16 MiB; what is larger is a file in the directory PATH.bodies, which is there only then.
// Writers of the source go on, but the WAL grows until the pages are copied. Blocks: while it is
// copied; the end comes soon after `aborted`. What may be whole and cannot be read now is an error.
// Errors: nothing is left at `path`; the text says why.
Result<CopiedStore> copy_database(Database& source, const std::string& source_path, SourceKind kind,
                                  const std::string& path, const std::atomic<bool>& aborted);

}  // namespace warmpool::daemon
