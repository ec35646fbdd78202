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

std::string problem_text(const Problem& problem) {
  return origin_text(problem.origin) + ": " + problem.text;
}

}  // namespace warmpool::daemon
