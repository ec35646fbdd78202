// What the codes of SQLite and of the system mean to people: what is wrong, and what to do.
#pragma once

#include <string>
#include <string_view>

#include "pool/refusal.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// SQLite's code for what the system said. `error`: errno.
int code_of_errno(int error);
// "the disk is full". Empty: nothing is known that is plainer than SQLite's own text.
std::string_view storage_trouble(int code);
// With what to do about a code of SQLite's.
Error with_hint(Error error);
// "`what`: No space left on device", of errno, with SQLite's code for it.
Error system_error(const std::string& what);
// Of a call of SQLite's VFS for the file `path`. Order: right after it, with errno 0 before it.
Error call_error(const std::string& path, std::string_view what, int code);
// How a client hears of it. `code`: SQLite's.
Refusal refusal_of_storage(int code);

}  // namespace warmpool::daemon
