// What SQLite leaves out of a WAL without a word.
#pragma once

#include <cstdint>
#include <string>

namespace warmpool::daemon {

// Frames of the WAL at `path` from the first on that was written to it and is not whole. 0 also for
// what is no WAL or cannot be read. Blocks: while it is read.
// Source: "WAL-mode File Format" of SQLite's documentation.
std::uint64_t frames_not_whole(const std::string& path);

}  // namespace warmpool::daemon
