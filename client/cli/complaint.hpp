// What is wrong with a command line, in our words: the parser's own name no alternative.
#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace warmpool::cli {

// One line. `root`: has the options of every command; `command`: the one that was named, or null.
std::string complaint(const CLI::ParseError& error, const CLI::App& root, const CLI::App* command);

}  // namespace warmpool::cli
