// Help and documentation out of what was declared to the parser.
#pragma once

#include <string>

#include "client/cli/command.hpp"

namespace warmpool::cli {

// "warmpool submit [OPTIONS] TYPE [PAYLOAD]".
std::string usage_of(const CommandRow& row, const CLI::App& app);
// Usage, summary, arguments, options, notes.
std::string command_help(const CommandRow& row, const CLI::App& app);
// Rows of "  -q,--quiet   text", aligned.
std::string options_text(const CLI::App& app);

}  // namespace warmpool::cli
