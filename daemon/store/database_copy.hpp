// A copy of a database that others go on writing to.
#pragma once

#include <atomic>
#include <string>

#include "daemon/store/sqlite.hpp"

namespace warmpool::daemon {

// Makes `path`, mode 0600, as `source`, the file `source_path`, is at one moment: everything that
// was committed before the call, nothing that is committed after it has begun. The copy is one file
// without a WAL, checked and synced, with its name. What had a file of its own is in its row there.
// Writers of the source go on, but the WAL grows until the copy is made. Blocks: while it is
// copied; the end comes soon after `aborted`. Errors: nothing is left at `path`; the text says why.
Result<void> copy_database(Database& source, const std::string& source_path,
                           const std::string& path, const std::atomic<bool>& aborted);

}  // namespace warmpool::daemon
