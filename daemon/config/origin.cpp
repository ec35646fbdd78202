// The form file:line:column is what editors and terminals make a link of.
#include "daemon/config/origin.hpp"

namespace warmpool::daemon {

std::string layer_name(Layer layer) {
  switch (layer) {
    case Layer::BuiltIn:
      return "built-in";
    case Layer::File:
      return "file";
    case Layer::Environment:
      return "environment";
    case Layer::Argument:
      return "argument";
    case Layer::Adjusted:
      return "adjusted";
  }
  return "unknown";
}

std::string origin_text(const Origin& origin) {
  switch (origin.layer) {
    case Layer::BuiltIn:
      return "built-in";
    case Layer::File:
      break;
    case Layer::Environment:
    case Layer::Argument:
    case Layer::Adjusted:
      return layer_name(origin.layer) + " " + origin.where;
  }
  if (origin.line == 0) return origin.where;
  return origin.where + ":" + std::to_string(origin.line) + ":" + std::to_string(origin.column);
}

// One line, whatever the file had in it.
std::string problem_text(const Problem& problem) {
  std::string line;
  for (const char each : origin_text(problem.origin) + ": " + problem.text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte >= 0x20 && byte != 0x7f) {
      line += each;
    } else if (each == '\n') {
      line += "\\n";
    } else {
      constexpr std::string_view digits = "0123456789abcdef";
      line += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return line;
}

}  // namespace warmpool::daemon
