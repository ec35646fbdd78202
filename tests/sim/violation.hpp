// How the oracle says that a rule is broken. Rules have names, so that the mutants' table can say
// which rule found which mutant.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "pool/describe.hpp"

namespace warmpool::sim {

struct Violation {
  std::string rule;
  std::string text;
};

[[noreturn]] inline void violate(std::string_view rule, std::string text) {
  throw Violation{std::string(rule), std::move(text)};
}

// `text` is a function, so that a rule that holds costs one comparison.
template <class Text>
void require_rule(bool holds, std::string_view rule, Text&& text) {
  if (!holds) [[unlikely]]
    violate(rule, text());
}

}  // namespace warmpool::sim
