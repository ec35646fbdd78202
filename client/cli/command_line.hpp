// From arguments to a command that has run.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "client/cli/context.hpp"

namespace warmpool::cli {

// `arguments` without the program's name. Returns what the process ends with.
// Errors: said on standard error. SIGPIPE must be ignored.
int run(std::span<const std::string> arguments, Descriptors descriptors = {});

// What `warmpool help` prints; with a command's name, help for that one.
std::string overview_text();
std::string help_text(std::string_view command);
// docs/cli.md, whole.
std::string manual_page();

}  // namespace warmpool::cli
