// A copy of a database that others go on writing to.
#pragma once

#include <atomic>
#include <string>

#include "daemon/store/sqlite.hpp"

namespace warmpool::daemon {

// What is beside the source: of a store at work the journal has nothing that is not in the tables,
// or will be; of one that nobody uses it is part of the store.
enum class SourceKind : std::uint8_t { AtWork, Left };

// Makes `path`, mode 0600, as `source`, the file `source_path`, is at one moment: everything that
// was committed before the call, nothing that is committed after it has begun. The copy is one file
// without a WAL, checked and synced, with its name. What had a file of its own is in its row there,
// up to 16 MiB; returns how many bodies are not. `said`: what its journal lacks. Writers of the
// source go on, but the WAL grows until the copy is made. Blocks: while it is copied; the end comes
// soon after `aborted`. Errors: nothing is left at `path`; the text says why.
Result<std::uint64_t> copy_database(Database& source, const std::string& source_path,
                                    SourceKind kind, const std::string& path,
                                    const std::atomic<bool>& aborted, std::string* said = nullptr);

}  // namespace warmpool::daemon
