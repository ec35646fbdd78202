// Refusals in words, and as errors.
#pragma once

#include <string>
#include <string_view>

#include "pool/ids.hpp"
#include "pool/refusal.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// Its row in the table: what it means and what to do.
std::string_view meaning_of(Refusal code);
// The same, with the task that it is about; of a key conflict that is the one that has the key.
std::string refusal_text(Refusal code, TaskId task);

// Error::code is the number of the refusal.
Error refused(Refusal code, std::string text);

}  // namespace warmpool::daemon
