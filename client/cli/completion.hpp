// Completion scripts and the manual page, made from the table of commands.
#pragma once

#include <string>
#include <string_view>

namespace warmpool::cli {

// "bash", "zsh" or "fish". They know commands and options and leave values to the shell's files.
std::string completion_script(std::string_view shell);
// warmpool(1) as roff.
std::string manual_roff();

}  // namespace warmpool::cli
