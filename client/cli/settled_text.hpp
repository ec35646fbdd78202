// A settled task, as a document and as a status.
#pragma once

#include <string>

#include "client/cli/context.hpp"
#include "client/cli/json_text.hpp"
#include "client/events.hpp"

namespace warmpool::cli {

// "id", "verdict", and "result", or "cause" and "error".
void add_settled(JsonObject& object, const client::Settled& settled);
// "task 7 is dead (crashed, 0 failures, 3 crashes): the last error".
std::string settled_line(const client::Settled& settled);
// kOk only for done.
int exit_status_of(const client::Settled& settled);

}  // namespace warmpool::cli
