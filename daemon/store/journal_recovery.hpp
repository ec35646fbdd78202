// What an earlier life left in its journal, to the tables.
#pragma once

#include <string>

#include "daemon/store/change.hpp"
#include "daemon/store/schema.hpp"

namespace warmpool::daemon {

// The tables have all of it, whatever there is: it says so where a life has ended in order.
inline constexpr std::int64_t kJournalClosed = INT64_MAX;
// What the table store says in `open` of a life that has begun and not ended in order; 0 else.
inline constexpr std::int64_t kOpen = 1, kOpenWithJournal = 2;

// Writes to the tables what the journal beside `place.path` has beyond them. Returns what is to be
// said of it; empty: nothing. Order: before anything is read of them. Errors: Error::code is
// SQLite's, or kStoreDamaged where the journal is missing, none of ours or has a gap, or what it
// holds does not fit to the tables; what was written by then stays, and is not written again.
// Blocks: until it is written and synced.
Result<std::string> take_journal(Database& database, const SchemaPlace& place,
                                 const DiskBounds& bounds);

}  // namespace warmpool::daemon
