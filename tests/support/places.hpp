// Where this build's programs and this repository's files are. In one source, and not in macros on
// every command line: so objects of one clone are found in the compiler cache by another.
#pragma once

#include <string>
#include <string_view>

namespace warmpool::test {

// Absolute, without a slash at its end.
std::string program_directory();
// "warmpoold": where this build put it.
std::string program(std::string_view name);
// "docs/cli.md": where it is in the source tree.
std::string source_file(std::string_view path);

}  // namespace warmpool::test
