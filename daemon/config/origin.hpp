// Where a value came from, so that messages and `config show --origin` can say it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace warmpool::daemon {

// In the order of the layers: a later one wins.
enum class Layer : std::uint8_t { BuiltIn, File, Environment, Argument, Adjusted };

struct Origin {
  Layer layer = Layer::BuiltIn;
  std::string where;  // path of a file, name of a variable, "--option", or why it was adjusted
  std::uint32_t line = 0, column = 0;  // of a file, from 1; 0: the file as a whole
};

// "built-in", "/etc/warmpool/warmpool.toml:3:1", "environment POOL_SIZE", "argument --retries".
std::string origin_text(const Origin& origin);
// "built-in", "file", "environment", "argument", "adjusted".
std::string layer_name(Layer layer);

// What is wrong with a configuration, with what to do about it.
struct Problem {
  Origin origin;
  std::string text;
};

using Problems = std::vector<Problem>;

// One line: origin, colon, text.
std::string problem_text(const Problem& problem);

}  // namespace warmpool::daemon
